"""What happens to digests when the database, the network or a worker fails at work: each arrives once."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bots.house import make_house
from core.clock import SteeredClock, system_clock
from core.database import WAIT_SECONDS, migrate
from core.delivery.carrying import Carrier
from core.delivery.errands import Errands
from core.delivery.outbox import write_message
from core.delivery.queue import Queue, Round
from core.delivery.tempo import Tempo
from core.digests.subscription import DAILY
from core.errors import StoreUnreachable
from core.papers.library import LIBRARY_FILE, Library
from core.settings import Settings
from core.store import State
from core.store.postgres import PostgresStore
from tests.fake_platform import FakePlatform
from tests.fakes import make_change, make_delivery, make_subscription
from tests.queues import at_work
from tests.servers.postgres import PostgresServer
from tests.servers.wire import Wire
from tests.unit.test_courier import LETTER
from tests.waiting import until

TEMPO = Tempo(gone_after=6.0, poll=0.5)
QUEUES = ["digests:fake"]


class Worker:
    """One process's queue, errands and store, with the platform that all of them share."""

    def __init__(self, store, queue, errands, platform):
        self.store, self.queue, self.errands, self.platform = store, queue, errands, platform

    async def subscribe(self, count):
        """Subscribe places to a digest that is due now and that somebody has to compose."""
        now = system_clock()
        fields = {"at": now.time().replace(second=0, microsecond=0), "timezone": "UTC", "days": DAILY, "interests": ""}
        for number in range(count):
            item = make_subscription(f"s{number}", f"fake:C{number}", active_from=now - timedelta(days=2), **fields)
            await self.store.add_subscription(item, make_change())

    async def fill(self, count):
        now = system_clock()
        for number in range(count):
            name, address = f"s{number}", f"fake:C{number}"
            await self.store.add_subscription(make_subscription(name, address, active_from=now), make_change())
            fields = {"message": write_message(LETTER), "due_at": now, "composed_at": now, "changed_at": now}
            await self.store.enqueue(make_delivery(name, now.date(), address=address, shown=(), **fields))
        await self.queue.put(await self.queue.lost())

    async def all_sent(self, count):
        names = [f"s{number}" for number in range(count)]
        try:
            latest = await self.store.latest_deliveries(names)
        except StoreUnreachable:
            return False
        return all(name in latest and latest[name].state is State.SENT for name in names)


@asynccontextmanager
async def open_worker(folder, url, platform, *, clock=system_clock, tempo=TEMPO, patience=WAIT_SECONDS):
    folder.mkdir(exist_ok=True)
    store = await PostgresStore.open(url, size=4, patience=patience)
    library = await Library.open(folder / LIBRARY_FILE)
    try:
        house = make_house(Settings(), library=library, store=store, clock=clock)
        carrier = Carrier(store=store, platforms={"fake": platform}, clock=clock, jitter=lambda: 0.0)
        errands = Errands(store=store, newsroom=house.newsroom, carrier=carrier, clock=clock)
        async with Queue(store.database, clock, tempo).opened() as queue:
            queue.run_errands(errands.run)
            yield Worker(store, queue, errands, platform)
    finally:
        await library.close()
        await store.close()


def arrived_once(platform, count, parts=3):
    """Whether each part of each digest is there, once."""
    found = sorted((post.key.partition("/")[0], post.part) for post in platform.posts)
    return found == sorted((f"s{number}", part) for number in range(count) for part in range(parts))


async def deliver_while_answers_are_lost(folder, url, platform, give):
    """Deliver 24 digests while one answer after the other is lost with its connection; `give` puts them there."""
    with Wire(url) as wire:
        async with (
            open_worker(folder / "near", url, platform) as near,
            open_worker(folder / "far", wire.url, platform) as far,
        ):
            await give(near)
            async with at_work(far.queue, QUEUES, 2):
                for question in range(1, 8):
                    wire.lose = question
                    await until(lambda: wire.lose <= 0)
                await until(lambda: near.all_sent(24), 90)
            assert wire.lost > 0


async def test_whichever_answer_of_the_database_is_lost_at_work_the_digest_arrives_once(tmp_path, database_url, caplog):
    """Taking a job, each step of a delivery, ending the job: it is done, the answer lost with the connection."""
    platform = FakePlatform()
    with caplog.at_level(logging.CRITICAL):
        await deliver_while_answers_are_lost(tmp_path, database_url, platform, lambda near: near.fill(24))
    assert arrived_once(platform, 24)


