"""What several processes on one PostgreSQL promise each other: each has a store of its own on the same database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.store import State
from core.store.correspondents import Correspondent
from core.store.postgres import PostgresStore
from tests.fakes import NOON, PAPER, TODAY, make_change, make_delivery, make_mark, make_subscription

ROUNDS = 12


@pytest.fixture
async def stores(database_url):
    """Two processes' stores."""
    opened = [await PostgresStore.open(database_url, size=4) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


async def test_numbers_are_given_once_however_many_processes_subscribe(stores):
    kept = await asyncio.gather(
        *(stores[n % 2].add_subscription(make_subscription(f"s{n}"), make_change()) for n in range(2 * ROUNDS))
    )
    assert sorted(item.number for item in kept) == list(range(1, 2 * ROUNDS + 1))
    assert len(await stores[0].changes()) == 2 * ROUNDS


async def test_one_process_queues_a_day_and_one_claims_it(stores):
    for number in range(ROUNDS):
        delivery = make_delivery(f"s{number}")
        queued = await asyncio.gather(*(store.enqueue(delivery) for store in stores))
        assert sorted(queued) == [False, True]
        claim = replace(delivery, state=State.SENDING)
        claimed = await asyncio.gather(*(store.move(claim, expected=State.PENDING) for store in stores))
        assert sorted(claimed) == [False, True]


async def test_a_mark_that_two_processes_toggle_ends_as_it_would_one_after_the_other(stores):
    for number in range(ROUNDS):
        mark = make_mark(paper=f"p{number}")
        assert sorted(await asyncio.gather(*(store.mark(mark) for store in stores))) == [False, True]
    assert list(await stores[0].marks()) == []


async def test_a_sealed_text_is_taken_by_one_process(stores):
    for number in range(ROUNDS):
        await stores[0].keep_sealed(f"n{number}", "text")
        taken = await asyncio.gather(*(store.take_sealed(f"n{number}") for store in stores))
        assert sorted(taken, key=str) == [None, "text"]


async def test_of_two_processes_that_change_a_correspondent_one_is_told_to_look_again(stores):
    for number in range(ROUNDS):
        old = Correspondent(f"n{number}", address="email:a@b.org")
        new = replace(old, left_at=NOON)
        kept = await asyncio.gather(*(store.keep_correspondent(old, expected=None) for store in stores))
        assert sorted(kept) == [False, True]
        kept = await asyncio.gather(*(store.keep_correspondent(new, expected=old) for store in stores))
        assert sorted(kept) == [False, True]


async def test_a_correspondent_that_another_version_wrote_can_be_changed(stores, database_url, postgres):
    old = Correspondent("n1", address="email:a@b.org")
    await stores[0].keep_correspondent(old, expected=None)
    words = '{"name": "n1", "address": "email:a@b.org", "of_a_later_version": true}'
    postgres.run(f"UPDATE correspondents SET document = '{words}'", database_url.rpartition("/")[2])
    assert await stores[0].correspondent("n1") == old
    assert not await stores[0].keep_correspondent(old, expected=replace(old, left_at=NOON))
    assert await stores[0].keep_correspondent(replace(old, left_at=NOON), expected=old)
    assert (await stores[1].correspondent("n1")).left_at == NOON


async def test_a_text_that_postgresql_cannot_keep_whole_is_kept_but_for_one_character(stores):
    kept = await stores[0].add_subscription(make_subscription(interests="a\0b"), make_change())
    assert (await stores[1].subscription(kept.id)).interests == "a\ufffdb"
    await stores[0].enqueue(make_delivery(lacking=("x\0",)))
    assert (await stores[1].delivery("s1", TODAY)).lacking == ("x\ufffd",)


async def test_pruning_goes_on_until_nothing_old_is_left(stores, database_url, postgres):
    name = database_url.rpartition("/")[2]
    await stores[0].enqueue(make_delivery("new", composed_at=NOON))
    await stores[0].enqueue(make_delivery("old", state=State.SENT, composed_at=NOON - timedelta(days=91)))
    copied = "subscription || n, day, address, state, due_at, composed_at, changed_at, papers, ranks, reasons, message"
    rest = "upto, not_before, attempts, parts, note, silence, lacking, told"
    postgres.run(
        f"INSERT INTO deliveries SELECT {copied}, {rest} FROM deliveries, generate_series(1, 10500) n"
        " WHERE subscription = 'old'",
        name,
    )
    assert await stores[0].prune(NOON - timedelta(days=90)) == 10_501
    assert [found.subscription for found in await stores[1].deliveries_of_paper(PAPER)] == ["new"]


@pytest.mark.parametrize("turns", [1, 4])
async def test_whoever_waits_for_an_answer_when_the_store_is_closed_waits_no_longer(database_url, caplog, turns):
    store = await PostgresStore.open(database_url, size=1)
    reading = [asyncio.create_task(store.fact(f"{number}")) for number in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(20):
        found = await asyncio.gather(*reading, return_exceptions=True)
    assert {str(one) for one in found} == {"The store is closed."}
    assert [record.getMessage() for record in caplog.records] == []
