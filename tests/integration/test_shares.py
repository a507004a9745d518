"""Numbered things divided among processes, as shards of Discord: each is somebody's, and never of two."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StoreError
from core.shares import Shares, fair_share
from tests.servers.postgres import PostgresServer

LOOK_EVERY = 0.05


class Process:
    """Takes its share again and again, as a bot connects."""

    def __init__(self, url, total, only=None, using=None):
        self.using = set() if using is None else using
        self.numbers = ()
        self._shares = Shares(url, "discord shard", look_every=LOOK_EVERY)
        self._asked = total, only
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        async with self._shares.joined(*self._asked) as member:
            while True:
                async with member.share() as share:
                    assert not self.using & set(share.numbers), "two have the same"
                    self.using |= set(share.numbers)
                    self.numbers = share.numbers
                    try:
                        await share.changed.wait()
                    finally:
                        self.using -= set(share.numbers)
                        self.numbers = ()

    async def end(self):
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def going(*processes):
    try:
        yield processes
    finally:
        for process in processes:
            process.task.cancel()
        await asyncio.gather(*(process.task for process in processes), return_exceptions=True)


async def until(holds, *processes):
    async with asyncio.timeout(30):
        while not holds():
            for process in processes:
                if process.task.done():
                    process.task.result()
            await asyncio.sleep(0.01)


async def test_one_alone_has_all(database_url):
    async with going(Process(database_url, 3)) as (only,):
        await until(lambda: only.numbers == (0, 1, 2), only)


async def test_who_joins_gets_a_share_of_what_the_first_gives_up_and_what_somebody_leaves_goes_to_the_others(
    database_url,
):
    using = set()
    async with going(Process(database_url, 4, using=using)) as (first,):
        await until(lambda: len(first.numbers) == 4, first)
        async with going(*(Process(database_url, 4, using=using) for _ in range(2))) as others:
            everybody = (first, *others)

            def is_divided():
                held = [number for one in everybody for number in one.numbers]
                return sorted(held) == [0, 1, 2, 3] and max(len(one.numbers) for one in everybody) == 2

            await until(is_divided, *everybody)
        await until(lambda: len(first.numbers) == 4, first)


async def test_the_one_shard_of_a_small_bot_has_one_holder_and_another_takes_it_when_that_ends(database_url):
    using = set()
    async with going(Process(database_url, 1, using=using)) as (first,):
        await until(lambda: first.numbers == (0,), first)
        async with going(Process(database_url, 1, using=using)) as (second,):
            await asyncio.sleep(4 * LOOK_EVERY)
            assert (first.numbers, second.numbers) == ((0,), ())
            await first.end()
            await until(lambda: second.numbers == (0,), second)


async def test_two_with_the_same_numbers_by_mistake_never_have_them_both(database_url):
    using = set()
    async with going(Process(database_url, 8, range(4), using)) as (first,):
        await until(lambda: first.numbers == (0, 1, 2, 3), first)
        twin, rest = Process(database_url, 8, range(4), using), Process(database_url, 8, range(4, 8), using)
        async with going(twin, rest):
            await until(lambda: rest.numbers == (4, 5, 6, 7), twin, rest)
            assert twin.numbers == ()
            await first.end()
            await until(lambda: twin.numbers == (0, 1, 2, 3), twin)


@pytest.mark.parametrize("only", [None, (0,)], ids=["a fair share", "named ones"])
async def test_a_database_that_is_lost_takes_the_share_along(only):
    with PostgresServer() as server:
        shares = Shares(server.new_database(), "discord shard", look_every=LOOK_EVERY)
        with pytest.raises(StoreError):
            async with shares.joined(2 if only else 1, only) as member:
                await lose(server, member)


async def lose(server, member):
    async with member.share() as share, asyncio.timeout(30):
        await asyncio.to_thread(server.stop)
        await share.changed.wait()
    async with member.share():
        raise AssertionError("nobody can have it now")


@given(total=st.integers(1, 500), members=st.integers(1, 50))
def test_fair_shares_are_enough_for_all_and_nobody_has_more_than_one_too_many(total, members):
    fair = fair_share(total, members)
    assert fair * members >= total
    assert (fair - 1) * members < total