async def test_whichever_answer_is_lost_while_digests_are_composed_each_is_composed_and_arrives_once(
    tmp_path, database_url, caplog
):
    platform = FakePlatform()

    async def subscribe(near):
        await near.subscribe(24)
        assert await near.queue.put(await near.errands.find(system_clock())) == 24

    with caplog.at_level(logging.CRITICAL):
        await deliver_while_answers_are_lost(tmp_path, database_url, platform, subscribe)
    assert arrived_once(platform, 24, parts=1)


async def test_a_database_that_is_gone_for_longer_than_anybody_waits_loses_nothing(tmp_path, caplog):
    """Past the wait for a connection, and past the time after which others take a worker for dead, in mid-delivery."""
    entered, platform = asyncio.Event(), FakePlatform()
    caplog.set_level(logging.INFO)

    class Slow(FakePlatform):
        async def deliver(self, address, message, *, key, done=(), sent=None):
            receipt = await platform.deliver(address, message, key=key, done=done, sent=None)
            entered.set()
            await asyncio.sleep(0.5)
            return receipt

        async def find(self, address, key, since):
            return await platform.find(address, key, since)

    with PostgresServer() as server:
        url = server.new_database()
        await asyncio.to_thread(migrate, url)
        quick = Tempo(gone_after=3.0, poll=0.5)
        async with open_worker(tmp_path, url, Slow(), tempo=quick, patience=0.2) as worker:
            await worker.subscribe(8)
            await worker.queue.put(await worker.errands.find(system_clock()))
            async with at_work(worker.queue, QUEUES, 2):
                await entered.wait()
                await asyncio.to_thread(server.stop)
                await until(lambda: worker.queue.problem is not None)
                await asyncio.sleep(quick.gone_after + quick.sweep)
                await asyncio.to_thread(server.start)
                await until(lambda: worker.all_sent(8), 90)
                await until(lambda: worker.queue.problem is None)
    assert arrived_once(platform, 8, parts=1)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    for words in (
        "the job queue cannot be reached",
        "the job queue can be reached again",
        "the database is back after",
    ):
        assert sum(words in line for line in said) == 1, words


async def test_machines_whose_clocks_are_half_a_minute_apart_agree_on_what_is_due_and_share_it(tmp_path, database_url):
    clocks = [SteeredClock(lambda by=by: system_clock() + timedelta(seconds=by)) for by in (-15, 15)]
    platform = FakePlatform()
    async with (
        open_worker(tmp_path / "slow", database_url, platform, clock=clocks[0]) as slow,
        open_worker(tmp_path / "fast", database_url, platform, clock=clocks[1]) as fast,
    ):
        ahead = [await clock.follow(slow.store.database.now) for clock in clocks]
        assert ahead[0] - ahead[1] > timedelta(seconds=25)
        assert abs(clocks[0]() - clocks[1]()) < timedelta(seconds=5)
        await slow.subscribe(6)
        found = [await worker.errands.find(clock()) for worker, clock in zip((slow, fast), clocks, strict=True)]
        assert [errand.key for errand in found[0]] == [errand.key for errand in found[1]]
        assert sorted([await slow.queue.put(found[0]), await fast.queue.put(found[1])]) == [0, 6]
        async with at_work(slow.queue, QUEUES, 2), at_work(fast.queue, QUEUES, 2):
            await until(lambda: slow.all_sent(6))
    assert arrived_once(platform, 6, parts=1)


async def test_a_database_that_is_restarted_in_a_drain_loses_nothing_and_work_goes_on_by_itself(tmp_path, caplog):
    platform = FakePlatform()
    caplog.set_level(logging.INFO, "core.delivery.lease")
    with PostgresServer() as server:
        url = server.new_database()
        await asyncio.to_thread(migrate, url)
        async with open_worker(tmp_path, url, platform) as worker:
            await worker.fill(40)
            async with at_work(worker.queue, QUEUES, 2):
                await until(lambda: len(platform.posts) > 20)
                await asyncio.to_thread(server.stop)
                assert len(platform.posts) < 120, "all was over before"
                await until(lambda: worker.queue.problem is not None)
                await asyncio.sleep(1)
                await asyncio.to_thread(server.start)
                await until(lambda: worker.all_sent(40), 90)
                assert worker.queue.problem is None
    assert arrived_once(platform, 40)
    said = [record.getMessage() for record in caplog.records if record.name == "core.delivery.lease"]
    assert sum("cannot be reached" in words for words in said) == 1
    assert sum("can be reached again" in words for words in said) == 1


async def test_two_workers_share_a_drain_and_nothing_is_sent_twice(tmp_path, database_url):
    platform = FakePlatform()
    async with (
        open_worker(tmp_path / "1", database_url, platform) as first,
        open_worker(tmp_path / "2", database_url, platform) as second,
    ):
        await first.fill(30)
        async with at_work(first.queue, QUEUES, 2), at_work(second.queue, QUEUES, 2):
            await until(lambda: first.all_sent(30))
    assert arrived_once(platform, 30)
    assert platform.looked == 0


