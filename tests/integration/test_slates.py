"""What the digests of one moment look up together, and that none of them can tell."""

from __future__ import annotations

import numpy as np
import pytest

from core.digests.digest import Order, compose
from core.digests.slate import Ahead, Slates
from core.papers.windows import OnDay
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.query import parse
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.shelves import open_library
from tests.worlds import MONDAY, MONDAY_DATE, make_record

SUBJECTS = ("whales", "bread", "cars", "norse", "ice", "night", "flour", "primes", "salt", "songs", "roads", "bids")
PAPERS = tuple(
    make_record(f"2611.{n:05}", f"On {SUBJECTS[n % 12]} {n}", abstract=f"{SUBJECTS[n % 5]} and {SUBJECTS[n % 7]}.")
    for n in range(1, 91)
)


class Counting(FakeEmbedder):
    """A model that remembers which interests it was asked to read."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def embed_query(self, text):
        self.asked.append(text)
        return super().embed_query(text)


@pytest.fixture
async def shelf(tmp_path):
    embedder = Counting()
    async with open_library(tmp_path) as library:
        await library.ingest(PAPERS, now=MONDAY)
        models = FakeModels(FakeModel(embedder))
        reader = Reader(library, models)
        await reader.read_missing()
        yield library, Engine(library, Meaning(tmp_path / "library.sqlite", models)), embedder
        await reader.close()


async def choose(shelf, interests, slates=None, top=5):
    library, engine, _ = shelf
    return await compose(
        Order(parse(interests), OnDay(MONDAY_DATE), top), engine=engine, library=library, slates=slates
    )


def told(digest):
    return [(one.ranked.paper, round(one.ranked.score, 4), one.words, one.near) for one in digest.chosen]


def test_interests_that_come_are_read_once_each_and_only_when_their_turn_comes():
    read = []

    def reading(text):
        read.append(text)
        return parse(text)

    coming = Ahead(interests=["cars", "ice", "cars", "after:never", "salt"], read=reading).queries()
    assert [next(coming).text, next(coming).text] == ["cars", "ice"]
    assert read == ["cars", "ice"]
    assert [query.text for query in coming] == ["salt"]


async def test_the_interests_of_a_moment_are_looked_at_together_with_the_first(shelf):
    slates = Slates(Ahead(interests=SUBJECTS))
    await choose(shelf, SUBJECTS[0], slates)
    assert sorted(shelf[2].asked) == sorted(SUBJECTS)


async def test_many_digests_of_a_moment_are_those_that_each_would_be_alone(shelf):
    interests = [f"{one} {other}" for one in SUBJECTS for other in SUBJECTS[:6]]
    slates = Slates(Ahead(interests=interests[::-1]))
    for asked in interests:
        assert told(await choose(shelf, asked, slates)) == told(await choose(shelf, asked)), asked


async def test_what_was_looked_at_ahead_is_as_near_as_what_was_not(shelf):
    library, engine, embedder = shelf
    vectors = [embedder.embed_query(subject) for subject in SUBJECTS]

    def look(connection):
        pool = engine.pool(connection, OnDay(MONDAY_DATE))
        before = [pool.nearness(vector) for vector in vectors]
        pool.compare(vectors[:8])
        return [pool.is_compared(vector) for vector in vectors], before, [pool.nearness(vector) for vector in vectors]

    compared, before, after = await library.read(look)
    assert compared == [True] * 8 + [False] * 4
    assert np.allclose(before, after, atol=1e-6)


async def test_of_equal_papers_the_first_by_date_and_id_are_chosen_however_many_there_are(shelf):
    library, engine, _ = shelf
    for top in (5, 60, 100):
        order = Order(parse(""), OnDay(MONDAY_DATE), top, varied=False)
        digest = await compose(order, engine=engine, library=library)
        assert [one.ranked.paper.id for one in digest.chosen] == [record.id for record in PAPERS[:top]]
