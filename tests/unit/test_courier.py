"""What the courier does with every outcome of a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from core.chat.message import Card, Kind, Message
from core.delivery.carrying import GIVE_UP_AFTER, Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import read_message, retry_delay, write_message
from core.errors import DeliveryError, DeliveryFailure
from core.store import Delivery, State
from tests.fake_platform import FakePlatform, Post
from tests.fakes import MemoryStore, make_change, make_delivery, make_subscription

DUE = datetime(2026, 11, 23, 8, tzinfo=UTC)
PLACE = "fake:C1"
LETTER = Message(Kind.DIGEST, heading="Papers", cards=(Card("1", "One"), Card("2", "Two"), Card("3", "Three")))


class Desk:
    """A store with one delivery, a platform, a courier and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = DUE
        self.store = MemoryStore()
        self.platform = FakePlatform()
        self.courier = Courier(
            Carrier(store=self.store, platforms={"fake": self.platform}, clock=lambda: self.now, jitter=lambda: 1.0)
        )

    async def begin(self, **fields: object) -> None:
        await self.store.add_subscription(make_subscription("s1", PLACE), make_change())
        await self.add(**fields)

    async def add(self, subscription: str = "s1", **fields: object) -> None:
        values: Mapping[str, object] = {
            "address": PLACE,
            "message": write_message(LETTER),
            "due_at": DUE,
            "composed_at": DUE,
            "changed_at": DUE,
        }
        assert await self.store.enqueue(make_delivery(subscription, DUE.date(), **{**values, **fields}))

    async def round(self) -> Delivery:
        await self.courier.drain()
        await self.courier.settled()
        return await self.delivery()

    async def delivery(self) -> Delivery:
        found = await self.store.delivery("s1", DUE.date())
        assert found is not None
        return found

    def titles(self) -> list[str]:
        return [post.message.cards[post.part].title for post in self.platform.posts]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_digest_is_sent_once_and_its_message_is_let_go(desk):
    await desk.begin()
    sent = await desk.round()
    assert (sent.state, sent.message, sent.attempts, len(sent.parts)) == (State.SENT, "", 1, 3)
    await desk.round()
    assert desk.titles() == ["One", "Two", "Three"]


async def test_what_was_not_taken_is_tried_again_when_the_platform_said(desk):
    await desk.begin()
    desk.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "429", retry_after=17)]
    waiting = await desk.round()
    assert (waiting.state, waiting.not_before) == (State.PENDING, DUE + timedelta(seconds=17))
    await desk.round()
    assert desk.platform.posts == []
    desk.now += timedelta(seconds=17)
    assert (await desk.round()).state is State.SENT


async def test_tries_grow_apart_and_end_when_the_day_is_over(desk):
    await desk.begin()
    desk.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "down")] * 200
    delays = []
    for _ in range(200):
        delivery = await desk.round()
        if delivery.state is State.DEAD:
            break
        delays.append(delivery.not_before - desk.now)
        desk.now = delivery.not_before
    assert delays == sorted(delays)
    assert desk.now - DUE > GIVE_UP_AFTER
    assert (delivery.state, delivery.message) == (State.DEAD, "")
    assert "down" in delivery.note
    assert (await desk.store.subscription("s1")).pause is None


async def test_a_lost_reply_is_settled_by_looking_and_nothing_is_sent_twice(desk):
    await desk.begin()
    desk.platform.lose_reply_after = 3
    unknown = await desk.round()
    assert (unknown.state, len(unknown.parts)) == (State.UNKNOWN, 2)
    desk.now = unknown.not_before
    settled = await desk.round()
    assert (settled.state, len(settled.parts), settled.message) == (State.SENT, 3, "")
    assert desk.titles() == ["One", "Two", "Three"]


async def test_a_digest_of_several_parts_goes_on_behind_the_last_that_arrived(desk):
    await desk.begin()
    desk.platform.lose_reply_after = 1
    unknown = await desk.round()
    desk.now = unknown.not_before
    pending = await desk.round()
    assert (pending.state, len(pending.parts)) == (State.PENDING, 1)
    assert (await desk.round()).state is State.SENT
    assert desk.titles() == ["One", "Two", "Three"]


async def test_what_is_surely_not_there_is_sent(desk):
    await desk.begin()
    desk.platform.failures = [DeliveryError(DeliveryFailure.UNKNOWN, "timeout")]
    unknown = await desk.round()
    desk.now = unknown.not_before
    assert (await desk.round()).state is State.PENDING
    assert (await desk.round()).state is State.SENT
    assert desk.titles() == ["One", "Two", "Three"]


async def test_where_nobody_can_look_it_is_never_sent_twice(desk):
    await desk.begin()
    desk.platform.blind = True
    desk.platform.lose_reply_after = 3
    unknown = await desk.round()
    desk.now = unknown.not_before
    dead = await desk.round()
    assert dead.state is State.DEAD
    assert "not known whether it arrived" in dead.note
    assert desk.titles() == ["One", "Two", "Three"]


