"""What the page reads: the library, or the bundled sample while nothing real could be fetched."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from bots.house import House, open_sample
from core.chat.newsroom import Newsroom
from core.clock import zone_of

T = TypeVar("T")
KEPT = 128
KEPT_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What can be read right now.

    Attributes:
        newsroom: composes, searches, looks up.
        sample: it holds the bundled sample alone, and all that comes of it is marked SAMPLE.
        waiting: it holds nothing, for the first papers are still being fetched.
    """

    newsroom: Newsroom
    sample: bool = False
    waiting: bool = False


async def _always() -> bool:
    return True


class ReadingRoom:
    """Opens the right shelf, and keeps what took long to make.

    Args:
        house: the real library.
        tried: whether fetching was tried; until then, an empty library is no failure.
        edition: changes when new papers may be there.
    """

    def __init__(
        self,
        house: House,
        *,
        tried: Callable[[], Awaitable[bool]] = _always,
        edition: Callable[[], Hashable] = lambda: 0,
    ) -> None:
        self._house = house
        self._tried = tried
        self._edition = edition
        self._filled = False
        self._sample: Newsroom | None = None
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, datetime, asyncio.Task[Any]]] = OrderedDict()

    async def shelf(self) -> Shelf:
        """Return what can be read right now.

        Raises:
            PaperboyError: the library cannot be read.
        """
        if self._filled or await self._house.library.read(_holds_papers):
            self._filled = True
            return Shelf(self._house.newsroom)
        if not await self._tried():
            return Shelf(self._house.newsroom, waiting=True)
        async with self._opening:
            if self._sample is None:
                house = self._house
                self._sample = await self._stack.enter_async_context(
                    open_sample(house.settings, house.store, house.clock)
                )
        return Shelf(self._sample, sample=True)

    @property
    def today(self) -> date:
        """The day it is where the page's readers are, by setting."""
        return self._house.clock().astimezone(zone_of(self._house.settings.digest.timezone)).date()

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]], *, kept_for: timedelta = KEPT_FOR) -> T:
        """Return what was made for a key; made anew by the day, by the edition, and after a time."""
        now, state = self._house.clock(), (self.today, self._edition(), self._filled)
        found = self._kept.get(key)
        if found is None or found[0] != state or not now - kept_for < found[1] <= now or _failed(found[2]):
            found = (state, now, asyncio.ensure_future(make()))
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        made: T = await asyncio.shield(found[2])
        return made

    async def close(self) -> None:
        """Let go of the sample."""
        for _, _, task in self._kept.values():
            task.cancel()
        await asyncio.gather(*(task for _, _, task in self._kept.values()), return_exceptions=True)
        await self._stack.aclose()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _holds_papers(connection: sqlite3.Connection) -> bool:
    (found,) = connection.execute("SELECT EXISTS (SELECT 1 FROM papers WHERE NOT withdrawn)").fetchone()
    return bool(found)
