"""What goes on behind an acknowledgement: tasks that are given a moment in the end, then dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from core.errors import PaperboyError

log = logging.getLogger(__name__)

CLOSE_SECONDS = 3.0
HANDED_ON_AT_ONCE = 4


def make_turns() -> asyncio.Semaphore:
    """Make the turns in which what is acknowledged is handed on.

    Of fifty commands that come together the last would be acknowledged behind a bit of work for each of the others; a
    few turns leave the loop to the acknowledgements, and keep one slow workspace from holding up the rest.
    """
    return asyncio.Semaphore(HANDED_ON_AT_ONCE)


def look_after(*works: Coroutine[Any, Any, None]) -> asyncio.Future[list[BaseException | None]]:
    """Begin what goes on until it is cancelled; one that breaks is told in the log, and the others go on."""

    def tell(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Slack: something that should go on has ended", exc_info=error)

    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(tell)
    return asyncio.gather(*tasks, return_exceptions=True)  # so that cancelling it cancels those that go on


class Tasks:
    """Tasks under way."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it without keeping anybody waiting."""
        task = asyncio.create_task(self._watched(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except PaperboyError as failure:
            log.error("Slack: something could not be done: %s", failure)
        except Exception:
            # The edge of the program: nobody waits for the task, so what broke is told here or nowhere.
            log.exception("Slack: something could not be done")

    async def close(self) -> None:
        """Give them a moment, then drop them."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
