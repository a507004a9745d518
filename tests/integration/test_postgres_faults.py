"""A database that goes away, comes back, or loses its answers: nothing twice, nothing lost, and few words about it."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from core.chat.message import Card, Kind, Message
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import write_message
from core.errors import StoreError, StoreUnreachable
from core.patience import hurried
from core.store import State
from core.store.postgres import PostgresStore
from tests.fake_platform import FakePlatform
from tests.fakes import NOON, TODAY, make_change, make_delivery, make_mark, make_subscription
from tests.servers.postgres import PostgresServer, emptied
from tests.servers.relay import Relay
from tests.servers.wire import Wire
from tests.waiting import until

DIGEST = Message(Kind.DIGEST, heading="Papers", cards=(Card("1", "One"), Card("2", "Two")))
ENOUGH = 30


class Town:
    """One process with its courier, and a clock that is moved by hand."""

    def __init__(self, store):
        self.now = NOON
        self.store, self.platform = store, FakePlatform()
        self.courier = Courier(
            Carrier(store=store, platforms={"fake": self.platform}, clock=lambda: self.now, jitter=lambda: 0.0)
        )

    async def fill(self, count=1):
        for number in range(count):
            place = f"fake:C{number}"
            await self.store.add_subscription(make_subscription(f"s{number}", place), make_change(address=place))
            await self.store.enqueue(make_delivery(f"s{number}", address=place, message=write_message(DIGEST)))

    async def minute(self):
        self.now += timedelta(minutes=1)
        try:
            await self.courier.drain()
        except StoreError:
            return
        await self.courier.settled()

    async def go_on(self):
        """Let minutes pass until nothing is open any more, or many have passed."""
        for _ in range(ENOUGH):
            await self.minute()
            with suppress(StoreError):
                if not await self.store.open_deliveries():
                    break

    async def is_back(self):
        with suppress(StoreError):
            return await self.store.fact("x") is None

    async def everything_arrived_once(self, count=1):
        found = [await self.store.delivery(f"s{number}", TODAY) for number in range(count)]
        assert [one.state for one in found] == [State.SENT] * count
        assert sorted((post.key, post.part) for post in self.platform.posts) == sorted(
            (one.key, part) for one in found for part in range(len(DIGEST.cards))
        )


async def test_whichever_answer_is_lost_while_a_digest_goes_out_it_arrives_once(database_url):
    with Wire(database_url) as wire:
        store = await PostgresStore.open(wire.url, size=2)
        for lost in range(1, ENOUGH):
            await asyncio.to_thread(emptied, database_url)
            town = Town(store)
            await town.fill()
            wire.lose, before = lost, wire.lost
            await town.go_on()
            wire.lose = None
            await town.everything_arrived_once()
            if wire.lost == before:
                break
        await store.close()
    assert lost > 5


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda store: store.set_fact("name", "value"), lambda store: store.fact("name")),
        (lambda store: store.keep_sealed("name", "text"), lambda store: store.sealed("name")),
        (lambda store: store.keep_text("text"), lambda store: store.kept_text("3a7r2oj54yucu2mo")),
        (lambda store: store.note_letter("s1/x", "begun", NOON), lambda store: store.letter("s1/x")),
        (lambda store: store.enqueue(make_delivery()), lambda store: store.delivery("s1", TODAY)),
        (lambda store: store.remove_subscriptions(["s0"], make_change()), lambda store: store.changes()),
        (lambda store: store.forget("slack:T1/"), lambda store: store.subscriptions()),
    ],
    ids=["fact", "sealed", "text", "letter", "enqueue", "remove", "forget"],
)
async def test_what_can_be_asked_twice_leaves_the_same_where_the_answer_was_lost(database_url, change, kept):
    with Wire(database_url) as wire:
        store = await PostgresStore.open(wire.url, size=1)
        await store.add_subscription(make_subscription("s0", created_by="slack:T2/U1"), make_change())
        wire.lose = 1
        with pytest.raises(StoreError, match="cannot be reached"):
            await change(store)
        once = await kept(store)
        await change(store)
        assert await kept(store) == once
        await store.close()


async def test_a_mark_whose_answer_was_lost_is_there(database_url):
    with Wire(database_url) as wire:
        store = await PostgresStore.open(wire.url, size=1)
        wire.lose = 1
        with pytest.raises(StoreError):
            await store.mark(make_mark())
        assert list(await store.marks()) == [make_mark()]
        await store.close()


async def test_whoever_is_in_a_hurry_does_not_wait_for_a_database_that_is_away(database_url):
    async with Relay(urlsplit(database_url).port) as relay, asyncio.timeout(60):
        store = await PostgresStore.open(relay.url(database_url), size=1, patience=3600)
        await store.set_fact("a", "1")
        relay.swallows = True  # the network is silent, so that one who is in no hurry holds the only connection
        waiting = asyncio.create_task(store.subscriptions())
        await until(lambda: store.database.pool.get_stats()["pool_available"] == 0)
        with hurried(0.05):
            with pytest.raises(StoreUnreachable, match="cannot be reached"):
                await store.fact("a")
            with pytest.raises(StoreUnreachable, match="cannot be reached"):
                await store.set_fact("a", "2")
        assert not waiting.done()
        relay.swallows = False
        relay.break_all()
        with pytest.raises(StoreUnreachable):
            await waiting
        assert await store.fact("a") == "1"
        await store.close()


async def test_a_database_that_is_away_during_a_drain_loses_nothing_and_is_told_of_twice(caplog):
    caplog.set_level(logging.INFO)
    with PostgresServer() as server:
        store = await PostgresStore.open(server.new_database(), size=4, patience=0.05)
        town = Town(store)
        await town.fill(3)
        town.platform.lose_reply_after = 1
        await town.minute()
        caplog.clear()
        await asyncio.to_thread(server.stop)
        for _ in range(4):
            await town.minute()
        assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR"]
        await asyncio.to_thread(server.start)
        await until(town.is_back)
        await town.go_on()
        await town.everything_arrived_once(3)
        await store.close()
    told = [record.getMessage() for record in caplog.records if record.name == "core.database"]
    assert len(told) == 2
    assert "cannot be reached" in told[0]
    assert "All that needs it waits" in told[0]
    assert re.fullmatch(r"the database is back after \d+ s", told[1])


async def test_connections_that_were_closed_while_nobody_looked_are_replaced_unnoticed(caplog):
    with PostgresServer() as server:
        store = await PostgresStore.open(server.new_database(), size=4)
        await asyncio.gather(*(store.set_fact(f"{n}", "x" * 5000) for n in range(20)))
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        assert await asyncio.gather(*(store.fact(f"{n}") for n in range(20))) == ["x" * 5000] * 20
        await store.close()
    assert [record.getMessage() for record in caplog.records] == []
