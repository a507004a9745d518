"""Papers are read for meaning once for all machines: who reads, who takes, and what breaks in between."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, closing

import numpy as np
import psycopg
import pytest

from bots.embedding import Keeper
from bots.house import open_house
from core.database import hold
from core.errors import LibraryError
from core.papers.shared_line import Line
from core.search.embedding import BLOCK, Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.query import parse
from core.search.shared_vectors import READING, SharedVectors
from core.search.vectors import VectorFile, vector_path, vector_paths
from core.settings import read_settings
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.shelves import NOON, join_library, make_record


class Machine:
    """A replica with what is known of it by meaning."""

    def __init__(self, library, url, models):
        self.library = library
        self.models = models
        self.vectors = SharedVectors(library, Line(url), models)

    async def read(self):
        """Do as the service does; returns how many papers were read here, None where it was not this one's turn."""
        await self.library.follow()
        async with self.vectors.turn() as mine:
            if not mine:
                return None
            reader = Reader(self.library, self.models)
            try:
                return await reader.read_missing()
            finally:
                await reader.close()

    async def finds(self, text):
        found = await Engine(self.library, Meaning(self.library.path, self.models)).search(parse(text), limit=9)
        return [hit.paper.id for hit in found.hits]

    def known(self):
        with closing(VectorFile.open(vector_path(self.library.path.parent, "fake"))) as file:
            blocks = list(file.blocks_after(0))
            return {
                number: row.tobytes()
                for block in blocks
                for number, row in zip(block.numbers, block.packed.rows, strict=True)
            }, file.is_whole


@pytest.fixture
async def machine(tmp_path, database_url):
    async with AsyncExitStack() as stack:

        async def start(name, models=None):
            library = await stack.enter_async_context(join_library(tmp_path / name, database_url))
            return Machine(library, database_url, models or FakeModels())

        yield start


def papers(count, first=0):
    return [make_record(f"x:{n}", f"Cars {n}", abstract=f"number {n}") for n in range(first, first + count)]


def texts(machine):
    """What was embedded here, without the subjects of all sciences that every new file begins with."""
    return [text for text in machine.models.now.embedder.seen if text.startswith("Cars")]


async def test_what_one_reads_the_others_take(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(BLOCK + 5), now=NOON)
    assert await first.read() == BLOCK + 5
    assert await second.read() is None
    assert (first.vectors.settled, second.vectors.settled) == (True, True)
    assert first.known() == second.known()
    assert len(second.known()[0]) == BLOCK + 5
    assert second.known()[1]
    assert texts(second) == []
    assert await second.finds("automobile") != []