async def test_a_look_that_fails_is_repeated_later(desk):
    await desk.begin()
    desk.platform.lose_reply_after = 3
    desk.platform.find_failures = [DeliveryError(DeliveryFailure.RETRY, "429")]
    desk.now = (await desk.round()).not_before
    later = await desk.round()
    assert later.state is State.UNKNOWN
    assert later.not_before > desk.now
    desk.now = later.not_before
    assert (await desk.round()).state is State.SENT
    assert desk.platform.looked == 2


async def test_a_crash_in_mid_delivery_is_settled_after_the_restart(desk):
    await desk.begin(state=State.SENDING, parts=("fake:C1#0",))
    desk.platform.posts.append(Post(PLACE, f"s1/{DUE.date()}", 0, "fake:C1#0", LETTER))
    await desk.courier.recover()
    assert (await desk.delivery()).state is State.UNKNOWN
    assert (await desk.round()).state is State.PENDING
    assert (await desk.round()).state is State.SENT
    assert desk.titles() == ["One", "Two", "Three"]


@pytest.mark.parametrize("kind", [DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REVOKED])
async def test_a_place_that_is_gone_pauses_its_subscription_with_the_reason_and_keeps_it(desk, kind):
    await desk.begin()
    desk.platform.failures = [DeliveryError(kind, "The channel is archived.")]
    assert (await desk.round()).state is State.DEAD
    paused = (await desk.store.subscription("s1")).pause
    assert (paused.reason, paused.by_hand, paused.since) == ("The channel is archived.", False, DUE)
    assert "archived" in (await desk.store.changes(PLACE))[0].what


async def test_a_rejected_message_ends_without_pausing_anybody(desk):
    await desk.begin()
    desk.platform.failures = [DeliveryError(DeliveryFailure.REJECTED, "msg_too_long")]
    assert (await desk.round()).state is State.DEAD
    assert (await desk.store.subscription("s1")).pause is None


async def test_deliveries_of_a_platform_that_is_switched_off_wait(desk):
    await desk.begin()
    await desk.store.add_subscription(make_subscription("s2", "other:1"), make_change())
    await desk.add("s2", address="other:1")
    await desk.round()
    assert [item.subscription for item in await desk.store.open_deliveries()] == ["s2"]


async def test_a_slow_place_delays_no_other():
    desk = Desk()
    slow = asyncio.Event()

    class OneSlowPlace(FakePlatform):
        async def deliver(self, address, message, *, key, done=(), sent=None):
            if address == PLACE:
                await slow.wait()
            return await super().deliver(address, message, key=key, done=done, sent=sent)

    desk.platform = OneSlowPlace()
    desk.courier = Courier(
        Carrier(store=desk.store, platforms={"fake": desk.platform}, clock=lambda: desk.now, jitter=lambda: 0.0)
    )
    await desk.begin()
    for number in range(2, 6):
        await desk.store.add_subscription(make_subscription(f"s{number}", f"fake:C{number}"), make_change())
        await desk.add(f"s{number}", address=f"fake:C{number}")
    await desk.courier.drain()
    while len({post.address for post in desk.platform.posts}) < 4:
        await asyncio.sleep(0)
    assert (await desk.delivery()).state is State.SENDING
    slow.set()
    await desk.courier.settled()
    assert (await desk.delivery()).state is State.SENT


async def test_two_digests_of_one_place_are_posted_one_after_the_other(desk):
    await desk.begin()
    await desk.store.add_subscription(make_subscription("s2", PLACE), make_change())
    await desk.add("s2")
    await desk.round()
    await desk.round()
    assert [post.key.partition("/")[0] for post in desk.platform.posts] == ["s1"] * 3 + ["s2"] * 3


async def test_stopping_lets_a_delivery_under_way_finish(desk):
    await desk.begin()
    running = asyncio.create_task(desk.courier.run(every=60))
    while not desk.platform.posts:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await desk.delivery()).state is State.SENT


async def test_waking_the_courier_is_enough_for_what_was_queued_later(desk):
    running = asyncio.create_task(desk.courier.run(every=3600))
    await asyncio.sleep(0)
    await desk.begin()
    desk.courier.wake()
    while (await desk.delivery()).state is not State.SENT:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_delays_double_up_to_half_an_hour():
    assert [retry_delay(attempts, 1.0).total_seconds() for attempts in (1, 2, 3, 8, 50)] == [30, 60, 120, 1800, 1800]
    assert retry_delay(1, 0.0) == timedelta(seconds=15)


def test_a_message_is_read_back_as_it_was_written():
    assert read_message(write_message(LETTER)) == LETTER


async def test_it_ends_when_told_to_also_in_the_moment_in_which_it_is_woken(desk):
    running = asyncio.create_task(desk.courier.run(every=60))
    await asyncio.sleep(0.01)  # it looks, and waits
    desk.courier.wake()
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=5)
    assert done == {running}
    assert running.cancelled()
