"""Those who ask the library in one moment are answered in one go, and each as if alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digests.together import Together


class Shelf:
    """A library that remembers how many were answered in each go, and which is only reached when it is let be."""

    def __init__(self):
        self.goes = []
        self.open = asyncio.Event()
        self.open.set()
        self.reading = 0

    async def read(self, ask):
        assert not self.reading, "by one thread at a time"
        self.reading += 1
        try:
            await self.open.wait()
            self.goes.append(0)
            return ask(self)
        finally:
            self.reading -= 1

    def answer(self, question):
        self.goes[-1] += 1
        if question < 0:
            raise ValueError(question)
        return 10 * question


async def ask(together, *questions):
    several = (together.read(lambda shelf, question=question: shelf.answer(question)) for question in questions)
    return await asyncio.gather(*several, return_exceptions=True)


async def four_asking_a_closed_shelf():
    shelf = Shelf()
    shelf.open.clear()
    together = Together(shelf, most=2)
    asking = [asyncio.create_task(together.read(lambda shelf, n=n: shelf.answer(n))) for n in range(4)]
    await asyncio.sleep(0)
    return shelf, together, asking


async def test_those_who_ask_in_one_moment_are_answered_in_one_go():
    shelf = Shelf()
    assert await ask(Together(shelf), 1, 2, 3) == [10, 20, 30]
    assert shelf.goes == [3]


async def test_no_go_takes_longer_than_so_many_questions():
    shelf = Shelf()
    assert await ask(Together(shelf, most=4), *range(10)) == [10 * number for number in range(10)]
    assert shelf.goes == [4, 4, 2]


async def test_who_asks_later_is_answered_later():
    shelf = Shelf()
    together = Together(shelf)
    assert [await ask(together, number) for number in (1, 2)] == [[10], [20]]
    assert shelf.goes == [1, 1]


@given(st.lists(st.integers(-2, 9), max_size=12), st.integers(1, 5))
def test_an_error_is_theirs_who_asked_for_it_and_nobody_elses(questions, most):
    answers = asyncio.run(_told(questions, most))
    assert answers == [str(question) if question < 0 else 10 * question for question in questions]


async def _told(questions, most):
    answers = await ask(Together(Shelf(), most), *questions)
    return [str(answer) if isinstance(answer, ValueError) else answer for answer in answers]


async def test_who_gives_up_keeps_nobody_from_an_answer():
    shelf, together, asking = await four_asking_a_closed_shelf()
    asking[0].cancel()
    asking[3].cancel()
    await asyncio.sleep(0)
    shelf.open.set()
    assert await asyncio.gather(asking[1], asking[2]) == [10, 20]
    assert asking[0].cancelled()
    assert asking[3].cancelled()
    assert await ask(together, 5) == [50]


async def test_nobody_waits_for_an_answer_that_cannot_come_any_more():
    shelf, together, asking = await four_asking_a_closed_shelf()
    answering = asyncio.all_tasks() - {*asking, asyncio.current_task()}
    await asyncio.sleep(0)
    for task in answering:
        task.cancel()
    for task in asking:
        with pytest.raises(asyncio.CancelledError):
            await task
    shelf.open.set()
    assert await ask(together, 5) == [50]
