"""Every sentence of a quiet or broken day, as docs/delivery.md has it, made by what really happens on such a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.delivery.amending import amend_deliveries
from core.delivery.recovery import Recovery
from core.errors import DeliveryError, DeliveryFailure
from core.papers.plan import SourceState, keep_state
from tests.fakes import make_change
from tests.worlds import MONDAY, PLACE, make_record, open_world, words

DOCUMENT = Path(__file__).parents[2] / "docs" / "delivery.md"
AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)
PAPERS = (make_record("2611.00001", "Grokking in Small Transformers"), make_record("2611.00002", "Kernel Methods"))
ARCHIVED = "The Slack channel is archived; unarchive it, or subscribe in another one."
Scene = Callable[..., Awaitable[str]]
SCENES: dict[str, Scene] = {}


def says(sentence: str) -> Callable[[Scene], Scene]:
    """Say which sentence a scene leads to; the document has it word by word."""

    def keep(scene: Scene) -> Scene:
        SCENES[sentence] = scene
        return scene

    return keep


async def subscribe(world, text="grokking", when="at 08:00"):
    await world.ask(f"subscribe {text} in UTC daily {when}")


async def fail(world, **fields):
    state = {"source": "arxiv", "failing_since": MONDAY, "reason": "has answered 429"}
    await keep_state(world.house.library, SourceState(**{**state, **fields}))


def last_digest(world):
    return words(world.posted()[-1])


@says('Papers for "quantum chromodynamics", Monday 23 November 2026: 2 new, none matched.')
async def nothing_matched(world):
    await subscribe(world, '"quantum chromodynamics"')
    await world.tick(AT_EIGHT)
    return last_digest(world)


@says(
    "Papers for kernel quantum thermodynamics, Monday 23 November 2026: 2 new, none matched (nearest: Kernel Methods)."
)
async def something_came_near(world):
    await subscribe(world, "kernel quantum thermodynamics")
    await world.tick(AT_EIGHT)
    return last_digest(world)


@says("Papers for grokking, Monday 23 November 2026: 2 new, 1 matched, and this place has seen it before.")
async def everything_was_seen(world):
    await subscribe(world, "transformers")
    await subscribe(world)
    await world.tick(AT_EIGHT)
    return last_digest(world)


@says("Papers for grokking, Tuesday 24 November 2026: no new papers since the last digest.")
async def nothing_is_new(world):
    await subscribe(world)
    await world.tick(AT_EIGHT)
    await world.tick(TUESDAY)
    return last_digest(world)


@says(
    "Papers for grokking, Saturday 28 November 2026: no new papers; "
    "no announcement on arXiv today because it announces nothing on Fridays and Saturdays."
)
async def it_is_the_weekend(world):
    await subscribe(world)
    for day in range(6):
        await world.tick(AT_EIGHT + timedelta(days=day))
    return last_digest(world)


@says(
    "Papers for grokking, Friday 27 November 2026: no new papers; no announcement on arXiv today because it was closed "
    "on Thursday 2026-11-26 (Thanksgiving)."
)
async def arxiv_was_closed(world):
    await subscribe(world)
    for day in range(5):
        await world.tick(AT_EIGHT + timedelta(days=day))
    return last_digest(world)


@says(
    "Papers for grokking, Wednesday 25 November 2026: no new papers; no announcement on arXiv today because the day's "
    "batch is not out yet (expected by 06:00)."
)
async def the_batch_is_not_out_yet(world):
    await subscribe(world, when="at 05:30")
    await world.tick(TUESDAY.replace(hour=5, minute=30))
    await world.tick(TUESDAY.replace(hour=5, minute=30) + timedelta(days=1))
    return last_digest(world)


@says(
    "Papers for grokking, Tuesday 24 November 2026: no new papers; arXiv has answered 429 since 06:10, next try 08:40."
)
async def a_source_does_not_answer(world):
    await subscribe(world)
    await world.tick(AT_EIGHT)
    await fail(world, failing_since=TUESDAY.replace(hour=6, minute=10), retry_at=TUESDAY.replace(minute=40))
    await world.tick(TUESDAY)
    return last_digest(world)


@says("arXiv has answered 429 since Mon 23 Nov 07:00.")
async def a_source_has_not_answered_since_yesterday(world):
    await subscribe(world)
    await fail(world)
    await world.tick(TUESDAY)
    return last_digest(world)


@says("This covers everything since Monday 23 November 2026, when the last digest was sent.")
async def paperboy_was_away(world):
    await subscribe(world)
    await world.tick(AT_EIGHT)
    await world.learn(make_record("2611.00009", "Grokking Again", day=TUESDAY.date()))
    await world.tick(AT_EIGHT + timedelta(days=3))
    return last_digest(world)


@says("Late: this was due Mon 23 Nov 08:00. What held it up: paperboy was not running then.")
async def paperboy_was_late(world):
    await subscribe(world)
    await world.tick(AT_EIGHT + timedelta(hours=2))
    return last_digest(world)


@says("Late: this was due Mon 23 Nov 08:00. What held it up: Slack cannot be reached.")
async def the_platform_was_away(world):
    await subscribe(world)
    world.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "Slack cannot be reached.")]
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + timedelta(minutes=11))
    return last_digest(world)


@says("Hugging Face answered again; this was completed at 10:00.")
async def a_source_came_back(world):
    await subscribe(world)
    await fail(world, source="huggingface")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=2)
    await keep_state(world.house.library, SourceState("huggingface", ok_at=world.now))
    await world.learn(make_record("2611.00009", "Grokking, Voted for", source="huggingface"))
    await amend_deliveries(world.house.newsroom, world.house.store, {"fake": world.platform}, world.now)
    return last_digest(world)


@says(
    "Papers for like:2101.99999, Monday 23 November 2026: these interests cannot be read (like: the library does not "
    "hold 2101.99999); /papers edit 1 INTERESTS mends it."
)
async def interests_cannot_be_read(world):
    await subscribe(world)
    kept = await world.house.store.subscription("s1")
    await world.house.store.replace_subscription(replace(kept, interests="like:2101.99999"), make_change())
    await world.tick(AT_EIGHT)
    return last_digest(world)


async def lose_the_channel(world):
    await subscribe(world)
    world.platform.unreachable[PLACE] = ARCHIVED
    await world.tick(AT_EIGHT)
    recovery = Recovery(store=world.house.store, newsroom=world.house.newsroom, platforms={"fake": world.platform})
    await recovery.round(AT_EIGHT)


@says(f"The digest #1 about grokking cannot be delivered: {ARCHIVED}")
async def the_channel_is_archived(world):
    await lose_the_channel(world)
    return words(world.posted()[-1])


@says("It is paused and kept, and goes on by itself when that is mended.")
async def it_goes_on_by_itself(world):
    await lose_the_channel(world)
    return words(world.posted()[-1])


@says(f"paused: {ARCHIVED}")
async def the_list_tells_too(world):
    await lose_the_channel(world)
    return words(await world.ask("list"))


@says(
    "but the digest could not be delivered (The Slack channel is archived; unarchive it, or subscribe in another one)"
)
async def why_tells_of_a_dead_digest(world):
    await lose_the_channel(world)
    return words(await world.ask("why 2611.00001"))


@says("not known whether it arrived, and not sent again for that reason (the connection broke)")
async def nobody_can_know(world):
    await subscribe(world)
    world.platform.lose_reply_after, world.platform.blind = 1, True
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + timedelta(minutes=1))
    return words(await world.ask("why 2611.00001"))


@pytest.mark.parametrize("sentence", SCENES)
async def test_what_the_document_promises_is_what_a_reader_reads(tmp_path, sentence):
    async with open_world(tmp_path, PAPERS) as world:
        said = await SCENES[sentence](world)
    assert sentence in said
    assert sentence in " ".join(DOCUMENT.read_text(encoding="utf-8").split())


def test_the_document_has_no_sentence_that_no_day_leads_to():
    table = DOCUMENT.read_text(encoding="utf-8").partition("## What a reader reads")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    unknown = [row for row in rows if not any(sentence in row for sentence in SCENES)]
    assert unknown == []
    assert len(rows) == len(SCENES)
