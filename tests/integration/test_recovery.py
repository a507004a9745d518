"""A place that cannot be posted to: who is told, how often, and how it goes on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from core.delivery.recovery import PROBE_LAST, Recovery
from core.digests.subscription import Pause
from core.errors import DeliveryError, DeliveryFailure
from core.store import State
from tests.fakes import make_change
from tests.worlds import ALICE, MONDAY, PLACE, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
GONE = "The channel is archived."
PAPERS = [make_record("2611.00001", "Grokking in Small Transformers")]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS) as opened:
        opened.recovery = Recovery(
            store=opened.house.store, newsroom=opened.house.newsroom, platforms={"fake": opened.platform}
        )
        await opened.ask("subscribe grokking in UTC daily")
        yield opened


async def fail(world, why=GONE):
    world.platform.unreachable[PLACE] = why
    await world.tick(AT_EIGHT)


def told(world):
    return [(post.address, words(post.message)) for post in world.platform.posts if post.key.endswith("/paused")]


async def only(world):
    (subscription,) = await world.house.store.subscriptions()
    return subscription


async def test_whoever_made_it_is_told_once_with_the_reason(world):
    await fail(world)
    for minute in range(300):
        await world.recovery.round(AT_EIGHT + timedelta(minutes=minute))
    ((address, said),) = told(world)
    assert address == ALICE
    assert "The digest #1 about grokking cannot be delivered: The channel is archived." in said
    assert "goes on by itself" in said
    assert (await only(world)).pause.reason == GONE


async def test_another_reason_on_the_same_day_is_news_under_a_name_of_its_own(world):
    await fail(world)
    await world.recovery.round(AT_EIGHT)
    paused = await only(world)
    other = replace(paused, pause=Pause("The token is not accepted.", AT_EIGHT, by_hand=False))
    await world.house.store.replace_subscription(other, make_change("paused"))
    await world.recovery.round(AT_EIGHT + timedelta(minutes=20))
    assert len(told(world)) == 2
    keys = [post.key for post in world.platform.posts if post.key.endswith("/paused")]
    assert len(set(keys)) == 2


async def test_a_mistake_of_ours_at_one_place_keeps_no_other_from_being_looked_after(world, caplog):
    store = world.house.store
    other = replace(await only(world), id="other1", number=2, address="fake:C2", created_by="fake:bob")
    await store.add_subscription(other, make_change("subscribed", other.address))
    world.platform.unreachable[other.address] = GONE
    await fail(world)
    assert [item.pause.reason for item in await store.subscriptions()] == [GONE, GONE]
    world.platform.failures = [RuntimeError("a mistake of our own")]
    await world.recovery.round(AT_EIGHT)
    assert len(told(world)) == 1
    assert "could not be looked after" in caplog.text


async def test_when_that_person_has_left_those_who_run_the_place_are_told(world):
    world.platform.unreachable[ALICE] = "This person has left."
    world.platform.run_by[PLACE] = ["fake:owner", "fake:admin"]
    await fail(world)
    await world.recovery.round(AT_EIGHT)
    assert [address for address, _ in told(world)] == ["fake:owner"]


async def test_when_nobody_else_is_left_the_place_itself_is_tried_and_silence_is_no_failure(world):
    world.platform.unreachable[ALICE] = "This person has left."
    await fail(world)
    assert await world.recovery.round(AT_EIGHT) == 0
    assert told(world) == []


async def test_a_subscription_from_the_shell_is_told_to_those_who_run_the_place(world):
    store = world.house.store
    kept = await only(world)
    world.platform.run_by[PLACE] = ["fake:owner"]
    await store.replace_subscription(replace(kept, created_by="shell"), (await store.changes())[0])
    await fail(world)
    await world.recovery.round(AT_EIGHT)
    assert [address for address, _ in told(world)] == ["fake:owner"]


async def test_when_the_cause_goes_away_it_goes_on_and_the_missed_digest_arrives_as_late(world):
    await fail(world)
    assert await world.recovery.round(AT_EIGHT) == 0
    del world.platform.unreachable[PLACE]
    later = AT_EIGHT + timedelta(hours=1)
    assert await world.recovery.round(later) == 1
    assert (await only(world)).pause is None
    await world.tick(later)
    (digest,) = [post.message for post in world.platform.posts if post.address == PLACE]
    assert titles(digest) == ["Grokking in Small Transformers"]
    assert "Late: this was due Mon 23 Nov 08:00. What held it up: The channel is archived." in words(digest)
    assert "resumed #1" in (await world.house.store.changes(PLACE))[0].what


async def test_days_later_the_next_digest_covers_the_gap_and_says_so(world):
    await world.tick(AT_EIGHT)
    world.platform.unreachable[PLACE] = GONE
    await world.tick(AT_EIGHT + timedelta(days=1))
    await world.recovery.round(AT_EIGHT + timedelta(days=1))
    world.now = AT_EIGHT + timedelta(days=2)
    await world.learn(make_record("2611.00002", "Grokking Meanwhile", day=world.now.date()))
    del world.platform.unreachable[PLACE]
    await world.recovery.round(AT_EIGHT + timedelta(days=3, hours=12))
    await world.tick(AT_EIGHT + timedelta(days=4))
    newest = world.posted()[-1]
    assert titles(newest) == ["Grokking Meanwhile"]
    assert "covers everything since Monday 23 November 2026" in words(newest)


async def test_what_a_person_paused_is_never_resumed_by_itself(world):
    await world.ask("pause 1")
    assert await world.recovery.round(AT_EIGHT + timedelta(days=1)) == 0
    assert (await only(world)).pause.by_hand


async def test_while_nobody_can_tell_it_stays_paused(world):
    await fail(world)
    world.platform.unreachable[PLACE] = DeliveryError(DeliveryFailure.RETRY, "503")
    assert await world.recovery.round(AT_EIGHT) == 0
    assert (await only(world)).pause is not None


async def test_probes_grow_apart(world):
    await fail(world)
    probed = []

    async def reachable(address):
        probed.append(now)
        return GONE

    world.platform.reachable = reachable
    for minute in range(0, 3 * 24 * 60, 5):
        now = AT_EIGHT + timedelta(minutes=minute)
        await world.recovery.round(now)
    gaps = [later - earlier for earlier, later in pairwise(probed)]
    assert gaps == sorted(gaps)
    assert max(gaps) == PROBE_LAST
    assert len(probed) < 40


async def test_a_place_that_says_yes_and_means_no_does_not_go_round_for_ever(world):
    async def reachable(address):
        return None

    world.platform.reachable = reachable
    await fail(world)
    tries = 0
    for minute in range(0, 24 * 60, 10):
        now = AT_EIGHT + timedelta(minutes=minute)
        await world.recovery.round(now)
        await world.tick(now)
        tries = (await world.house.store.delivery("s1", AT_EIGHT.date())).attempts
    assert tries == 3
    assert len(told(world)) == 1
    assert (await world.house.store.delivery("s1", AT_EIGHT.date())).state is State.DEAD
