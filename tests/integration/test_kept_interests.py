"""What interests mean is kept beside the library: over a restart, bounded, and never missed where it is lost."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest

from core.digests.digest import Order, compose
from core.papers.windows import OnDay
from core.search import kept_interests
from core.search.asking import MUCH_NEW, Asking
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.kept_interests import Kept, KeptInterests
from core.search.matrix import pack
from core.search.meaning import Meaning
from core.search.query import parse
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.shelves import open_library
from tests.worlds import MONDAY, MONDAY_DATE, make_record

PAPERS = (
    make_record("2611.00001", "Cars on Slippery Roads", abstract="How cars brake on slippery roads in winter."),
    make_record("2611.00002", "Automobile Braking Distances", abstract="How an automobile brakes in winter on ice."),
    make_record("2611.00003", "Whales Sing at Night", abstract="Songs of whales were recorded below arctic ice."),
)


@dataclass
class CountedModel(FakeModel):
    """Counts how often it is opened, and what it is asked."""

    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    opened: int = 0

    def open(self, *, threads):
        self.opened += 1
        return super().open(threads=threads)


@dataclass
class CountedEmbedder(FakeEmbedder):
    """Notes which queries it reads."""

    asked: list[str] = field(default_factory=list)

    def embed_query(self, text):
        self.asked.append(text)
        return super().embed_query(text)


@asynccontextmanager
async def shelf(folder):
    """A library that was read for meaning, and its model, which was not opened since."""
    model = CountedModel(CountedEmbedder())
    async with open_library(folder) as library:
        await library.ingest(PAPERS, now=MONDAY)
        reader = Reader(library, FakeModels(model))
        await reader.read_missing()
        await reader.close()
        model.opened = 0
        yield library, model


@pytest.fixture
async def read(tmp_path):
    async with shelf(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def started(library, model):
    """An engine, as a start makes one; what it keeps is on disk in the end."""
    engine = Engine(library, Meaning(library.path, FakeModels(model)))
    yield engine
    engine.close()


async def chosen(engine, library, interests="cars"):
    digest = await compose(Order(parse(interests), OnDay(MONDAY_DATE), 5), engine=engine, library=library)
    return sorted(item.ranked.paper.id[-1] for item in digest.chosen)


async def test_after_a_restart_known_interests_are_not_read_again_and_the_model_stays_closed(read):
    library, model = read
    async with started(library, model) as engine:
        assert await chosen(engine, library) == ["1", "2"]
    assert (model.opened, model.embedder.asked) == (1, ["cars"])
    async with started(library, model) as engine:
        assert await chosen(engine, library) == ["1", "2"]
        assert model.opened == 1
        assert "3" in await chosen(engine, library, "whales")
    assert model.embedder.asked == ["cars", "whales"]


async def test_interests_without_words_open_no_model(read):
    library, model = read
    async with started(library, model) as engine:
        assert await chosen(engine, library, "cat:cs.LG") == ["1", "2", "3"]
    assert model.opened == 0


async def test_another_model_does_not_take_what_one_has_read(read):
    library, model = read
    async with started(library, model) as engine:
        await chosen(engine, library)
    other = CountedModel(CountedEmbedder(key="other"))
    reader = Reader(library, FakeModels(other))
    await reader.read_missing()
    await reader.close()
    async with started(library, other) as engine:
        await chosen(engine, library)
    assert other.embedder.asked == ["cars"]


@pytest.mark.parametrize("damage", [b"no database at all", b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_damaged_file_is_replaced_and_nothing_is_missed(read, damage):
    library, model = read
    path = library.path.parent / kept_interests.FILE
    path.write_bytes(damage)
    for _ in range(3):
        async with started(library, model) as engine:
            assert await chosen(engine, library) == ["1", "2"]
    assert model.embedder.asked == ["cars", "cars"]


async def test_where_nothing_can_be_kept_digests_are_made_all_the_same(read):
    library, model = read
    (library.path.parent / kept_interests.FILE).mkdir()
    for _ in range(2):
        async with started(library, model) as engine:
            assert await chosen(engine, library) == ["1", "2"]
    assert model.embedder.asked == ["cars", "cars"]


async def test_a_model_that_cannot_be_opened_leaves_interests_to_their_words(read):
    library, model = read
    model.broken = True
    async with started(library, model) as engine:
        assert await chosen(engine, library) == ["1"]


async def test_after_many_new_papers_the_nearest_are_looked_for_again_without_the_model(read):
    library, model = read
    known = Meaning(library.path, FakeModels(model)).look()
    asking = Asking(KeptInterests(library.path.parent))
    first = asking.ask(parse("cars"), known)
    numbers = np.arange(10, 10 + MUCH_NEW)
    vector = known.embedder.embed_query("cars")
    known.matrix.put(numbers, pack(np.tile(vector, (MUCH_NEW, 1)), known.matrix.centre))
    later = asking.ask(parse("cars"), known)
    assert later.least > first.least
    assert later.vector.tolist() == first.vector.tolist()
    assert model.embedder.asked == ["cars", "cars"]  # the second one was ours


def meant(number):
    return Kept(np.full(8, number, np.float32), number / 2, number)


def test_what_was_kept_comes_back_as_it_was(tmp_path):
    kept = KeptInterests(tmp_path)
    kept.put(b"one", meant(1))
    kept.put(b"two", meant(2))
    kept.close()
    found = KeptInterests(tmp_path).get(b"two")
    assert (found.vector.tolist(), found.least, found.papers) == ([2.0] * 8, 1.0, 2)
    assert KeptInterests(tmp_path).get(b"three") is None


def test_what_nobody_asked_for_in_30_days_goes_and_what_is_used_stays(tmp_path):
    now = MONDAY

    def keep(name, *, read=()):
        kept = KeptInterests(tmp_path, lambda: now)
        for one in read:
            kept.get(one)
        kept.put(name, meant(1))
        kept.close()

    keep(b"unused")
    keep(b"used")
    now += timedelta(days=20)
    keep(b"later", read=[b"used"])
    now += timedelta(days=20)
    keep(b"last")
    there = [name for name in (b"unused", b"used", b"later", b"last") if KeptInterests(tmp_path).get(name)]
    assert there == [b"used", b"later", b"last"]


def test_of_more_than_there_is_room_for_the_longest_unused_go(tmp_path):
    day = [MONDAY]
    kept = KeptInterests(tmp_path, lambda: day[0], most=3)
    for number in range(6):
        kept.put(bytes([number]), meant(number))
        kept.close()
        day[0] += timedelta(days=1)
    assert [number for number in range(6) if KeptInterests(tmp_path).get(bytes([number]))] == [3, 4, 5]


def test_the_file_holds_no_text_of_the_interests(tmp_path):
    kept = KeptInterests(tmp_path)
    kept.put(b"digest", meant(1))
    kept.close()
    assert b"cars" not in (tmp_path / kept_interests.FILE).read_bytes()
