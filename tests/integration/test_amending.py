"""A source that was down at digest time and comes back: the same message is completed, no second one is posted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.delivery.amending import amend_deliveries
from core.errors import DeliveryError, DeliveryFailure
from core.papers.plan import SourceState, keep_state
from tests.fake_platform import FakePlatform
from tests.worlds import MONDAY, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
TEN = AT_EIGHT + timedelta(hours=2)
FAILING = SourceState("huggingface", failing_since=MONDAY, reason="has answered 503", retry_at=TEN)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, [make_record("2611.00001", "Grokking in Small Transformers")]) as opened:
        await keep_state(opened.house.library, FAILING)
        yield opened


async def come_back(world, *records):
    await keep_state(world.house.library, SourceState("huggingface", ok_at=TEN))
    await world.learn(*records)


async def amend(world, now=TEN):
    world.now = now
    house = world.house
    return await amend_deliveries(house.newsroom, house.store, {"fake": world.platform}, now)


LATE_PAPER = make_record("2611.00009", "Grokking, Voted for", source="huggingface")


async def test_the_digest_says_what_it_lacks_and_is_completed_in_place(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    assert "Hugging Face has answered 503 since 07:00, next try 10:00." in words(world.posted()[0])
    await come_back(world, LATE_PAPER)
    assert await amend(world) == 1
    (message,) = world.posted()
    assert titles(message) == ["Grokking in Small Transformers", "Grokking, Voted for"]
    assert "Hugging Face answered again; this was completed at 10:00." in words(message)
    assert "503" not in words(message)
    assert await amend(world, TEN + timedelta(minutes=1)) == 0


async def test_a_silence_that_a_source_caused_becomes_a_digest(world):
    await world.ask('subscribe "voted for" in UTC daily')
    await world.tick(AT_EIGHT)
    assert world.posted()[0].cards == ()
    await come_back(world, LATE_PAPER)
    assert await amend(world) == 1
    assert titles(world.posted()[0]) == ["Grokking, Voted for"]
    delivery = await world.house.store.delivery("s1", AT_EIGHT.date())
    assert [shown.paper for shown in delivery.shown] == ["2611.00009"]
    assert delivery.silence == ""


async def test_a_digest_keeps_its_size(world):
    await world.ask("subscribe grokking in UTC daily top 1")
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    assert await amend(world) == 0
    assert titles(world.posted()[0]) == ["Grokking in Small Transformers"]


async def test_tomorrow_does_not_repeat_what_was_added(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    await amend(world)
    await world.tick(AT_EIGHT + timedelta(days=1))
    assert "Grokking, Voted for" not in titles(world.posted()[1])


async def test_while_the_source_is_down_nothing_is_touched(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    await world.learn(LATE_PAPER)
    assert await amend(world) == 0
    assert world.platform.edited == 0


async def test_an_edit_that_fails_is_tried_again(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    world.platform.edit_failures = [DeliveryError(DeliveryFailure.RETRY, "503")]
    assert await amend(world) == 0
    assert await amend(world, TEN + timedelta(minutes=30)) == 1


async def test_after_eight_hours_the_next_digest_is_soon_enough(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    assert await amend(world, AT_EIGHT + timedelta(hours=8, minutes=1)) == 0
    await world.tick(AT_EIGHT + timedelta(days=1))
    assert titles(world.posted()[1]) == ["Grokking, Voted for"]


async def test_a_quiet_silence_was_never_posted_and_stays_so(world):
    await world.ask('subscribe "voted for" in UTC daily quiet')
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    assert await amend(world) == 0
    assert world.posted() == []


async def test_what_is_added_to_one_digest_is_not_in_another_that_falls_due_meanwhile(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.ask('subscribe "voted for" at 10:00 in UTC daily')
    await world.tick(AT_EIGHT)
    await come_back(world, LATE_PAPER)
    editing, proceed = asyncio.Event(), asyncio.Event()
    edit = world.platform.edit

    class Slow(FakePlatform):
        async def edit(self, *arguments, **named):
            editing.set()
            await proceed.wait()
            return await edit(*arguments, **named)

    world.now = TEN
    house = world.house
    amending = asyncio.create_task(amend_deliveries(house.newsroom, house.store, {"fake": Slow()}, TEN))
    await editing.wait()
    assert await world.tick(TEN) == 0
    proceed.set()
    assert await amending == 1
    assert await world.tick(TEN) == 1
    first, second = world.posted()
    assert "Grokking, Voted for" in titles(first)
    assert titles(second) == []
    assert "this place has seen it before" in words(second)