async def test_what_is_added_is_read_by_whoever_comes_first_and_once(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    await first.read()
    await second.read()
    await first.library.ingest(papers(2, first=3), now=NOON)
    assert await second.read() == 2
    assert await first.read() is None
    assert first.known() == second.known()
    assert (len(texts(first)), len(texts(second))) == (3, 2)


async def test_what_changes_nothing_of_the_texts_is_read_by_nobody_and_settles_all(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    await first.read()
    await second.read()
    changed = [make_record("x:0", "Cars 0", abstract="number 0", comment="8 pages")]
    await first.library.ingest(changed, now=NOON)
    assert await first.read() == 0
    assert await second.read() is None
    assert second.vectors.settled
    assert first.known() == second.known()


async def test_a_machine_without_a_model_takes_what_others_read(machine):
    first, without = await machine("a"), await machine("b", FakeModels(now=None))
    await first.library.ingest(papers(3), now=NOON)
    assert await without.read() is None
    assert not without.vectors.settled
    await first.read()
    assert await without.read() is None
    assert without.vectors.settled
    assert without.known() == first.known()


async def test_while_one_reads_no_other_does(machine, database_url):
    second = await machine("b")
    await second.library.ingest(papers(3), now=NOON)
    async with hold(database_url, READING) as held:
        assert held
        assert await second.read() is None
        assert not second.vectors.settled
    assert await second.read() == 3


async def test_nothing_is_taken_of_papers_that_a_replica_does_not_have_yet(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    await first.read()
    await second.read()
    await first.library.ingest(papers(2, first=3), now=NOON)
    await first.read()
    await second.vectors.exchange()  # without having followed
    with closing(VectorFile.open(vector_path(second.library.path.parent, "fake"))) as file:
        assert file.upto == 3
    await second.read()
    assert second.known() == first.known()


async def test_what_a_dead_machine_had_not_shared_is_shared_when_it_is_back(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    reader = Reader(first.library, first.models)  # as a process that was killed before it shared
    await reader.read_missing()
    await reader.close()
    await first.library.ingest(papers(2, first=3), now=NOON)
    assert await second.read() == 5
    assert await first.read() is None
    assert first.known() == second.known()
    assert first.vectors.settled


async def test_what_was_read_before_a_failure_is_kept_and_read_on(machine):
    def fail_late(given):
        if any(text.startswith(f"Cars {BLOCK}\n") for text in given):
            raise LibraryError("the disk is full")

    first = await machine("a", FakeModels(FakeModel(FakeEmbedder(before=fail_late))))
    second = await machine("b")
    await first.library.ingest(papers(BLOCK + 2), now=NOON)
    with pytest.raises(LibraryError, match="disk is full"):
        await first.read()
    await first.vectors.exchange()
    assert await second.read() == 2
    assert len(texts(second)) == 2
    assert len(second.known()[0]) == BLOCK + 2


async def test_a_file_with_a_centre_of_its_own_gives_way_to_what_all_share(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    await second.library.follow()
    path = vector_path(second.library.path.parent, "fake")
    identity = await second.library.fact("identity")
    other = {"model": "fake fake", "centre": np.ones(512, np.float32).tobytes(), "subjects": b""}
    VectorFile.make(path, identity, lambda: other).close()
    await first.read()
    await second.read()
    assert second.vectors.remade == 1
    assert second.known() == first.known()
    assert await second.finds("automobile") != []


async def test_a_lost_file_of_vectors_is_taken_anew(machine):
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)
    await first.read()
    await second.read()
    for path in vector_paths(second.library.path.parent):
        path.unlink()
    await second.read()
    assert second.known() == first.known()
    assert texts(second) == []


async def test_an_old_models_vectors_go_when_the_new_ones_have_been_whole_for_a_week(machine, database_url):
    old, new = await machine("a"), await machine("b", FakeModels(FakeModel(FakeEmbedder(key="new"))))
    await old.library.ingest(papers(3), now=NOON)
    await old.read()
    assert await new.read() == 3
    with psycopg.connect(database_url, autocommit=True) as connection:
        keys = "SELECT key FROM library_models ORDER BY key"
        assert connection.execute(keys).fetchall() == [("fake",), ("new",)]
        connection.execute("UPDATE library_models SET whole_at = whole_at - interval '8 days'")
        await new.vectors.exchange()
        assert connection.execute(keys).fetchall() == [("new",)]
        assert connection.execute("SELECT DISTINCT key FROM library_vectors").fetchall() == [("new",)]


async def test_whoever_loses_the_lock_is_told_and_another_goes_on(machine, postgres, database_url):
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    first, second = await machine("a"), await machine("b")
    await first.library.ingest(papers(3), now=NOON)

    async def read_for_ever():
        async with first.vectors.turn() as mine:
            assert mine
            loop.call_soon(began.set)
            await asyncio.sleep(60)

    reading = asyncio.create_task(read_for_ever())
    await began.wait()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'paperboy reads%'"
    await asyncio.to_thread(postgres.run, f"{end} AND datname = '{database_url.rpartition('/')[2]}'")
    with pytest.raises(LibraryError, match="was lost"):
        await reading
    assert await second.read() == 3


async def test_a_database_that_is_away_is_one_sentence(tmp_path, database_url):
    async with join_library(tmp_path, database_url, papers(1)) as library:
        vectors = SharedVectors(library, Line("postgresql://me:hush@127.0.0.1:1/papers"), FakeModels())
        with pytest.raises(LibraryError, match=r"^The database papers at 127.0.0.1 cannot be reached"):
            async with vectors.turn():
                pass


@asynccontextmanager
async def running(keeper):
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_service_without_a_model_takes_what_another_machine_read(machine, tmp_path, database_url):
    first = await machine("a")
    await first.library.ingest(papers(3), now=NOON)
    await first.read()
    no_model = {"PAPERBOY_MODEL__CACHE": str(tmp_path / "models"), "PAPERBOY_MODEL__WAYS": "path"}
    settings = read_settings({"PAPERBOY_HOME": str(tmp_path / "b"), "DATABASE_URL": database_url, **no_model})
    async with open_house(settings, owner=True, clock=lambda: NOON) as house, running(Keeper(house)):
        async with asyncio.timeout(60):
            while not house.has_all_vectors():
                await asyncio.sleep(0.02)
        with closing(VectorFile.open(vector_path(tmp_path / "b", "fake"))) as file:
            assert len(file.digests()._numbers) == 3
