"""When the day's batch is in: by what was listed and for whom, never by the clock, never by a straggler."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.worlds import MONDAY, make_record, open_world, titles

AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)


def batch(day, count, *, begin, **fields):
    return [make_record(f"2611.{begin + n:05}", f"Grokking Part {begin + n}", day=day, **fields) for n in range(count)]


@pytest.fixture
async def world(tmp_path):
    """A place that was sent Monday's digest of 40 papers, and waits for Tuesday's batch."""
    async with open_world(tmp_path, batch(MONDAY.date(), 40, begin=100)) as opened:
        await subscribe(opened, "grokking when ready in UTC daily top 25")
        await opened.tick(AT_EIGHT)
        await opened.tick(TUESDAY)
        assert len(opened.posted()) == 1
        yield opened


async def subscribe(world, text, **fields):
    """Subscribe as of the Sunday before, since a day's midnight has to come for its digest to wait for its batch."""
    world.now, then = MONDAY - timedelta(days=1), world.now
    await world.ask(f"subscribe {text}", **fields)
    world.now = then


async def come(world, *records):
    """Let papers come in, and the next minute strike."""
    await world.learn(*records)
    return await world.tick(world.now + timedelta(minutes=1))


async def test_a_batch_is_delivered_in_the_minute_after_it_came(world):
    assert await come(world, *batch(TUESDAY.date(), 30, begin=200)) == 1
    assert len(titles(world.posted()[1])) == 25


async def test_what_comes_in_afterwards_for_an_old_day_is_no_batch_and_is_shown_with_the_next_one(world):
    assert await come(world, *batch(MONDAY.date(), 9, begin=200)) == 0
    assert await come(world, *batch(TUESDAY.date(), 10, begin=300)) == 1
    assert len(titles(world.posted()[1])) == 19


async def test_one_paper_ahead_of_its_day_is_no_batch(world):
    assert await come(world, *batch(TUESDAY.date(), 1, begin=200)) == 0
    assert await come(world, *batch(TUESDAY.date(), 3, begin=300)) == 1


async def test_another_sources_list_is_no_batch_of_arxiv(world):
    assert await come(world, *batch(TUESDAY.date(), 30, begin=200, source="huggingface")) == 0


async def test_where_arxiv_is_off_the_others_batch_counts(tmp_path):
    listed = batch(MONDAY.date(), 5, begin=100, source="huggingface")
    async with open_world(tmp_path, listed, arxiv={"enabled": False}) as world:
        await subscribe(world, "grokking when ready in UTC daily")
        await world.tick(AT_EIGHT)
        assert await world.tick(TUESDAY) == 0
        assert await come(world, *batch(TUESDAY.date(), 5, begin=200, source="huggingface")) == 1


async def test_a_batch_is_recognised_for_the_categories_that_are_asked_for(world):
    await subscribe(world, "cat:math.* when ready in UTC daily", place="fake:C2")
    await world.learn(*batch(MONDAY.date(), 4, begin=500, categories=("math.NT",)))
    assert await world.tick(world.now + timedelta(minutes=1)) == 1, "a first digest waits for nothing"
    assert await come(world, *batch(TUESDAY.date(), 30, begin=600)) == 1, "for the other place alone"
    assert await come(world, *batch(TUESDAY.date(), 2, begin=700, categories=("math.CO",))) == 0, "its day was sent"
    wednesday = TUESDAY + timedelta(days=1)
    assert await world.tick(wednesday.replace(hour=0)) == 1, "what came too late for Tuesday is Wednesday's"


async def test_days_without_a_batch_are_silent_and_the_next_digest_says_what_it_covers(world):
    thursday = TUESDAY + timedelta(days=2)
    assert await world.tick(thursday) == 0
    assert await come(world, *batch(thursday.date(), 30, begin=200)) == 1
    (note,) = [line[0].text for line in world.posted()[1].closing if "covers" in line[0].text]
    assert note == "This covers everything since Monday 23 November 2026, when the last digest was sent."
