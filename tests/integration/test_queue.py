"""The job queue on a real PostgreSQL: who works on what, and what becomes of it when somebody dies."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest

from core.clock import system_clock
from core.database import Database
from core.delivery.again import priority_at
from core.delivery.errands import Errand
from core.delivery.queue import Queue
from tests.queues import at_work
from tests.waiting import until

TODAY = date(2026, 11, 25)
QUEUES = ["digests:fake"]


def errand(number, place="fake:C1", **fields):
    return Errand(f"s{number}", TODAY, place, **fields)


@asynccontextmanager
async def open_queue(url):
    database = await Database.open(url, size=4)
    try:
        async with Queue(database, system_clock).opened() as queue:
            yield queue
    finally:
        await database.close()


def working(queue, run, at_once=4):
    """A worker at work while the block lasts."""
    queue.run_errands(run)
    return at_work(queue, QUEUES, at_once)


@pytest.fixture
async def queue(database_url):
    async with open_queue(database_url) as opened:
        yield opened


async def test_an_errand_waits_in_the_queue_once_however_often_it_is_put_there(queue):
    assert await queue.put([errand(1), errand(2)]) == 2
    assert await queue.put([errand(1), errand(2), errand(3)]) == 1
    assert await queue.length() == {"todo": 3}


async def test_of_many_who_put_the_same_errands_at_a_time_each_is_put_once(database_url):
    async with AsyncExitStack() as stack:
        queues = [await stack.enter_async_context(open_queue(database_url)) for _ in range(3)]
        errands = [errand(number) for number in range(50)]
        put = await asyncio.gather(*(queue.put(errands) for queue in queues))
        assert sum(put) == 50
        assert await queues[0].length() == {"todo": 50}


async def test_what_is_done_leaves_nothing_behind(queue):
    done = []

    async def run(one):
        done.append(one)

    await queue.put([errand(1), errand(2, "fake:C2")])
    async with working(queue, run):
        await until(lambda: has_length(queue, {}), 30)
    assert sorted(one.key for one in done) == ["s1/2026-11-25", "s2/2026-11-25"]
    assert {one.address for one in done} == {"fake:C1", "fake:C2"}


async def has_length(queue, length):
    return await queue.length() == length


async def test_errands_of_one_place_run_one_after_the_other_and_those_of_others_beside_them(database_url):
    running, most, places = set(), 0, []

    async def run(one):
        nonlocal most
        assert one.address not in running
        running.add(one.address)
        most = max(most, len(running))
        await asyncio.sleep(0.01)
        running.remove(one.address)
        places.append(one.address)

    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(open_queue(database_url)) for _ in range(2)]
        await first.put([errand(number, f"fake:C{number % 3}") for number in range(30)])
        await stack.enter_async_context(working(first, run))
        await stack.enter_async_context(working(second, run))
        await until(lambda: has_length(first, {}), 30)
    assert len(places) == 30
    assert most > 1


async def test_what_has_to_wait_is_run_again_at_its_time_and_holds_up_nobody(queue):
    runs = []

    async def run(one):
        runs.append(one.subscription)
        if one.subscription == "s1" and runs.count("s1") == 1:
            return Later(system_clock() + timedelta(seconds=1))
        return None

    await queue.put([errand(1), errand(2)])
    async with working(queue, run):
        await until(lambda: has_length(queue, {}), 30)
    assert runs == ["s1", "s2", "s1"]


class Later:
    """A delivery that waits, as far as the queue looks at it."""

    def __init__(self, not_before):
        self.not_before = not_before


async def test_of_two_that_wait_for_one_place_the_earlier_is_not_held_up_by_the_later(queue):
    now = system_clock()
    await queue.put([errand(1, not_before=now + timedelta(hours=1)), errand(2, not_before=now)])
    done = []

    async def run(one):
        done.append(one.subscription)

    async with working(queue, run):
        await until(lambda: has_length(queue, {"todo": 1}), 30)
    assert done == ["s2"]


async def test_a_store_that_fails_does_not_lose_the_errand(queue):
    runs = []

    async def run(one):
        runs.append(one)
        raise LookupError

    await queue.put([errand(1)])
    async with working(queue, run):
        await until(lambda: bool(runs), 30)
        await until(lambda: has_length(queue, {"todo": 1}), 30)


async def test_stopping_finishes_what_is_under_way_and_leaves_the_rest(queue):
    entered, leave, done = asyncio.Event(), asyncio.Event(), []

    async def run(one):
        entered.set()
        await leave.wait()
        done.append(one.subscription)

    await queue.put([errand(1), errand(2)])
    async with working(queue, run, at_once=1) as task:
        await entered.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, leave.set)
        await asyncio.gather(task, return_exceptions=True)
    assert done == ["s1"]
    assert await queue.length() == {"todo": 1}


async def test_the_jobs_of_a_worker_that_is_gone_are_taken_by_others(database_url, postgres):
    """It died: its row is there, its heartbeat is old, its job is under way for ever."""
    name = database_url.rpartition("/")[2]
    async with open_queue(database_url) as queue:
        await queue.put([errand(1)])
        postgres.run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '40 s')", name)
        postgres.run(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers)",
            name,
        )
        done = []

        async def run(one):
            done.append(one.subscription)

        async with working(queue, run):
            await until(lambda: has_length(queue, {}), 30)
        assert done == ["s1"]


def test_what_comes_later_has_a_lower_priority_and_all_have_less_than_what_is_due():
    moments = [datetime(2020, 1, 1, tzinfo=UTC), *(datetime(2026 + n, 11, 25, tzinfo=UTC) for n in range(60))]
    priorities = [priority_at(moment) for moment in moments]
    assert priorities == sorted(priorities, reverse=True)
    assert max(priorities) < 0
    assert min(priorities) > -(2**31)
