"""Errands over a real library and a store in memory: what is due is found, composed once, delivered, looked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import time, timedelta

import pytest

from core.delivery.carrying import Carrier
from core.delivery.errands import MOMENT_LASTS, Errand, Errands
from core.digests.subscription import Pause
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.store import Shown, State
from core.store.figures import DUE, SILENT
from tests.fake_platform import Post
from tests.fakes import make_change, make_delivery, make_subscription
from tests.worlds import MONDAY, MONDAY_DATE, PLACE, make_record, open_world, titles

PAPERS = [make_record("2611.00001", "Grokking in Small Transformers"), make_record("2611.00002", "Kernel Methods")]
DUE_AT = MONDAY + timedelta(hours=1)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS) as opened:
        opened.now = DUE_AT
        opened.carrier = Carrier(
            store=opened.house.store, platforms={"fake": opened.platform}, clock=lambda: opened.now, jitter=lambda: 1.0
        )
        opened.errands = errands_of(opened)
        yield opened


def errands_of(world):
    return Errands(
        store=world.house.store,
        newsroom=world.house.newsroom,
        carrier=world.carrier,
        clock=lambda: world.now,
        count=lambda platform, what: world.counted.append((platform, what)),
    )


async def subscribe(world, name="s1", place=PLACE, **fields):
    values = {"active_from": MONDAY - timedelta(days=1), "interests": "", **fields}
    return await world.house.store.add_subscription(make_subscription(name, place, **values), make_change())


def make_shown(name, *shown):
    return make_delivery(name, MONDAY_DATE, address=PLACE, shown=shown, composed_at=DUE_AT)


async def delivery(world, name="s1"):
    return await world.house.store.delivery(name, MONDAY_DATE)


async def test_what_is_due_is_found_until_it_stands_in_the_outbox(world):
    await subscribe(world)
    await subscribe(world, "s2", "fake:C2", at=time(9), timezone="UTC", active_from=MONDAY)
    (found,) = await world.errands.find(world.now)
    assert found == Errand("s1", MONDAY_DATE, PLACE)
    assert found.key == "s1/2026-11-23"
    await world.errands.run(found)
    assert await world.errands.find(world.now) == []


async def test_an_errand_composes_queues_and_delivers(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.SENT
    assert titles(world.posted()[0]) == ["Grokking in Small Transformers", "Kernel Methods"]
    assert world.counted == [("fake", DUE)]


async def test_an_errand_that_runs_twice_does_nothing_the_second_time(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    await world.errands.run(errand)
    posts = list(world.platform.posts)
    assert await world.errands.run(errand) is None
    assert world.platform.posts == posts
    assert world.counted == [("fake", DUE)]


async def test_two_that_run_one_errand_at_a_time_compose_one_delivery(world):
    """Which the queue does not let happen; were it to, nothing would be lost, and nothing composed twice."""
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    await asyncio.gather(world.errands.run(errand), errands_of(world).run(errand))
    assert world.counted == [("fake", DUE)]
    assert (await delivery(world)).state is State.SENT


async def test_what_has_to_wait_says_until_when(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    world.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "429", retry_after=17)]
    left = await world.errands.run(errand)
    assert (left.state, left.not_before) == (State.PENDING, DUE_AT + timedelta(seconds=17))
    assert (await world.errands.run(errand)).not_before == left.not_before, "too early, it waits on"
    world.now = left.not_before
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.SENT


async def test_what_a_dead_worker_left_in_mid_delivery_is_looked_for_before_anything_is_sent(world):
    subscription = await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    world.platform.lose_reply_after = 2
    await world.errands.run(errand)
    lost = await delivery(world)
    assert lost.state is State.UNKNOWN
    left = replace(lost, state=State.SENDING, not_before=None)
    await world.house.store.move(left, expected=State.UNKNOWN)
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.SENT
    assert world.platform.looked == 1
    assert [post.part for post in world.platform.posts] == [0, 1]
    assert subscription.address == PLACE


async def test_the_rest_of_what_arrived_in_part_follows_at_once(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    world.platform.lose_reply_after = 1
    left = await world.errands.run(errand)
    world.now = left.not_before
    assert await world.errands.run(errand) is None
    assert [post.part for post in world.platform.posts] == [0, 1]


@pytest.mark.parametrize("how", ["removed", "paused", "moved to another time"])
async def test_what_is_taken_back_before_it_is_composed_is_not_composed(world, how):
    subscription = await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    store = world.house.store
    if how == "removed":
        await store.remove_subscriptions(["s1"], make_change())
    elif how == "paused":
        await store.replace_subscription(replace(subscription, pause=Pause("by request", DUE_AT)), make_change())
    else:
        later = replace(subscription, at=(DUE_AT + timedelta(hours=2)).time())
        await store.replace_subscription(later, make_change())
    assert await world.errands.run(errand) is None
    assert world.platform.posts == []
    assert await delivery(world) is None


async def test_an_errand_whose_day_is_over_leaves_it_to_the_next(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    world.now += timedelta(days=1)
    assert await world.errands.run(errand) is None
    assert await delivery(world) is None
    (tomorrows,) = await world.errands.find(world.now)
    assert tomorrows.day == MONDAY_DATE + timedelta(days=1)


async def test_a_digest_that_never_got_out_is_given_up_for_the_one_that_covers_it(world):
    await subscribe(world)
    yesterday = MONDAY_DATE - timedelta(days=1)
    await world.house.store.enqueue(make_delivery("s1", yesterday, address=PLACE, parts=(), upto=0))
    (errand,) = await world.errands.find(world.now)
    await world.errands.run(errand)
    older = await world.house.store.delivery("s1", yesterday)
    assert older.state is State.DEAD
    assert "covered by the digest of 2026-11-23" in older.note
    assert (await delivery(world)).state is State.SENT


async def test_a_quiet_one_without_papers_is_settled_at_once(world):
    await subscribe(world, interests="nothing like this exists", quiet=True)
    (errand,) = await world.errands.find(world.now)
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.SENT
    assert world.platform.posts == []
    assert world.counted == [("fake", DUE), ("fake", SILENT)]


async def test_a_place_of_a_platform_that_is_not_here_waits_in_the_outbox(world):
    await subscribe(world, place="elsewhere:1")
    (errand,) = await world.errands.find(world.now)
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.PENDING


async def test_a_store_that_cannot_keep_the_end_is_settled_by_looking(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    store, kept = world.house.store, world.house.store.move

    async def move(moved, *, expected):
        if moved.state is State.SENT:
            raise StoreError("The database cannot be reached.")
        return await kept(moved, expected=expected)

    store.move = move
    with pytest.raises(StoreError):
        await world.errands.run(errand)
    store.move = kept
    assert (await delivery(world)).state is State.SENDING
    assert await world.errands.run(errand) is None
    assert (await delivery(world)).state is State.SENT
    assert [post.part for post in world.platform.posts] == [0, 1]


async def test_two_digests_of_one_place_never_show_the_same_paper(world):
    await subscribe(world, top=1)
    await subscribe(world, "s2", top=1)
    found = await world.errands.find(world.now)
    await asyncio.gather(*(world.errands.run(errand) for errand in found))
    shown = [title for message in world.posted() for title in titles(message)]
    assert sorted(shown) == ["Grokking in Small Transformers", "Kernel Methods"]


async def test_somebody_who_composes_for_the_place_meanwhile_is_waited_for_and_not_repeated(world):
    """As `/papers send` does, or who completes a message there."""
    await subscribe(world, top=1)
    await subscribe(world, "s2", top=1)
    (errand, _) = await world.errands.find(world.now)
    store, refused, enqueue_first = world.house.store, asyncio.Event(), world.house.store.enqueue_first

    async def watched(*asked, **named):
        kept = await enqueue_first(*asked, **named)
        if not kept:
            refused.set()
        return kept

    store.enqueue_first = watched
    async with world.house.newsroom.alone(PLACE):
        running = asyncio.create_task(world.errands.run(errand))
        await refused.wait()
        assert await store.enqueue(make_shown("s2", Shown("2611.00001", 1, "")))
    await running
    assert [one.paper for one in (await delivery(world)).shown] == ["2611.00002"]


async def test_what_is_composed_while_the_place_is_shown_the_same_is_composed_anew(world):
    await subscribe(world, top=1)
    await subscribe(world, "s2", top=1)
    (errand, _) = await world.errands.find(world.now)
    newsroom, edition_for = world.house.newsroom, world.house.newsroom.edition_for

    async def overtaken(*asked):
        edition = await edition_for(*asked)
        await world.house.store.enqueue(make_shown("s2", *edition.shown))
        return edition

    newsroom.edition_for = overtaken
    await world.errands.run(errand)
    first, second = (await delivery(world)).shown, (await delivery(world, "s2")).shown
    assert {one.paper for one in (*first, *second)} == {"2611.00001", "2611.00002"}


async def test_what_is_paused_while_it_is_composed_is_not_posted(world):
    subscription = await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    newsroom, edition_for = world.house.newsroom, world.house.newsroom.edition_for

    async def pausing(*asked):
        paused = replace(subscription, pause=Pause("by request", DUE_AT))
        await world.house.store.replace_subscription(paused, make_change())
        return await edition_for(*asked)

    newsroom.edition_for = pausing
    assert await world.errands.run(errand) is None
    assert world.platform.posts == []
    assert await delivery(world) is None


async def test_digests_of_one_moment_share_what_was_looked_up_and_later_ones_look_again(world):
    begun = {}
    newsroom, edition_for = world.house.newsroom, world.house.newsroom.edition_for

    async def watched(subscription, day, now, moment, brief):
        begun[id(moment)] = moment  # kept, so that no other gets its number
        return await edition_for(subscription, day, now, moment, brief)

    newsroom.edition_for = watched
    for number in range(4):
        await subscribe(world, f"s{number}", f"fake:C{number}")
    errands = await world.errands.find(world.now)
    await world.errands.run(errands[0])
    world.now += MOMENT_LASTS / 2
    await world.errands.run(errands[1])
    assert len(begun) == 1
    world.now += MOMENT_LASTS / 2
    await world.errands.run(errands[2])
    assert len(begun) == 2
    world.now -= timedelta(hours=1)
    world.now += timedelta(hours=1)
    await world.errands.run(errands[3])
    assert len(begun) == 2


async def test_a_subscription_that_waits_for_its_batch_is_found_when_that_is_in(world):
    await subscribe(world, when_ready=True, at=None)
    (errand,) = await world.errands.find(world.now)
    await world.errands.run(errand)
    world.now += timedelta(days=1)
    assert await world.errands.find(world.now) == []
    tuesday = MONDAY_DATE + timedelta(days=1)
    await world.learn(make_record("2611.00003", "Fresh Off the Press", day=tuesday))
    assert [one.day for one in await world.errands.find(world.now)] == [tuesday]


async def test_what_stands_in_the_outbox_already_is_carried_and_not_composed(world):
    await subscribe(world)
    (errand,) = await world.errands.find(world.now)
    world.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "down", retry_after=0)]
    await world.errands.run(errand)
    before = (await delivery(world)).composed_at
    world.now += timedelta(hours=1)
    await world.errands.run(errand)
    assert (await delivery(world)).composed_at == before
    assert isinstance(world.platform.posts[0], Post)
