"""Digests of several places that are made at once: each as it would be alone, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery.outbox import fill_outbox
from core.delivery.side_by_side import side_by_side
from core.digests.digest import Order, compose
from core.digests.slate import Ahead, Slates
from core.digests.subscription import Due
from core.digests.taste import Taste
from core.errors import QueryError, StoreError
from core.papers.plan import SourceState, keep_state, read_state, source_states
from core.papers.sources import SOURCES
from core.papers.windows import OnDay
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.query import parse
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.fakes import NOON, TODAY, MemoryStore, make_subscription
from tests.shelves import open_library
from tests.worlds import ALICE, MONDAY, MONDAY_DATE, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
SUBJECTS = ("whales", "bread", "cars", "norse", "ice", "night", "flour")
PAPERS = tuple(
    make_record(f"2611.{n:05}", f"On {SUBJECTS[n % 7]} {n}", abstract=f"{SUBJECTS[n % 5]} and {SUBJECTS[n % 3]}.")
    for n in range(1, 31)
)
PLACES = tuple(f"fake:C{number}" for number in range(1, 6))
IDS = tuple(record.id for record in PAPERS)


class Refusing(MemoryStore):
    """A store that does not keep what is for one place."""

    refused = ""

    async def enqueue(self, delivery):
        if delivery.address == self.refused:
            raise StoreError("The disk is full.")
        return await super().enqueue(delivery)


async def subscribe(world, interests, place):
    assert "Subscribed" in words(await world.ask(f"subscribe {interests} in UTC daily at 08:00", place=place))


async def shown_in(world):
    return {delivery.address: len(delivery.shown) for delivery in await world.house.store.open_deliveries()}


def as_told(digest):
    return (
        [(one.ranked.paper, one.words, one.also, one.near, one.liked) for one in digest.chosen],
        (digest.considered, digest.matched, digest.seen, digest.upto),
    )


def scores(digest):
    return [part for one in digest.chosen for part in (one.ranked.score, one.ranked.relevance, one.ranked.taste)]


async def test_a_digest_that_cannot_be_kept_takes_no_other_with_it_and_is_made_by_the_next_look(tmp_path):
    store = Refusing()
    async with open_world(tmp_path, PAPERS, store=store) as world:
        for place, interests in zip(PLACES, SUBJECTS, strict=False):
            await subscribe(world, interests, place)
        store.refused = PLACES[1]
        with pytest.raises(StoreError, match="disk is full"):
            await fill_outbox(world.house.newsroom, store, AT_EIGHT)
        assert set(await shown_in(world)) == {*PLACES} - {PLACES[1]}
        store.refused = ""
        assert await fill_outbox(world.house.newsroom, store, AT_EIGHT + timedelta(minutes=1)) == 1
        assert set(await shown_in(world)) == {*PLACES}


async def test_interests_that_cannot_be_met_any_more_say_so_and_all_others_have_their_papers(tmp_path):
    async with open_world(tmp_path, PAPERS) as world:
        for place, interests in zip(PLACES, SUBJECTS, strict=False):
            await subscribe(world, interests, place)
        store = world.house.store
        lost = (await store.subscriptions(PLACES[2]))[0]
        await store.replace_subscription(
            replace(lost, interests="like:2501.99999"), (await store.changes(PLACES[2]))[0]
        )
        assert await world.tick(AT_EIGHT) == len(PLACES)
        posted = {post.address: post.message for post in world.platform.posts if post.part == 0}
        assert "cannot be read" in words(posted.pop(PLACES[2]))
        assert len(posted) == len(PLACES) - 1
        assert all(titles(message) for message in posted.values())


async def test_a_morning_of_many_places_is_that_of_each_place_alone(tmp_path):
    """So in one round of all as in as many rounds as there are places."""
    asked = [(f"fake:C{number}", SUBJECTS[number % 7]) for number in range(20)]
    told = []
    for name, rounds in (("together", [asked]), ("alone", [[one] for one in asked])):
        async with open_world(tmp_path / name, PAPERS) as world:
            for several in rounds:
                for place, interests in several:
                    await subscribe(world, interests, place)
                assert await world.tick(AT_EIGHT) == len(several)
            told.append({post.address: titles(post.message) for post in world.platform.posts if post.part == 0})
    assert told[0] == told[1]
    assert len(told[0]) == 20


async def test_a_person_who_wants_no_repeats_is_shown_nothing_of_the_same_moment_again(tmp_path):
    async with open_world(tmp_path, PAPERS) as world:
        for place in PLACES:
            await subscribe(world, "whales top 2", place)
        await world.ask("subscribe whales no repeats top 9 in UTC daily at 08:00", place=ALICE, private=True)
        await world.tick(AT_EIGHT)
        deliveries = {one.address: {shown.paper for shown in one.shown} for one in await shown_lately(world)}
        own = deliveries.pop(ALICE)
        assert own
        assert all(own.isdisjoint(shown) for shown in deliveries.values())


async def shown_lately(world):
    store = world.house.store
    subscriptions = [one.id for one in await store.subscriptions()]
    return (await store.latest_deliveries(subscriptions)).values()


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.booleans()), max_size=20), st.integers(1, 5))
def test_whatever_is_due_is_made_in_its_order_beside_what_it_has_nothing_to_do_with(wanted, most):
    found = [
        Due(make_subscription(f"s{number}", address, no_repeats=alone), TODAY, NOON)
        for number, (address, alone) in enumerate(wanted)
    ]
    portions = list(side_by_side(found, most))
    assert [due for several in portions for due in several] == found
    for several in portions:
        assert 1 <= len(several) <= most
        assert len({due.subscription.address for due in several}) == len(several)
        assert len(several) == 1 or not any(due.subscription.no_repeats for due in several)


def any_order(chance):
    """An order as they come: with and without words, filters, marks, papers to leave out and papers to keep."""
    asked = chance.choice(
        ["", "whales", "bread flour", "cars -ice", '"on night"', "like:2611.00003", "norse cat:cs.LG"]
    )
    liked, disliked = chance.sample(IDS[:15], chance.randrange(5)), chance.sample(IDS[15:], chance.randrange(4))
    return Order(
        parse(asked),
        OnDay(MONDAY_DATE),
        chance.randint(1, 6),
        leave_out=frozenset(chance.sample(IDS, chance.randrange(10))),
        keep=tuple(chance.sample(IDS, chance.choice([0, 0, 2]))),
        others=((2, parse("ice")),) if chance.random() < 0.3 else (),
        taste=Taste(dict.fromkeys(liked, chance.randint(1, 3)), dict.fromkeys(disliked, 1)),
        varied=chance.random() < 0.8,
    )


@pytest.mark.parametrize("meaning", [True, False])
async def test_chosen_together_or_one_by_one_digests_are_the_same(tmp_path, meaning):
    chance = random.Random(20261124)
    orders = [any_order(chance) for _ in range(60)]
    marked = [paper for order in orders[:40] for paper in order.taste.liked]
    async with open_library(tmp_path) as library:
        await library.ingest(PAPERS, now=MONDAY)
        models = FakeModels(FakeModel(FakeEmbedder()))
        reader = Reader(library, models)
        if meaning:
            await reader.read_missing()
        engine, slates = (
            Engine(library, Meaning(tmp_path / "library.sqlite", models)),
            Slates(Ahead(marked, ["cars", "whales"])),
        )
        together = await asyncio.gather(
            *(compose(order, engine=engine, library=library, slates=slates) for order in orders)
        )
        assert sum(bool(digest.chosen) for digest in together) > 30
        for order, digest in zip(orders, together, strict=True):
            alone = await compose(order, engine=engine, library=library)
            assert as_told(digest) == as_told(alone)
            assert scores(digest) == pytest.approx(scores(alone), abs=1e-5)
        await reader.close()


async def test_an_unknown_paper_to_be_like_is_told_to_nobody_but_who_asked(tmp_path):
    async with open_library(tmp_path) as library:
        await library.ingest(PAPERS, now=MONDAY)
        engine, slates = Engine(library), Slates()
        orders = [Order(parse(asked), OnDay(MONDAY_DATE), 3) for asked in ("whales", "like:2501.99999", "cars")]
        made = await asyncio.gather(
            *(compose(order, engine=engine, library=library, slates=slates) for order in orders),
            return_exceptions=True,
        )
        assert isinstance(made[1], QueryError)
        for order, digest in zip(orders[::2], made[::2], strict=True):
            assert as_told(digest) == as_told(await compose(order, engine=engine, library=library))
            assert digest.chosen


async def test_how_the_sources_stand_is_the_same_in_one_go(tmp_path):
    async with open_library(tmp_path) as library:
        assert await source_states(library) == {name: await read_state(library, name) for name in SOURCES}
        await keep_state(library, SourceState("arxiv", NOON, NOON, "has answered 429"))
        states = await source_states(library)
        assert states == {name: await read_state(library, name) for name in SOURCES}
        assert states["arxiv"].reason == "has answered 429"
