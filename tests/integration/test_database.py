"""The pool of connections and the schema's version, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from core.database import MIGRATIONS, NEWEST, Database, migrate, read_version
from core.errors import StoreError
from tests.servers.postgres import PostgresServer


def set_version(postgres, url, version):
    postgres.run(f"UPDATE paperboy_version SET version_num = '{version}'", url.rpartition("/")[2])


def test_the_newest_version_is_the_last_step():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


async def test_an_empty_database_is_given_the_schema(postgres):
    url = postgres.new_database()
    assert await read_version(url) is None
    database = await Database.open(url)
    await database.close()
    assert await read_version(url) == NEWEST


async def test_several_who_open_an_empty_database_at_once_make_one_schema(postgres):
    url = postgres.new_database()
    with ThreadPoolExecutor(3) as threads:
        before = sorted(str(found) for found, _ in threads.map(migrate, [url] * 3))
    assert before == [NEWEST, NEWEST, "None"]


async def test_an_older_schema_is_refused_with_the_way_out(postgres, database_url):
    set_version(postgres, database_url, "0001")
    with pytest.raises(StoreError, match=r"of version 0001, this paperboy needs \d+; run `paperboy migrate`\."):
        await Database.open(database_url)


@pytest.mark.parametrize("change", [Database.open, lambda url: asyncio.to_thread(migrate, url)])
async def test_a_newer_schema_is_refused_and_left_alone(postgres, database_url, change):
    set_version(postgres, database_url, "9999")
    with pytest.raises(StoreError, match=r"of version 9999, this paperboy knows \d+ at most; use the newer paperboy\."):
        await change(database_url)
    assert await read_version(database_url) == "9999"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql://me:hush@127.0.0.1:1/papers",
            r"^The database papers at .* cannot be reached \(.*refused",
        ),
        ("{server}/nowhere", "The database nowhere .* does not exist"),
        ("postgresql://stranger:hush@127.0.0.1:{port}/postgres", "role .stranger. does not exist"),
    ],
)
async def test_what_cannot_be_reached_is_told_without_the_password(postgres, url, told):
    url = url.format(server=postgres.url("x").rpartition("/")[0], port=postgres.port)
    with pytest.raises(StoreError, match=told) as failure:
        await Database.open(url)
    assert "hush" not in str(failure.value)


async def begin_and_fail(database):
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO notes VALUES ('half')")
        await connection.execute("SELECT 1 / 0")


async def test_a_transaction_is_kept_whole_or_not_at_all(database_url):
    database = await Database.open(database_url)
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE notes (text text)")
    with pytest.raises(StoreError, match="division by zero"):
        await begin_and_fail(database)
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM notes")
        assert await cursor.fetchone() == (0,)
    await database.close()


async def test_instants_come_out_in_utc(database_url):
    database = await Database.open(database_url)
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT now()")).fetchone()
    await database.close()
    assert row is not None
    assert row[0].utcoffset() == timedelta(0)


async def answers(database):
    """Whether it answers, which whoever asks waits for a moment."""
    try:
        async with database.connection() as connection:
            return await (await connection.execute("SELECT 1")).fetchone() == (1,)
    except StoreError:
        return False


async def test_a_server_that_comes_back_is_used_again():
    with PostgresServer() as server:
        database = await Database.open(server.new_database(), patience=0.2)
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            async with database.connection() as connection:
                await connection.execute("SELECT 1")
        server.start()
        async with asyncio.timeout(60):
            while not await answers(database):
                pass
        await database.close()


async def test_a_lock_is_held_by_one_at_a_time_and_each_name_is_another(database_url):
    first, second = await Database.open(database_url), await Database.open(database_url)
    async with first.lock("fetching") as held, second.lock("fetching") as also, second.lock("embedding") as other:
        assert (held, also, other) == (True, False, True)
    async with second.lock("fetching") as held:
        assert held
    for database in (first, second):
        await database.close()


async def test_a_lock_ends_with_its_body_also_when_that_fails(database_url):
    database = await Database.open(database_url)
    with pytest.raises(KeyError):
        async with database.lock("fetching"):
            raise KeyError
    async with database.lock("fetching") as held:
        assert held
    await database.close()


async def hold_until_lost(database, postgres, ended):
    async with database.lock("fetching") as held:
        assert held
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'paperboy fetching'"
        try:
            await asyncio.to_thread(postgres.run, f"{end} AND datname = '{database.url.rpartition('/')[2]}'")
            await asyncio.sleep(60)
        finally:
            ended.append(True)


async def test_whoever_loses_the_lock_is_stopped_at_once(postgres, database_url):
    database = await Database.open(database_url)
    ended = []
    with pytest.raises(StoreError, match="was lost, and with it what was held there"):
        await hold_until_lost(database, postgres, ended)
    assert ended == [True]
    async with database.lock("fetching") as held:
        assert held
    await database.close()


async def test_who_is_stopped_by_others_lets_go_of_the_lock(database_url):
    database = await Database.open(database_url)
    began = asyncio.Event()

    async def hold():
        async with database.lock("fetching"):
            began.set()
            await asyncio.sleep(60)

    holding = asyncio.create_task(hold())
    await began.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    async with database.lock("fetching") as held:
        assert held
    await database.close()
