"""Numbered things divided among processes, as shards of Discord: each is somebody's, and never of two."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StoreError
from core.shares import Shares, fair_share
from tests.servers.postgres import PostgresServer

LOOK_EVERY = 0.05


def shares_of(url):
    return Shares(url, "discord shard", look_every=LOOK_EVERY)


async def within(seconds, wanted):
    async with asyncio.timeout(seconds):
        return await wanted


async def test_one_alone_has_all(database_url):
    async with shares_of(database_url).taken(3) as share:
        assert (share.numbers, share.total) == ((0, 1, 2), 3)
        await asyncio.sleep(3 * LOOK_EVERY)
        assert not share.changed.is_set()


async def test_who_joins_gets_a_share_of_what_the_first_gives_up(database_url):
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(shares_of(database_url).taken(4))
        assert first.numbers == (0, 1, 2, 3)

        async def again():
            await within(20, first.changed.wait())
            await stack.aclose()
            return await stack.enter_async_context(shares_of(database_url).taken(4))

        async with AsyncExitStack() as other:
            joining = asyncio.create_task(other.enter_async_context(shares_of(database_url).taken(4)))
            renewed, second = await within(30, asyncio.gather(again(), joining))
            assert sorted(renewed.numbers + second.numbers) == [0, 1, 2, 3]
            assert len(renewed.numbers) == len(second.numbers) == 2


async def test_what_somebody_leaves_is_noticed_by_who_stays(database_url):
    async with AsyncExitStack() as stack:
        leaving = AsyncExitStack()
        first, second = await asyncio.gather(
            stack.enter_async_context(shares_of(database_url).taken(2, [0])),
            leaving.enter_async_context(shares_of(database_url).taken(2)),
        )
        assert first.numbers == (0,)
        assert second.numbers == (1,)
        await stack.aclose()
        await within(20, second.changed.wait())
        await leaving.aclose()


async def test_the_one_shard_of_a_small_bot_has_one_holder_and_another_takes_it_when_that_ends(database_url):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shares_of(database_url).taken(1))
        waiting = asyncio.create_task(hold_briefly(database_url))
        await asyncio.sleep(4 * LOOK_EVERY)
        assert not waiting.done()
        await stack.aclose()
        assert await within(20, waiting) == (0,)


async def hold_briefly(url, only=None):
    async with shares_of(url).taken(1 if only is None else max(only) + 1, only) as share:
        return share.numbers


async def test_two_with_the_same_numbers_by_mistake_never_have_them_both(database_url):
    async with shares_of(database_url).taken(8, range(4)):
        waiting = asyncio.create_task(hold_briefly(database_url, range(4)))
        await asyncio.sleep(4 * LOOK_EVERY)
        assert not waiting.done()
    assert await within(20, waiting) == (0, 1, 2, 3)


async def test_a_database_that_is_lost_takes_the_share_along():
    with PostgresServer() as server:
        url = server.new_database()
        async with shares_of(url).taken(1) as share:
            await asyncio.to_thread(server.stop)
            await within(30, share.changed.wait())
        with pytest.raises(StoreError):
            await hold_briefly(url)


@given(total=st.integers(1, 500), members=st.integers(1, 50))
def test_fair_shares_are_enough_for_all_and_nobody_has_more_than_one_too_many(total, members):
    fair = fair_share(total, members)
    assert fair * members >= total
    assert (fair - 1) * members < total
