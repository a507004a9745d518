"""A data folder whose library cannot be read any more: its owner begins a new one, and loses nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from bots.house import open_house
from core.errors import LibraryBroken, LibraryError
from core.papers.library import LIBRARY_FILE, Library, set_aside
from core.settings import read_settings
from tests.fakes import make_change, make_delivery, make_subscription
from tests.shelves import NOON, listed, make_record

ASIDE = f"{LIBRARY_FILE}.broken-20261008T130507Z"
DAY = date(2026, 10, 8)
NOISE = bytes(range(7, 256)) * 12


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "data"
    home.mkdir()
    return home


def house(folder, *, owner=True):
    settings = read_settings({"PAPERBOY_HOME": str(folder), "PAPERBOY_MODEL__ENABLED": "false"})
    return open_house(settings, owner=owner, clock=lambda: datetime(2026, 10, 8, 13, 5, 7, tzinfo=UTC))


async def fill(folder, number=5):
    """Fill a library, and let a subscription have everything in it."""
    async with house(folder) as opened:
        records = [make_record(f"2610.{n:05}", listings=listed(DAY)) for n in range(1, number + 1)]
        await opened.library.ingest(records, now=NOON)
        await opened.store.add_subscription(make_subscription(), make_change())
        delivery = make_delivery(upto=await opened.library.newest_sequence())
        await opened.store.enqueue(delivery)
    return delivery.upto


def damaged(path, start, junk):
    body = bytearray(path.read_bytes())
    body[start : start + len(junk)] = junk
    path.write_bytes(body)


def notices(caplog):
    return [record.getMessage() for record in caplog.records if "broken" in record.getMessage()]


@pytest.mark.parametrize("start", [0, 16, 100], ids=["all noise", "header", "schema"])
async def test_a_broken_library_is_set_aside_told_once_and_a_new_one_begun(folder, caplog, start):
    await fill(folder)
    path = folder / LIBRARY_FILE
    damaged(path, start, NOISE)
    broken = path.read_bytes()
    for _ in range(2):
        async with house(folder) as opened:
            assert await opened.library.count() == 0
            assert [item.id for item in await opened.store.subscriptions()] == ["s1"]
    (notice,) = notices(caplog)
    assert notice.startswith(f"{path} was broken: ")
    assert notice.endswith(f"the broken file is kept as {ASIDE}.")
    assert (folder / ASIDE).read_bytes() == broken


def test_what_sqlite_left_beside_a_broken_library_goes_with_it(folder):
    for end in ("", "-wal", "-shm"):
        (folder / f"{LIBRARY_FILE}{end}").write_text(end)
    set_aside(folder / LIBRARY_FILE, datetime(2026, 10, 8, 13, 5, 7, tzinfo=UTC))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        ASIDE + end: end for end in ("", "-wal", "-shm")
    }


async def test_vectors_of_a_broken_library_are_not_taken_for_those_of_the_new_one(folder, caplog):
    (folder / LIBRARY_FILE).write_bytes(NOISE)
    vectors = folder / "vectors-0123.sqlite3"
    vectors.write_bytes(b"of papers whose numbers mean others soon")
    async with house(folder):
        pass
    assert not vectors.exists()
    assert len(notices(caplog)) == 1


async def test_what_is_listed_in_a_new_library_is_new_to_every_subscription(folder):
    upto = await fill(folder)
    (folder / LIBRARY_FILE).unlink()
    for _ in range(2):
        async with house(folder) as opened:
            assert await opened.library.newest_sequence() == 0
    async with house(folder) as opened:
        await opened.library.ingest([make_record("2610.00009", listings=listed(DAY))], now=NOON)
        assert await opened.library.newest_sequence() == upto + 1


async def test_a_number_that_was_given_is_never_given_again(folder):
    upto = await fill(folder)
    async with house(folder) as opened:
        await opened.library.number_listings_behind(upto - 2)
        await opened.library.ingest([make_record("2610.00009", listings=listed(DAY))], now=NOON)
        assert await opened.library.newest_sequence() == upto + 1


async def test_a_reader_leaves_a_broken_library_as_it_is(folder, caplog):
    path = folder / LIBRARY_FILE
    path.write_bytes(NOISE)
    with pytest.raises(LibraryBroken, match="it is broken"):
        async with house(folder, owner=False):
            pass
    assert path.read_bytes() == NOISE
    assert list(folder.glob("*.broken-*")) == notices(caplog) == []


async def of_a_newer_version(path):
    library = await Library.open(path)
    await library.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


async def of_another_program(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE somebodys (x)")


async def a_folder(path):
    path.mkdir()


@pytest.mark.parametrize("make", [of_a_newer_version, of_another_program, a_folder])
async def test_a_library_that_is_sound_but_cannot_be_used_is_never_set_aside(folder, make):
    await make(folder / LIBRARY_FILE)
    with pytest.raises(LibraryError) as caught:
        async with house(folder):
            pass
    assert not isinstance(caught.value, LibraryBroken)
    assert (folder / LIBRARY_FILE).exists()
    assert list(folder.glob("*.broken-*")) == []
