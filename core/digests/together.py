"""What several ask of the library in one moment is read in one go: the way there costs a third of choosing a digest."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from core.asker import Asker

T = TypeVar("T")
Question: TypeAlias = Callable[[sqlite3.Connection], T]

MOST_TOGETHER = 16
"""So many digests take about 7 ms: whoever searches meanwhile waits no longer than that for a reader to be free."""


class Library(Protocol):
    """What is asked."""

    async def read(self, ask: Question[T]) -> T:
        """Run a function on one state of it, in a thread."""


class Together:
    """Those who ask one library at the same time; they are answered in the order in which they asked.

    Args:
        library: is read by one thread at a time on their behalf, so that its other readers are free.
        most: so many are answered in one go.
    """

    def __init__(self, library: Library, most: int = MOST_TOGETHER) -> None:
        self._library = library
        self._most = most
        self._waiting: deque[Asker[Question[Any], Any]] = deque()
        self._answering: asyncio.Task[None] | None = None

    async def read(self, question: Question[T]) -> T:
        """Run a function on one state of the library; it may run twice. Its error is nobody else's."""
        asked: Asker[Question[T], T] = Asker(question)
        self._waiting.append(asked)
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer_waiting())
        return await asked.answer

    async def _answer_waiting(self) -> None:
        try:
            while self._waiting:
                count = min(self._most, len(self._waiting))
                some = [self._waiting.popleft() for _ in range(count)]
                await self._answer([asked for asked in some if not asked.answer.done()])  # some gave up
        finally:
            self._answering = None
            while self._waiting:  # it was cancelled
                self._waiting.popleft().answer.cancel()

    async def _answer(self, several: Sequence[Asker[Question[Any], Any]]) -> None:
        try:
            found = await self._library.read(lambda connection: [asked.question(connection) for asked in several])
        except Exception as error:  # noqa: BLE001 - it is theirs who asked, whatever it is
            if len(several) == 1:
                several[0].fail(error)
            else:  # of several nobody knows whose it is
                for asked in several:
                    await self._answer([asked])
        else:
            for asked, answer in zip(several, found, strict=True):
                asked.settle(answer)
        finally:
            for asked in several:
                asked.answer.cancel()  # nothing, unless this was cancelled
