"""Once and on time where it is hardest: failed writes, lost places, wrong clocks, edits, interests nobody can read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bots.house import make_house
from bots.service import Service
from core.chat.message import Kind, Message
from core.delivery.carrying import GIVE_UP_AFTER, Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import write_message
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.settings import Settings
from core.store import DOUBTFUL_PART, State
from tests.fakes import MemoryStore, make_change, make_delivery, make_subscription
from tests.worlds import MONDAY, World, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)
PAPERS = (
    make_record("2611.00001", "Grokking in Small Transformers"),
    make_record("2611.00003", "A Survey of Grokking"),
)


class FullDisk(MemoryStore):
    """Fails the n-th move from now on, before or after it was kept."""

    failing = 0
    after = False

    async def move(self, delivery, *, expected):
        self.failing -= 1
        if self.failing == 0 and not self.after:
            raise StoreError("The disk is full.")
        done = await super().move(delivery, expected=expected)
        if self.failing == 0:
            raise StoreError("The disk is full.")
        return done


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS) as opened:
        yield opened


async def delivery_of(world, day=AT_EIGHT, subscription="s1"):
    return await world.house.store.delivery(subscription, day.date())


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
async def test_a_write_that_fails_in_mid_delivery_leads_to_a_look_and_never_to_a_second_copy(tmp_path, write, after):
    async with open_world(tmp_path, PAPERS) as opened:
        store = FullDisk()
        house = make_house(Settings(), library=opened.house.library, store=store, clock=lambda: MONDAY)
        world = World(house, opened.platform)
        await world.ask("subscribe grokking in UTC daily at 08:00")
        store.failing, store.after = write, after
        await world.tick(AT_EIGHT)
        for minute in range(1, 4):
            await world.tick(AT_EIGHT + timedelta(minutes=minute))
        assert [post.part for post in world.platform.posts] == [0, 1]
        assert (await store.delivery("s1", AT_EIGHT.date())).state is State.SENT


async def test_a_place_that_is_lost_before_a_look_gets_no_second_copy_when_it_is_back(world):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    world.platform.lose_reply_after = 2
    gone = DeliveryError(DeliveryFailure.GONE, "The channel does not exist any more.")
    world.platform.find_failures = [gone, gone]
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + timedelta(minutes=1))
    assert (await delivery_of(world)).state is State.UNKNOWN
    assert (await world.house.store.subscription("s1")).pause.reason == "The channel does not exist any more."
    await world.tick(AT_EIGHT + timedelta(hours=2))
    await world.tick(AT_EIGHT + timedelta(hours=4))
    assert (await delivery_of(world)).state is State.SENT
    assert [post.part for post in world.platform.posts] == [0, 1]


async def test_a_place_that_stays_lost_ends_the_looking_with_its_reason(world):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    world.platform.lose_reply_after = 2
    world.platform.find_failures = [DeliveryError(DeliveryFailure.GONE, "It is gone.")]
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + GIVE_UP_AFTER + timedelta(minutes=1))
    dead = await delivery_of(world)
    assert (dead.state, dead.parts[-1]) == (State.DEAD, DOUBTFUL_PART)
    assert "not sent again for that reason (It is gone.)" in dead.note


async def test_deaths_of_paperboy_delay_nothing_and_replies_lost_by_the_platform_do(world):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    lost = DeliveryError(DeliveryFailure.UNKNOWN, "The platform did not answer in time.")
    world.platform.failures = [lost]
    await world.tick(AT_EIGHT)
    for _ in range(3):
        open_one = await delivery_of(world)
        dying = replace(open_one, state=State.SENDING, attempts=open_one.attempts + 1)
        await world.house.store.move(dying, expected=open_one.state)
        await world.courier.recover()
    world.platform.failures = [lost]
    await world.tick()
    assert world.posted() == []
    await world.tick(AT_EIGHT + timedelta(seconds=6))
    assert (await delivery_of(world)).state is State.PENDING
    assert (await delivery_of(world)).not_before - world.now == timedelta(seconds=45), "as after two tries, not five"
    await world.tick(AT_EIGHT + timedelta(minutes=15))
    assert [post.part for post in world.platform.posts] == [0, 1]


async def test_a_mistake_of_our_own_is_looked_into_and_the_digest_still_arrives_once(world, caplog):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    world.platform.failures = [RuntimeError("nobody foresaw it")]
    await world.tick(AT_EIGHT)
    unknown = await delivery_of(world)
    assert (unknown.state, unknown.note) == (State.UNKNOWN, "paperboy stumbled over it (RuntimeError)")
    assert "nobody foresaw it" in caplog.text
    await world.tick(AT_EIGHT + timedelta(minutes=1))
    assert [post.part for post in world.platform.posts] == [0, 1]


async def test_what_waits_by_a_clock_that_was_ahead_does_not_wait_for_that_time(world):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    world.platform.failures = [DeliveryError(DeliveryFailure.RETRY, "Not now.")]
    await world.tick(AT_EIGHT + timedelta(hours=9))
    assert world.posted() == []
    await world.tick(AT_EIGHT + timedelta(minutes=2))
    assert len(world.posted()) == 1


async def test_a_digest_sent_by_a_clock_that_was_days_ahead_is_no_digest_of_the_days_between(world):
    await world.ask("subscribe grokking in UTC daily at 08:00")
    await world.tick(AT_EIGHT + timedelta(days=2))
    assert await world.tick(AT_EIGHT) == 1
    assert await world.tick(TUESDAY) == 1
    assert await world.tick(AT_EIGHT + timedelta(days=2)) == 0
    assert [len(message.cards) for message in world.posted()] == [2, 0, 0]


async def test_a_time_that_was_moved_to_before_now_is_due_at_once_and_not_called_late(world):
    await world.ask("subscribe grokking in UTC daily at 20:00")
    world.now = AT_EIGHT + timedelta(hours=4)
    await world.ask("edit 1 at 08:00")
    assert await world.tick(world.now + timedelta(minutes=1)) == 1
    assert "Late" not in words(world.posted()[0])
    assert (await delivery_of(world)).due_at == AT_EIGHT + timedelta(hours=4)


async def test_interests_that_cannot_be_read_any_more_are_told_and_lose_nothing(world):
    store = world.house.store
    await world.ask("subscribe grokking in UTC daily at 08:00")
    await world.ask("subscribe survey in UTC daily at 08:00")
    kept = await store.subscription("s1")
    await store.replace_subscription(replace(kept, interests="like:2101.99999"), make_change("a new library"))
    await world.tick(AT_EIGHT)
    told, neighbour = sorted(map(words, world.posted()), key=lambda said: "cannot be read" not in said)
    assert told.strip() == (
        "Papers for like:2101.99999, Monday 23 November 2026: these interests cannot be read "
        "(like: the library does not hold 2101.99999); /papers edit 1 INTERESTS mends it."
    )
    assert "A Survey of Grokking" in neighbour, "one that cannot be read is nobody else's trouble"
    await store.replace_subscription(replace(kept, interests="grokking"), make_change("mended"))
    await world.learn(make_record("2611.00009", "Grokking Again", day=TUESDAY.date()))
    await world.tick(TUESDAY)
    assert "Grokking Again" in titles(world.posted()[2])


async def test_a_first_digest_covers_everything_since_the_subscription_was_made(world):
    await world.ask("subscribe grokking in UTC fri at 08:00")
    for day in range(1, 4):
        world.now = AT_EIGHT + timedelta(days=day)
        await world.learn(make_record(f"2611.0010{day}", f"Grokking Part {day}", day=world.now.date()))
    await world.tick(AT_EIGHT + timedelta(days=4))
    assert len(titles(world.posted()[0])) == 5


async def test_a_week_covers_what_came_in_after_the_last_weeks_digest_for_its_day_or_before(world):
    await world.ask("subscribe grokking in UTC weekly at 08:00")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=5)
    await world.learn(
        make_record("2611.00101", "Grokking at Noon"),
        make_record("2611.00102", "Grokking Late", day=MONDAY.date() - timedelta(days=3)),
    )
    await world.tick(AT_EIGHT + timedelta(days=7))
    assert sorted(titles(world.posted()[1])) == ["Grokking Late", "Grokking at Noon"]


async def test_papers_of_a_digest_that_died_after_a_later_one_are_offered_again(world):
    await world.ask("subscribe grokking in UTC daily at 08:00 top 5")
    lost = DeliveryError(DeliveryFailure.UNKNOWN, "The platform did not answer in time.")
    refused = DeliveryError(DeliveryFailure.REJECTED, "The message is refused.")
    world.platform.failures = [lost]
    world.platform.find_failures = [DeliveryError(DeliveryFailure.RETRY, "Not now.")]
    await world.tick(AT_EIGHT)
    await world.tick(AT_EIGHT + timedelta(minutes=1))
    store = world.house.store
    waiting = await delivery_of(world)
    assert await store.move(replace(waiting, not_before=TUESDAY + timedelta(hours=1)), expected=State.UNKNOWN)
    await world.tick(TUESDAY)
    assert [message.cards for message in world.posted()] == [()], "Tuesday left the papers to Monday's digest"
    world.platform.failures = [refused]
    for minute in range(60, 200, 30):
        await world.tick(TUESDAY + timedelta(minutes=minute))
    assert (await delivery_of(world)).state is State.DEAD
    await world.tick(TUESDAY + timedelta(days=1))
    assert len(titles(world.posted()[-1])) == 2


async def test_draining_a_long_outbox_does_not_read_it_anew_for_each_delivery(world):
    class Counting(MemoryStore):
        reads = 0

        async def open_deliveries(self, subscription=None):
            self.reads += 1
            return await super().open_deliveries(subscription)

    store = Counting()
    for number in range(40):
        await store.add_subscription(make_subscription(f"s{number}", f"fake:C{number}"), make_change())
        body = {"message": write_message(Message(Kind.DIGEST, heading="Papers")), "due_at": AT_EIGHT}
        await store.enqueue(make_delivery(f"s{number}", address=f"fake:C{number}", **body))
    courier = Courier(
        Carrier(store=store, platforms={"fake": world.platform}, clock=lambda: AT_EIGHT, jitter=lambda: 0.0)
    )
    running = asyncio.create_task(courier.run(every=60))
    while len(world.platform.posts) < 40 or courier.busy:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert store.reads <= 3


async def test_a_year_that_the_calendar_does_not_list_is_warned_about_once_a_day(world, caplog):
    clock = MONDAY.replace(year=2031)
    service = Service(replace(world.house, clock=lambda: clock), {})
    await service.tidy()
    assert "arxiv_calendar.toml lists no closures for 2031" in caplog.text
