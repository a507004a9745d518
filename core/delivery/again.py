"""When a job of the queue is run again, and before which others."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from core.clock import Clock
from core.errors import PaperboyError, log_level

log = logging.getLogger(__name__)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Again(Exception):  # noqa: N818 - no error, but the library's way to ask for another run
    """The errand goes on later."""

    def __init__(self, not_before: datetime | None) -> None:
        super().__init__("later")
        self.not_before = not_before


class Rules(BaseRetryStrategy):
    """When a job is run again: at the outbox's own time, or soon where the store was away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Return when."""
        now = self._clock()
        if isinstance(exception, Again):
            at = max(exception.not_before or now, now + timedelta(milliseconds=200))
        elif isinstance(exception, asyncio.CancelledError):  # this process stops, and others go on
            at = now
        else:
            at = now + timedelta(seconds=min(5.0 * 2 ** min(job.attempts, 10), 1800.0))
            if isinstance(exception, PaperboyError):
                log.log(log_level(exception), "delivery %s: %s", job.queueing_lock, exception)
            else:
                log.error("delivery %s: %r", job.queueing_lock, exception, exc_info=exception)
        return RetryDecision(retry_at=at, priority=priority_at(at))


def priority_at(moment: datetime) -> int:
    """Return the priority of what waits for a moment: the later, the lower, and always below what is due."""
    return -max(int((moment - EPOCH).total_seconds()), 1)
