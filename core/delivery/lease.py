"""EDGE. A worker's hold on its jobs: procrastinate keeps it in the database; here it outlasts a database that is away.

A worker says every few seconds that it lives. One that is silent for too long is taken for dead, and others do its
jobs. So a worker that cannot say it must let go of what it does before that: see `silent_for`.

What a lost reply leaves open is found out afterwards: a job that was given to us without our knowing is given back, and
one that could not be finished because somebody else has it by now is theirs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import TypeVar

import psycopg
import psycopg.errors
from procrastinate import PsycopgConnector
from procrastinate.connector import BaseConnector, Notify
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback

log = logging.getLogger(__name__)

TRY_AGAIN = 1.0

Result = TypeVar("Result")


class Connector(PsycopgConnector):
    """Goes on listening after the connection was lost, however long it takes."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Call for each notification; until one can be heard again, the polls bring the jobs."""
        names = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification, names)
            except ConnectorException:
                await asyncio.sleep(TRY_AGAIN)


class Lease(JobManager):
    """Does what procrastinate asks of its manager, and does not give up while the database is away.

    Attributes:
        stopping: set in the end, when nothing is worth waiting for any more.
        held_back: queues of which nothing is taken now.
    """

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self.stopping = False
        self.held_back: set[str] = set()
        self._held: set[int] = set()
        self._beaten_at = monotonic()
        self._is_away = False
        self._notify: NotificationCallback | None = None
        self._is_idle = False

    @property
    def silent_for(self) -> float:
        """Seconds since the database was last told that this worker lives."""
        return monotonic() - self._beaten_at

    @property
    def is_away(self) -> bool:
        """Whether the database did not answer the last time."""
        return self._is_away

    async def register_worker(self) -> int:
        """Begin a hold."""
        begun = monotonic()
        worker = await super().register_worker()
        self._held.clear()
        self._beaten_at = begun
        return worker

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen for jobs, and remember whom to tell that there may be one."""
        self._notify = on_notification
        await super().listen_for_jobs(on_notification=on_notification, queues=queues)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Say that this worker lives."""

        async def beat() -> None:
            begun = monotonic()
            await super(Lease, self).update_heartbeat(worker_id)
            self._beaten_at = begun

        await self._patiently(beat)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job."""
        is_first = True

        async def fetch() -> Job | None:
            nonlocal is_first
            if not is_first:
                await self._give_back(worker_id)
            is_first = False
            return await super(Lease, self).fetch_job(open_queues, worker_id)

        open_queues = None if queues is None else [name for name in queues if name not in self.held_back]
        job = await self._patiently(fetch)
        self._is_idle = job is None
        if job is not None and job.id is not None:
            self._held.add(job.id)
        return job

    async def _give_back(self, worker_id: int) -> None:
        """Give back what this worker was given by an answer that never came."""
        for job in await self.list_jobs_async(status=Status.DOING.value, worker_id=worker_id):
            if job.id not in self._held:
                await self.release(job)

    async def release(self, job: Job) -> None:
        """Let another worker have a job that nobody works on."""
        try:
            await super().retry_job(job, datetime.fromtimestamp(0, tz=UTC))
        except UniqueViolation:  # the same was queued anew meanwhile
            await self._end(job)
        except ConnectorException as error:
            if is_outage(error):
                raise
            log.debug("job %s has another holder already: %s", job.id, error.__cause__)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put a job back for later."""

        async def put_back() -> None:
            try:
                await super(Lease, self).retry_job(job, retry_at, priority, queue, lock)
            except UniqueViolation:
                await self._end(job)

        await self._let_go(job, put_back)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job."""
        await self._let_go(job, lambda: super(Lease, self).finish_job(job, status, delete_job))

    async def _end(self, job: Job) -> None:
        await super().finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def _let_go(self, job: Job, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._patiently(call)
        except ConnectorException as error:
            # Either its holder is another by now, or an earlier try did it and only the reply was lost.
            level = logging.WARNING if is_outage(error) else logging.DEBUG
            log.log(level, "job %s could not be ended: %s", job.id, error.__cause__)
        if job.id is not None:
            self._held.discard(job.id)
        if self._is_idle:
            await self.look_again()  # what waited for the lock of this job can be taken now, and nobody else says so

    async def look_again(self) -> None:
        """Have the worker look for jobs now."""
        if self._notify is not None:
            await self._notify(channel="", notification={"type": "job_inserted", "job_id": 0})

    async def defer_periodic_job(self, job: Job, periodic_id: str, defer_timestamp: int) -> int | None:
        """Queue what is done once at an instant, whoever else tries."""
        return await self._patiently(lambda: super(Lease, self).defer_periodic_job(job, periodic_id, defer_timestamp))

    async def _patiently(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat what the database did not answer; every call here may be made twice."""
        while True:
            try:
                result = await call()
            except ConnectorException as error:
                if self.stopping or not is_outage(error):
                    raise
                self._say(error)
                await asyncio.sleep(TRY_AGAIN)
            else:
                self._say(None)
                return result

    def _say(self, error: ConnectorException | None) -> None:
        """Say once that the queue is away, and once that it is back."""
        if error is not None and not self._is_away:
            log.warning("the job queue cannot be reached (%s); trying again every second", first_line(error))
        elif error is None and self._is_away:
            log.info("the job queue can be reached again")
        self._is_away = error is not None


def is_outage(error: ConnectorException) -> bool:
    """Whether the database was away, rather than saying no."""
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError)


def first_line(error: ConnectorException) -> str:
    """Return what the database or the network said, as one line."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error.__cause__).__name__
