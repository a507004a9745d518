"""How often one digest waits for PostgreSQL, counted on the wire."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.chat.newsroom import Newsroom
from core.delivery.carrying import Carrier
from core.delivery.errands import Errand, Errands
from core.delivery.outbox import compose_delivery, due_subscriptions
from core.errors import StoreUnreachable
from core.papers.calendar import Calendar
from core.search.engine import Engine
from core.settings import Settings
from core.store import State
from core.store.postgres import PostgresStore
from tests.fake_platform import FakePlatform
from tests.fakes import make_change, make_mark, make_subscription
from tests.inline_library import InlineLibrary
from tests.servers.wire import Wire
from tests.worlds import make_record

MORNING = datetime(2026, 11, 2, 8, tzinfo=UTC)
PLACE = "fake:C1"


@pytest.fixture
def wire(database_url):
    with Wire(database_url) as wire:
        yield wire


@pytest.fixture
async def store(wire):
    opened = await PostgresStore.open(wire.url, size=1)
    yield opened
    await opened.close()


async def prepared(store):
    """A newsroom with a paper, a subscription that is due, and a place that has had a taste."""
    library = InlineLibrary()
    record = make_record("2611.00001", "Grokking", day=MORNING.date())
    await library.ingest([record], now=MORNING - timedelta(minutes=5))
    created = MORNING - timedelta(hours=1)
    item = make_subscription(
        "s1", PLACE, interests="", timezone="UTC", days=(0,), created_at=created, active_from=created
    )
    await store.add_subscription(item, make_change())
    await store.mark(make_mark(place=PLACE, paper="2610.00001"))
    newsroom = Newsroom(library=library, engine=Engine(library), store=store, settings=Settings(), calendar=Calendar())
    return library, newsroom


async def test_an_errand_that_composes_and_delivers_takes_three_trips(wire, store):
    """What it begins from; composed and about to be posted; posted. Its job takes two more: taken, and ended."""
    library, newsroom = await prepared(store)
    platform = FakePlatform()
    carrier = Carrier(store=store, platforms={"fake": platform}, clock=lambda: MORNING, jitter=lambda: 0.0)
    errands = Errands(store=store, newsroom=newsroom, carrier=carrier, clock=lambda: MORNING)
    (errand,) = await errands.find(MORNING)
    before = wire.trips
    assert await errands.run(errand) is None
    assert wire.trips - before == 3
    delivery = await store.delivery("s1", errand.day)
    assert (delivery.state, len(delivery.shown), delivery.attempts) == (State.SENT, 1, 1)
    assert len(platform.posts) == 1
    await library.close()


async def test_what_was_composed_already_takes_three_as_well(wire, store):
    library, newsroom = await prepared(store)
    (due,) = await due_subscriptions(store, MORNING)
    assert await store.enqueue(await compose_delivery(due, newsroom, MORNING))
    platform = FakePlatform()
    carrier = Carrier(store=store, platforms={"fake": platform}, clock=lambda: MORNING, jitter=lambda: 0.0)
    errands = Errands(store=store, newsroom=newsroom, carrier=carrier, clock=lambda: MORNING)
    before = wire.trips
    assert await errands.run(Errand("s1", due.day, PLACE)) is None
    assert wire.trips - before == 3
    assert len(platform.posts) == 1
    await library.close()


async def test_those_that_wait_for_a_batch_are_asked_about_in_one_trip(wire, store):
    library, newsroom = await prepared(store)
    for number in range(5):
        item = make_subscription(
            f"w{number}", f"fake:W{number}", interests="", timezone="UTC", days=(0,), when_ready=True, at=None,
            active_from=MORNING - timedelta(days=1),
        )  # fmt: skip
        await store.add_subscription(item, make_change())
    carrier = Carrier(store=store, platforms={}, clock=lambda: MORNING, jitter=lambda: 0.0)
    errands = Errands(store=store, newsroom=newsroom, carrier=carrier, clock=lambda: MORNING)
    before = wire.trips
    assert len(await errands.find(MORNING)) == 6
    assert wire.trips - before == 2
    await library.close()


async def test_what_is_read_in_one_moment_comes_in_one_trip_whoever_asks(wire, store):
    before = wire.trips
    facts = await asyncio.gather(*(store.fact(f"{number}") for number in range(30)), store.subscriptions())
    assert facts == [None] * 30 + [[]]
    assert wire.trips - before == 1


async def test_what_fails_for_one_who_asks_fails_for_all_and_the_next_are_answered(wire, store):
    wire.lose = 1
    found = await asyncio.gather(*(store.fact(f"{number}") for number in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [StoreUnreachable] * 3
    assert await store.fact("1") is None
