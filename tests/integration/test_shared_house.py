"""Houses on several machines that stand on one database: what one fetches all read, and what they read without it."""

from __future__ import annotations

import asyncio
from argparse import Namespace

import pytest

from bots.house import open_house
from bots.terminal.moving import move
from core.database import migrate
from core.errors import LibraryError, StoreError
from core.papers.library import LIBRARY_FILE
from core.settings import read_settings
from core.store.backup import back_up
from tests.fakes import make_change, make_delivery, make_subscription
from tests.servers.postgres import PostgresServer
from tests.shelves import NOON, listed, make_record


def house(folder, url, *, owner=True):
    environment = {"PAPERBOY_HOME": str(folder), "PAPERBOY_MODEL__ENABLED": "false", "DATABASE_URL": url}
    return open_house(read_settings(environment), owner=owner, clock=lambda: NOON)


async def until_held(library, count):
    async with asyncio.timeout(60):
        while await library.count() != count:
            await asyncio.sleep(0.02)


async def test_what_one_machine_takes_in_all_others_read(tmp_path, database_url):
    async with house(tmp_path / "a", database_url) as first, house(tmp_path / "b", database_url) as second:
        await first.library.ingest([make_record()], now=NOON)
        await until_held(second.library, 1)
    async with house(tmp_path / "c", database_url, owner=False) as reader:
        assert await reader.library.count() == 1


async def test_a_reading_command_sees_the_newest_beside_the_service_on_its_folder(tmp_path, database_url):
    async with house(tmp_path / "a", database_url), house(tmp_path / "b", database_url) as elsewhere:
        await elsewhere.library.ingest([make_record()], now=NOON)
        async with house(tmp_path / "a", database_url, owner=False) as reader:
            assert await reader.library.count() == 1


async def test_listings_go_on_behind_what_deliveries_hold_of_a_lost_library(tmp_path, database_url):
    async with house(tmp_path / "a", database_url) as first:
        await first.store.add_subscription(make_subscription(), make_change())
        await first.store.enqueue(make_delivery(upto=40))
    async with house(tmp_path / "b", database_url) as second:
        await second.library.ingest([make_record(listings=listed(NOON.date()))], now=NOON)
        assert await second.library.newest_sequence() == 41


async def test_without_its_database_a_machine_reads_its_copy_and_says_so(tmp_path, caplog):
    with PostgresServer() as server:
        url = server.new_database()
        await asyncio.to_thread(migrate, url)
        async with house(tmp_path, url) as opened:
            await opened.library.ingest([make_record()], now=NOON)
        server.stop()
        async with house(tmp_path, url, owner=False) as reader:
            assert await reader.library.count() == 1
            with pytest.raises(StoreError, match="cannot be reached"):
                await reader.store.subscriptions()
        assert "cannot be reached" in caplog.text
        assert "Papers are read from this machine's copy" in caplog.text
        (tmp_path / LIBRARY_FILE).unlink()
        with pytest.raises(
            LibraryError, match=r"cannot be reached .* There is no copy of its papers on this machine\."
        ):
            async with house(tmp_path, url, owner=False):
                pass
        with pytest.raises(StoreError, match="cannot be reached"):
            async with house(tmp_path, url):
                pass


async def test_a_command_that_may_not_write_the_folder_reads_its_copy(tmp_path, database_url, caplog):
    async with house(tmp_path / "a", database_url) as opened:
        await opened.library.ingest([make_record()], now=NOON)
    lock = tmp_path / "a" / f"{LIBRARY_FILE}.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # as a folder that takes no files would refuse it
    async with house(tmp_path / "a", database_url, owner=False) as reader:
        assert await reader.library.count() == 1
    assert "Papers are read from this machine's copy" in caplog.text


async def test_whoever_only_reads_leaves_the_copy_of_another_database_alone(tmp_path, database_url, postgres):
    async with house(tmp_path, database_url) as opened:
        await opened.library.ingest([make_record()], now=NOON)
    other = postgres.new_database()
    migrate(other)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(LibraryError, match=r"is of another database; `paperboy run` keeps it under another name"):
        async with house(tmp_path, other, owner=False):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    async with house(tmp_path, database_url, owner=False) as reader:
        assert await reader.library.count() == 1


async def test_a_copy_is_not_changed_by_whoever_does_not_know_the_database(tmp_path, database_url):
    async with house(tmp_path, database_url) as opened:
        await opened.library.ingest([make_record()], now=NOON)
    alone = read_settings({"PAPERBOY_HOME": str(tmp_path), "PAPERBOY_MODEL__ENABLED": "false"})
    with pytest.raises(LibraryError, match=r"is a copy of a database's papers.* set DATABASE_URL"):
        async with open_house(alone, owner=True):
            pass
    async with open_house(alone, owner=False) as reader:
        assert await reader.library.count() == 1
    with pytest.raises(LibraryError, match=r"is a copy of a database's papers.* set DATABASE_URL"):
        back_up(tmp_path, tmp_path / "b.tar.gz", NOON)
    to = Namespace(to=str(tmp_path / "new"))
    with pytest.raises(LibraryError, match=r"is a copy of a database's papers.* set DATABASE_URL"):
        await move(to, alone)
