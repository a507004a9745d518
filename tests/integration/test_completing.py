"""Papers that a list named without categories are asked for once, and then `cat:` finds them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.papers.completing import AT_ONCE, note_completion, plan_completion
from core.search.query import parse
from tests.worlds import MONDAY, make_record, open_world


def listed(identifier, **fields):
    return make_record(identifier, f"Paper {identifier}", **{"source": "huggingface", "categories": (), **fields})


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path) as opened:
        yield opened


async def test_only_listed_arxiv_papers_without_categories_are_asked_for(world):
    await world.learn(
        listed("2611.00001"),
        listed("2611.00002", categories=("cs.LG",)),
        listed("2611.00003", day=None),
        listed("2611.00004", day=(MONDAY - timedelta(days=30)).date()),
        listed("doi:10.1/x"),
        listed("2611.00005", withdrawn=True),
    )
    assert (await plan_completion(world.house.library, MONDAY)).ids == ("2611.00001",)


async def test_what_was_asked_is_not_asked_again_this_week(world):
    library = world.house.library
    await world.learn(listed("2611.00001"))
    await note_completion(library, await plan_completion(library, MONDAY), MONDAY)
    assert await plan_completion(library, MONDAY) is None
    await world.learn(listed("2611.00002"))
    assert (await plan_completion(library, MONDAY)).ids == ("2611.00002",)


async def test_the_memory_of_what_was_asked_does_not_grow_for_ever(world):
    library = world.house.library
    for week in range(5):
        now = MONDAY + timedelta(days=8 * week)
        world.now = now
        await world.learn(listed(f"2611.1000{week}", day=now.date()))
        await note_completion(library, await plan_completion(library, now), now)
    assert (await library.fact("asked_for_categories")).count("2611") == 1


async def test_one_request_asks_for_a_bounded_number(world):
    await world.learn(*(listed(f"2611.{number:05}") for number in range(AT_ONCE + 50)))
    assert len((await plan_completion(world.house.library, MONDAY)).ids) == AT_ONCE


async def test_an_answer_makes_the_category_found(world):
    await world.learn(listed("2611.00001"))
    found = await world.house.newsroom.engine.search(parse("cat:math.CO"), limit=5)
    assert found.total == 0
    await world.learn(make_record("2611.00001", "Paper 2611.00001", day=None, categories=("math.CO",)))
    found = await world.house.newsroom.engine.search(parse("cat:math.CO"), limit=5)
    assert [hit.paper.id for hit in found.hits] == ["2611.00001"]
    assert await plan_completion(world.house.library, MONDAY) is None
