"""The rights that docs/operating.md gives: one role owns and migrates, another only reads and changes rows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import psycopg
import pytest

from core.database import NEWEST, migrate
from core.errors import StoreError
from core.papers.shared_line import Line
from core.search.embedding import Reader
from core.search.shared_vectors import SharedVectors
from core.store import State
from core.store.postgres import PostgresStore
from tests.fake_models import FakeModels
from tests.fakes import TODAY, make_change, make_delivery, make_mark, make_subscription
from tests.servers.postgres import PostgresServer
from tests.servers.sources import SourcesServer
from tests.shells import Shell
from tests.shelves import join_library, make_record

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


def commands(of):
    """Return the SQL that the page shows behind a comment."""
    section = OPERATING.read_text(encoding="utf-8").partition("## With PostgreSQL")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"(?m)^    -- {of}\n((?:^    .+\n)+)", section)
    return re.sub(r"(?m)^    ", "", found)


def run(server, text, database="postgres"):
    for command in filter(str.strip, text.split(";")):
        server.run(command, database)


@pytest.fixture(scope="module")
def server():
    """A server as the page says: made by an administrator, migrated by the owner."""
    with PostgresServer() as made:
        run(made, commands("as the administrator, in any database"))
        run(made, commands("as the administrator, in the new database"), "papers")
        migrate(made.url("papers", "paperboy_owner"))
        yield made


async def test_the_program_does_all_its_work_with_the_lesser_role(server):
    store = await PostgresStore.open(server.url("papers", "paperboy"), size=2)
    await store.add_subscription(make_subscription(), make_change())
    await store.enqueue(make_delivery())
    assert await store.move(make_delivery(state=State.SENDING), expected=State.PENDING)
    assert await store.mark(make_mark())
    await store.keep_text("text")
    await store.set_fact("fact", "1")
    assert await store.replace_fact("fact", "2", expected="1")
    await store.keep_sealed("name", "text")
    assert await store.take_sealed("name") == "text"
    await store.note_letter("s1/x", "begun", make_change().at)
    (candidate,) = await store.candidates(make_change().at)
    await store.put_off([(candidate, make_change().at)], make_change().at)
    await store.prune(make_change().at)
    assert (await store.delivery("s1", TODAY)).state is State.SENDING
    assert await store.forget("slack:T1/") == 1
    await store.close()


async def test_papers_and_vectors_are_shared_with_the_lesser_role(server, tmp_path):
    server.run("CREATE DATABASE others TEMPLATE papers")
    url, models, paper = server.url("others", "paperboy"), FakeModels(), make_record("x:1")
    async with join_library(tmp_path / "a", url, [paper]) as first, join_library(tmp_path / "b", url) as second:
        await first.set_fact("gone", "1")
        await first.write(lambda connection: connection.execute("DELETE FROM facts WHERE name = 'gone'"))
        await second.follow()
        assert await second.paper("x:1") == await first.paper("x:1")
        for library in (first, second):
            vectors = SharedVectors(library, Line(url), models)
            async with vectors.turn() as mine:
                if mine:
                    reader = Reader(library, models)
                    await reader.read_missing()
                    await reader.close()
            assert vectors.settled


def test_papers_are_fetched_and_the_service_runs_with_the_lesser_role(server, tmp_path):
    with SourcesServer() as sources:
        shell = Shell(tmp_path, {**sources.environment, "DATABASE_URL": server.url("papers", "paperboy")})
        with shell.start("run") as service:
            service.page()
            service.fetched()
            ended = service.end()
        assert ended.code == 0
        assert " ERROR " not in ended.err
        assert shell.run("search", "grokking").out.startswith("2 of 2 papers")


@pytest.mark.parametrize(
    "command",
    ["DROP TABLE subscriptions", "CREATE TABLE mine (a int)", "ALTER TABLE marks ADD x int", "TRUNCATE deliveries"],
)
def test_the_lesser_role_cannot_change_the_schema(server, command):
    with (
        psycopg.connect(server.url("papers", "paperboy"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(command)


async def test_a_role_without_rights_is_told_where_they_are_named(server):
    server.run("CREATE ROLE guest LOGIN")
    with pytest.raises(StoreError, match=r"refuses its user \(.*\); docs/operating.md names the rights\."):
        await PostgresStore.open(server.url("papers", "guest"))


async def test_an_older_schema_cannot_be_migrated_with_the_lesser_role_and_that_is_said(server):
    server.run("UPDATE paperboy_version SET version_num = '0001'", "papers")
    try:
        with pytest.raises(StoreError, match=r"refuses its user"):
            await asyncio.to_thread(migrate, server.url("papers", "paperboy"))
    finally:
        server.run(f"UPDATE paperboy_version SET version_num = '{NEWEST}'", "papers")