async def test_what_is_due_strikes_once_however_many_processes_run(tmp_path, database_url):
    struck = []
    async with (
        open_worker(tmp_path / "1", database_url, FakePlatform()) as first,
        open_worker(tmp_path / "2", database_url, FakePlatform()) as second,
    ):

        async def strike():
            struck.append(system_clock())

        async def work(worker):
            worker.queue.register([Round("strike", "rounds", "* * * * * *", strike)])
            await worker.queue.work(["rounds"], at_once=1)

        begun = system_clock().replace(microsecond=0)
        tasks = [asyncio.create_task(work(worker)) for worker in (first, second)]
        await until(lambda: len(struck) >= 6, 30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    seconds = (struck[-1].replace(microsecond=0) - begun) // timedelta(seconds=1) + 1  # the one that began before, too
    assert len(struck) <= seconds


async def test_a_round_that_was_asked_for_waits_once_and_is_done_at_its_time(tmp_path, database_url):
    done = []
    async with open_worker(tmp_path, database_url, FakePlatform()) as worker:

        async def complete():
            done.append(system_clock())

        worker.queue.register([Round("complete", "rounds", "", complete)])
        at = system_clock() + timedelta(seconds=1)
        assert await worker.queue.ask_for("complete", "rounds", at)
        assert not await worker.queue.ask_for("complete", "rounds", at)
        task = asyncio.create_task(worker.queue.work(["rounds"], at_once=1))
        await until(lambda: bool(done))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(done) == 1
    assert done[0] >= at.replace(microsecond=0)


async def test_what_cannot_be_taken_yet_is_left_to_others_until_it_can(tmp_path, database_url):
    platform, ready = FakePlatform(), asyncio.Event()
    async with open_worker(tmp_path, database_url, platform) as worker:
        await worker.fill(1)

        async def become_ready():
            async with worker.queue.held_back(QUEUES[0]):
                await ready.wait()

        opening = asyncio.create_task(become_ready())
        await asyncio.sleep(0)
        async with at_work(worker.queue, QUEUES, 2):
            await asyncio.sleep(1)
            assert platform.posts == []
            ready.set()
            await opening
            await until(lambda: worker.all_sent(1))


async def test_what_stands_open_is_found_where_nobody_works_on_it(tmp_path, database_url, postgres):
    async with open_worker(tmp_path, database_url, FakePlatform()) as worker:
        await worker.fill(3)
        assert await worker.queue.lost() == []
        name = database_url.rpartition("/")[2]
        postgres.run("DELETE FROM procrastinate_jobs WHERE lock = 'fake:C1'", name)
        (lost,) = await worker.queue.lost()
        assert (lost.subscription, lost.address) == ("s1", "fake:C1")
        postgres.run("UPDATE procrastinate_jobs SET status = 'failed' WHERE lock = 'fake:C2'", name)
        assert [one.subscription for one in await worker.queue.lost()] == ["s1", "s2"]
        assert await worker.queue.put(await worker.queue.lost()) == 2


async def test_who_cannot_say_that_it_lives_stops_before_others_take_over(tmp_path):
    """Its platform answers on, but the database does not: what it sends now somebody else would send, too."""
    entered, ended = asyncio.Event(), []

    class Endless(FakePlatform):
        async def deliver(self, address, message, *, key, done=(), sent=None):
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append(address)
                raise

    with PostgresServer() as server:
        url = server.new_database()
        await asyncio.to_thread(migrate, url)
        async with open_worker(tmp_path, url, Endless()) as worker:
            await worker.fill(1)
            async with at_work(worker.queue, QUEUES, 2):
                await entered.wait()
                assert ended == []
                await asyncio.to_thread(server.stop)
                await until(lambda: bool(ended), 30)


@pytest.mark.parametrize("status", ["failed", "cancelled", "aborted"])
async def test_jobs_that_ended_badly_are_deleted_after_a_day(tmp_path, database_url, postgres, status):
    name = database_url.rpartition("/")[2]
    async with open_worker(tmp_path, database_url, FakePlatform()) as worker:
        await worker.fill(2)
        postgres.run(f"UPDATE procrastinate_jobs SET status = '{status}'", name)
        await worker.queue.tidy()
        assert await worker.queue.length() == {status: 2}
        postgres.run("UPDATE procrastinate_events SET at = at - interval '25 h'", name)
        await worker.queue.tidy()
        assert await worker.queue.length() == {}
