"""`/papers why`: for every fate of a paper one line, true and with what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import make_change
from tests.worlds import MONDAY, PLACE, make_record, open_world, upvotes, words

AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)
VOTED = [
    make_record(
        f"2611.0000{number}", f"Grokking Part {number}", source="huggingface", signals=upvotes(100 - 20 * number)
    )
    for number in range(1, 5)
]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, VOTED) as opened:
        yield opened


async def subscribe(world, text, **fields):
    await world.ask(f"subscribe {text} in UTC daily at 08:00", **fields)


async def test_what_was_delivered_is_told_with_the_link_to_its_message(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    message = await world.ask("why 2611.00001")
    (line,) = [line for line in message.lines if "delivered" in words(replace(message, lines=(line,)))]
    assert (line[-1].text, line[-1].url) == ("the message", "https://example.org/1")


async def test_what_fell_below_the_cut_is_told_with_its_rank_and_by_how_much(world):
    await subscribe(world, "grokking top 2")
    await world.tick(AT_EIGHT)
    told = words(await world.ask("why 2611.00004"))
    assert "others ranked above it in the digest of Mon 23 Nov 2026 (top 2): rank 4 of 4 with a score of " in told
    scores = [item.ranked.score for item in await _ranking(world)]
    assert f"{scores[3]:.2f}, {scores[1] - scores[3]:.2f} below the last one shown" in told


async def _ranking(world):
    (subscription,) = await world.house.store.subscriptions()
    delivery = await world.house.store.delivery(subscription.id, AT_EIGHT.date())
    return await world.house.newsroom.ranking_for(subscription, delivery, world.now)


async def test_the_digest_that_left_it_out_is_named_and_not_a_later_one(world):
    await subscribe(world, "grokking top 2")
    await world.tick(AT_EIGHT)
    world.now = TUESDAY - timedelta(hours=1)
    await world.learn(make_record("2611.00009", "Grokking Again", day=TUESDAY.date()))
    await world.tick(TUESDAY)
    told = words(await world.ask("why 2611.00004"))
    assert "in the digest of Mon 23 Nov 2026" in told
    assert "rank 4 of 4" in told, "what came in later was no rival of it"


async def test_votes_that_came_afterwards_are_not_taken_for_those_of_the_morning(world):
    await subscribe(world, "grokking top 2")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=5)
    await world.learn(replace(VOTED[3], signals=upvotes(900, world.now)))
    assert "by today's votes and marks it would be in" in words(await world.ask("why 2611.00004"))


async def test_what_another_subscription_of_the_place_was_shown_is_not_said_to_be_missing(world):
    await subscribe(world, "grokking")
    await subscribe(world, "part")
    await world.tick(AT_EIGHT)
    told = words(await world.ask("why 2611.00001"))
    assert "#2 part: words: part, but this place was shown it already" in told
    assert "this place was shown it already, on Mon 23 Nov 2026: the message" in told


async def test_a_term_that_shuts_it_out_is_named(world):
    await subscribe(world, "grokking -part")
    await world.tick(AT_EIGHT)
    assert "excluded by -part" in words(await world.ask("why 2611.00001"))


async def test_what_nobody_can_know_is_told_as_unknown(world):
    await subscribe(world, "grokking top 1")
    world.platform.lose_reply_after, world.platform.blind = 1, True
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + timedelta(minutes=1))
    told = words(await world.ask("why 2611.00001"))
    assert "chosen for Mon 23 Nov 2026, and not known whether it arrived, and not sent again for that reason" in told


async def test_a_digest_that_could_not_be_delivered_says_why(world):
    await subscribe(world, "grokking")
    world.platform.failures = [DeliveryError(DeliveryFailure.REJECTED, "The message is refused.")]
    await world.tick(AT_EIGHT)
    assert "the digest could not be delivered (The message is refused)" in words(await world.ask("why 2611.00001"))


async def test_a_paused_subscription_is_waited_for(world):
    await subscribe(world, "grokking")
    await world.ask("pause 1")
    assert "and waits, since the subscription is paused (by request)" in words(await world.ask("why 2611.00001"))


async def test_what_was_listed_before_the_first_digest_could_cover_it_says_so(world):
    store = world.house.store
    await subscribe(world, "grokking")
    (subscription,) = await store.subscriptions(PLACE)
    begun = replace(subscription, created_at=TUESDAY, active_from=TUESDAY)
    await store.replace_subscription(begun, make_change("begun later"))
    world.now = TUESDAY
    await world.learn(make_record("2611.00009", "Grokking Again", day=TUESDAY.date(), source="huggingface"))
    await world.tick(TUESDAY)
    told = words(await world.ask("why 2611.00001"))
    assert "it was listed before what the digest of Tue 24 Nov 2026 covers" in told
