"""The roles of config/deploy/postgres: one changes the schema, one reads and writes rows, one only reads."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import procrastinate
import psycopg
import pytest
from procrastinate.psycopg_connector import PsycopgConnector

from core.database import NEWEST, migrate
from core.errors import StoreError
from core.papers.shared_line import Line
from core.search.embedding import Reader
from core.search.shared_vectors import SharedVectors
from core.store import State
from core.store.postgres import PostgresStore
from tests.fake_models import FakeModels
from tests.fakes import NOON, make_change, make_delivery, make_mark, make_subscription
from tests.servers.sources import SourcesServer
from tests.shells import Shell
from tests.shelves import join_library, listed, make_record

ROLES = (Path(__file__).parents[2] / "config" / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def addresses(postgres):
    """By role, the address of a database that was made as the file says."""
    for_cluster, for_database = ROLES.split("\\connect paperboy\n")
    for command in commands(for_cluster):
        postgres.run(command)
    for command in commands(for_database):
        postgres.run(command, "paperboy")
    migrate(postgres.url("paperboy", "paperboy_owner"))
    yield {role: postgres.url("paperboy", f"paperboy_{role}") for role in ("owner", "app", "reader")}
    postgres.run("DROP DATABASE paperboy WITH (FORCE)")
    for role in ("owner", "app", "reader"):
        postgres.run(f"DROP ROLE paperboy_{role}")


def commands(text):
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [command for part in "\n".join(lines).split(";") if (command := part.strip())]


async def test_the_app_can_do_everything_that_a_store_does(addresses):
    store = await PostgresStore.open(addresses["app"], size=2)
    try:
        kept = await store.add_subscription(make_subscription(), make_change())
        await store.enqueue(make_delivery())
        assert await store.move(make_delivery(state=State.SENT, message=""), expected=State.PENDING)
        assert await store.mark(make_mark())
        await store.keep_sealed("keys:x", "one")
        assert await store.replace_sealed("keys:x", "two", expected="one")
        assert await store.take_sealed("keys:x") == "two"
        await store.note_letter("s1/2026-10-01", "begun", NOON)
        await store.keep_text("text")
        await store.set_fact("fact", "1")
        assert await store.replace_fact("fact", "2", expected="1")
        (candidate,) = await store.candidates(NOON)
        await store.put_off([(candidate, NOON)], NOON)
        assert await store.prune(NOON) == 0
        assert await store.forget(kept.address) == 1
    finally:
        await store.close()


async def test_the_app_can_do_everything_that_papers_need(addresses, tmp_path):
    async with (
        join_library(tmp_path / "a", addresses["app"]) as first,
        join_library(tmp_path / "b", addresses["app"]) as second,
    ):
        await first.ingest([make_record("2611.00001", listings=listed(date(2026, 10, 8)))], now=NOON)
        await second.follow()
        paper = await second.paper("2611.00001")
        assert paper is not None
        assert paper == await first.paper("2611.00001")


async def test_papers_and_vectors_are_shared_with_the_apps_role(addresses, postgres, tmp_path):
    postgres.run("CREATE DATABASE others TEMPLATE paperboy")
    url, models, paper = postgres.url("others", "paperboy_app"), FakeModels(), make_record("x:1")
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
    postgres.run("DROP DATABASE others WITH (FORCE)")


def test_papers_are_fetched_and_the_service_runs_with_the_apps_role(addresses, tmp_path):
    with SourcesServer() as sources:
        shell = Shell(tmp_path, {**sources.environment, "DATABASE_URL": addresses["app"]})
        with shell.start("run") as service:
            service.page()
            service.fetched()
            ended = service.end()
        assert ended.code == 0
        assert '"ERROR"' not in ended.err
        assert "grokking" in shell.run("search", "grokking").out.lower()


async def test_the_app_can_queue_and_take_jobs(addresses):
    app = procrastinate.App(connector=PsycopgConnector(conninfo=addresses["app"]))
    async with app.open_async():
        await app.configure_task("deliver", queueing_lock="s1/2026-11-25").defer_async()
        worker = await app.job_manager.register_worker()
        job = await app.job_manager.fetch_job(queues=None, worker_id=worker)
        assert job is not None
        await app.job_manager.finish_job(job, procrastinate.jobs.Status.SUCCEEDED, delete_job=True)


@pytest.mark.parametrize(
    "command",
    [
        "DROP TABLE subscriptions",
        "ALTER TABLE subscriptions ADD COLUMN x text",
        "TRUNCATE deliveries",
        "CREATE TABLE mine (x text)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "DROP FUNCTION procrastinate_unlink_periodic_defers_v1 CASCADE",
        "COPY subscriptions TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE paperboy_owner",
    ],
)
def test_the_app_can_change_no_schema_and_reach_nothing_else(addresses, command):
    with (
        psycopg.connect(addresses["app"], autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(command)


def test_the_reader_reads_everything_and_changes_nothing(addresses):
    with psycopg.connect(addresses["reader"], autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 10
        for (name,) in tables:
            connection.execute(f"SELECT count(*) FROM {name}")
        for command in (
            "DELETE FROM marks",
            "INSERT INTO small_facts VALUES ('a', 'b')",
            "UPDATE marks SET kind = 'up'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(command)


async def test_an_older_schema_cannot_be_migrated_with_the_lesser_role_and_that_is_said(addresses, postgres):
    postgres.run("UPDATE paperboy_version SET version_num = '0001'", "paperboy")
    try:
        with pytest.raises(StoreError, match=r"refuses its user"):
            await asyncio.to_thread(migrate, addresses["app"])
    finally:
        postgres.run(f"UPDATE paperboy_version SET version_num = '{NEWEST}'", "paperboy")


def test_nobody_else_gets_into_the_database(addresses, postgres):
    postgres.run("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(postgres.url("paperboy", "stranger"))
    finally:
        postgres.run("DROP ROLE stranger")


async def test_an_app_that_finds_no_schema_says_which_right_it_lacks(addresses, postgres):
    postgres.run("CREATE DATABASE empty OWNER paperboy_owner")
    try:
        with pytest.raises(
            StoreError, match=r"refuses its user .*`paperboy migrate` as .*docs/operating\.md names the rights"
        ):
            await PostgresStore.open(postgres.url("empty", "paperboy_app"))
    finally:
        postgres.run("DROP DATABASE empty WITH (FORCE)")
