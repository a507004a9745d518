"""Those whose questions are put together with others', and who wait for their own answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Asker(Generic[Q, A]):
    """One who waits; to be made in the loop that answers.

    Attributes:
        question: what is asked.
        answer: to be awaited; who gives up has cancelled it.
    """

    question: Q
    answer: asyncio.Future[A] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, found: A) -> None:
        """Give the answer, unless there is one or nobody waits for it any more."""
        if not self.answer.done():
            self.answer.set_result(found)

    def fail(self, error: Exception) -> None:
        """Give an error instead, under the same condition."""
        if not self.answer.done():
            self.answer.set_exception(error)
