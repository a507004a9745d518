"""Everything in one file, also while it changes; restored it is the same, and nothing is ever overwritten."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import sqlite3
import stat
import tarfile
from argparse import Namespace
from contextlib import closing

import pytest

from bots.terminal.backup import restore as restore_command
from core.errors import PaperboyError, StoreError
from core.papers.library import Library
from core.settings import read_settings
from core.store.backup import CONTENTS, back_up, back_up_chest, restore
from core.store.embedded import EmbeddedStore
from core.store.folder_chest import read_folder
from tests.fakes import NOON, make_change, make_delivery, make_mark, make_subscription, read_whole
from tests.worlds import MONDAY, make_record


async def fill(folder):
    """Put something of everything into a data folder; returns all of it, as its readers see it."""
    store = await EmbeddedStore.open(folder)
    await store.add_subscription(make_subscription(), make_change())
    await store.enqueue(make_delivery())
    await store.mark(make_mark())
    await store.set_fact("fact", "value")
    token = await store.keep_text("a long query")
    library = await Library.open(folder / "library.sqlite3")
    await library.ingest([make_record(f"2611.{n:05}", f"Paper {n}") for n in range(200)], now=MONDAY)
    await library.close()
    (folder / "secret.key").write_text("s" * 43)
    await store.close()
    return await read(folder, token), token


async def read(folder, token):
    store = await EmbeddedStore.open(folder, read_only=True)
    library = await Library.open(folder / "library.sqlite3", read_only=True)
    try:
        papers = await library.papers([f"2611.{n:05}" for n in range(200)])
        return {
            **await read_whole(store),
            "text": await store.kept_text(token),
            "papers": papers,
            "listed": await library.newest_sequence(),
            "found": await library.read(
                lambda c: c.execute("SELECT rowid FROM words WHERE words MATCH 'paper'").fetchall()
            ),
            "secret": (folder / "secret.key").read_text(),
        }
    finally:
        await library.close()
        await store.close()


@pytest.fixture
async def filled(tmp_path):
    whole, token = await fill(tmp_path / "data")
    return tmp_path / "data", whole, token


async def test_what_is_restored_is_what_was_backed_up(tmp_path, filled):
    folder, whole, token = filled
    names = back_up(folder, tmp_path / "b.tar.gz", NOON)
    assert set(names) == {"deliveries.sqlite3", "state-00000001.json", "secret.key", "library.sqlite3"}
    contents = restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert contents.made_at == NOON
    assert await read(tmp_path / "new", token) == whole
    assert await read(folder, token) == whole


async def test_a_restored_folder_goes_on(tmp_path, filled):
    folder, _, _ = filled
    back_up(folder, tmp_path / "b.tar.gz", NOON)
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    store = await EmbeddedStore.open(tmp_path / "new")
    assert store.notices == ()
    assert await store.enqueue(make_delivery()) is False
    await store.add_subscription(make_subscription("s2"), make_change())
    await store.close()
    store = await EmbeddedStore.open(tmp_path / "new")
    assert [item.number for item in await store.subscriptions()] == [1, 2]
    await store.close()


async def test_only_its_owner_can_read_it_and_nothing_else_is_left(tmp_path, filled):
    folder, _, _ = filled
    back_up(folder, tmp_path / "b.tar.gz", NOON)
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert {path.name for path in tmp_path.iterdir()} == {"data", "b.tar.gz", "new"}


async def test_what_reading_back_leaves_behind_is_not_in_it(tmp_path, filled):
    folder, before, token = filled
    with read_folder(folder) as source:
        names = back_up_chest(source, folder / "secret.key", tmp_path / "b.tar.gz", NOON, lambda _done, _all: None)
    assert not [name for name in names if name.endswith(("-shm", "-wal"))]
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert await read(tmp_path / "new", token) == before


async def test_indexes_and_copies_are_left_out(tmp_path, filled):
    folder, _, _ = filled
    for name in ("vectors-1.sqlite3", "deliveries.copy.sqlite3", "library.sqlite3.broken-1", "paperboy.lock"):
        (folder / name).write_bytes(b"x")
    assert len(back_up(folder, tmp_path / "b.tar.gz", NOON)) == 4


async def test_a_backup_of_a_folder_that_changes_is_one_state_of_it(tmp_path, filled):
    folder, _, _ = filled
    store = await EmbeddedStore.open(folder, journal_bound=2_000)
    library = await Library.open(folder / "library.sqlite3")
    done = asyncio.Event()

    async def change():
        number = 0
        while not done.is_set():
            number += 1
            await store.add_subscription(make_subscription(f"n{number}", f"fake:{number}"), make_change(f"n{number}"))
            await store.enqueue(make_delivery(f"n{number}", upto=number))
            await library.ingest([make_record(f"2612.{number:05}", f"Later {number}")], now=MONDAY)

    changing = asyncio.create_task(change())
    try:
        for number in range(3):
            await asyncio.to_thread(back_up, folder, tmp_path / f"{number}.tar.gz", NOON)
    finally:
        done.set()
        await changing
        await store.close()
        await library.close()
    for number in range(3):
        restored = tmp_path / f"new{number}"
        restore(tmp_path / f"{number}.tar.gz", restored)
        again = await EmbeddedStore.open(restored)
        library = await Library.open(restored / "library.sqlite3")
        kept = [item.id for item in await again.subscriptions() if item.id != "s1"]
        delivered = await again.latest_deliveries([f"n{n}" for n in range(1, 100_000)])
        assert again.notices == ()
        assert {change.what for change in await again.changes()} == {"subscribed", *kept}
        assert set(delivered) <= set(kept)
        held = await library.papers([f"2612.{n:05}" for n in range(1, len(kept) + 2)])
        assert len(held) >= len(delivered) - 1
        with closing(sqlite3.connect(restored / "library.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        await again.close()
        await library.close()


async def test_a_folder_that_holds_something_is_never_overwritten(tmp_path, filled):
    folder, whole, token = filled
    back_up(folder, tmp_path / "b.tar.gz", NOON)
    with pytest.raises(StoreError, match=r"data is not empty, and nothing is overwritten"):
        restore(tmp_path / "b.tar.gz", folder)
    assert await read(folder, token) == whole
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        restore(tmp_path / "b.tar.gz", tmp_path / "file")
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "b.tar.gz", tmp_path / "empty")
    assert await read(tmp_path / "empty", token) == whole


@pytest.mark.parametrize("name", ["volume", "link"])
async def test_a_folder_that_is_there_stays_the_same_folder_as_volumes_and_links_must(tmp_path, filled, name):
    folder, whole, token = filled
    back_up(folder, tmp_path / "b.tar.gz", NOON)
    (tmp_path / "volume").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "volume")
    (tmp_path / "volume" / ".unfinished").mkdir()
    (tmp_path / "volume" / ".unfinished" / "half").write_text("what a killed one left")
    before = (tmp_path / name).stat().st_ino
    restore(tmp_path / "b.tar.gz", tmp_path / name)
    assert (tmp_path / name).stat().st_ino == before
    assert await read(tmp_path / name, token) == whole
    assert not [path for path in (tmp_path / name).iterdir() if path.is_dir()]
    assert (tmp_path / "link").is_symlink()


def test_a_backup_is_written_through_no_link_that_somebody_else_put_there(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text("s" * 43)
    (tmp_path / "theirs").write_text("")
    (tmp_path / "b.unfinished").symlink_to(tmp_path / "theirs")
    back_up(tmp_path / "data", tmp_path / "b", NOON)
    assert (tmp_path / "theirs").read_text() == ""
    assert stat.S_IMODE((tmp_path / "b").lstat().st_mode) == 0o600


async def test_a_file_that_is_there_is_never_overwritten(tmp_path, filled):
    folder, _, _ = filled
    (tmp_path / "b").write_text("mine")
    with pytest.raises(StoreError, match="is there already, and nothing is overwritten"):
        back_up(folder, tmp_path / "b", NOON)
    assert (tmp_path / "b").read_text() == "mine"


def test_what_cannot_be_backed_up_is_one_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="There is nothing in"):
        back_up(tmp_path / "none", tmp_path / "b", NOON)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "library.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"cannot be written .file is not a database.; nothing was left of it"):
        back_up(tmp_path / "data", tmp_path / "b", NOON)
    with pytest.raises(StoreError, match=r"cannot be written .No such file or directory."):
        back_up(tmp_path / "data", tmp_path / "no" / "b", NOON)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("length", [250, 300])
async def test_a_name_that_no_folder_takes_is_one_sentence_also_where_there_is_nothing_to_remove(
    tmp_path, filled, length
):
    folder, _, _ = filled
    with pytest.raises(StoreError, match=r"cannot be written .File name too long.; nothing was left of it"):
        back_up(folder, tmp_path / ("b" * length), NOON)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_a_broken_state_is_not_backed_up_as_if_it_were_whole(tmp_path, filled):
    folder, _, _ = filled
    journal = next(path for path in folder.glob("state-*.journal") if path.stat().st_size)
    data = journal.read_bytes()
    journal.write_bytes(data[:20] + b"#" + data[21:])
    with pytest.raises(StoreError, match="is broken, so there is no backup of it; start paperboy to mend it"):
        back_up(folder, tmp_path / "b", NOON)


def pack(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, body in members:
            item = tarfile.TarInfo(name)
            item.size = len(body)
            archive.addfile(item, io.BytesIO(body))


def pack_link(path, kind, target):
    with tarfile.open(path, "w:gz") as archive:
        item = tarfile.TarInfo(CONTENTS)
        item.type, item.linkname = kind, target
        archive.addfile(item)


def contents(files, version=1):
    return CONTENTS, json.dumps({"version": version, "made_at": "2026-11-23T07:00:00Z", "files": files}).encode()


def pack_part(path, name, body):
    pack(path, contents({name: hashlib.sha256(body).hexdigest()}), (name, body))


def other_database():
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE papers (number); PRAGMA user_version = 1")
        return database.serialize()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_text("hello"), "is not a whole backup"),
        (lambda path: path.write_bytes(gzip.compress(b"hello")), "is not a whole backup"),
        (lambda path: path.mkdir(), "cannot be read .Is a directory."),
        (lambda path: None, "cannot be read .No such file"),
        (lambda path: pack(path, ("x", b"y")), "is not a backup of paperboy"),
        (lambda path: pack(path, (CONTENTS, b"{}")), "is not a whole backup"),
        (lambda path: pack(path, contents({}, version=9)), "made by a newer paperboy"),
        (lambda path: pack(path, contents({"secret.key": "0"})), "'secret.key' is missing"),
        (lambda path: pack(path, contents({"secret.key": "0"}), ("secret.key", b"x")), "secret.key is not what was"),
        (lambda path: pack(path, contents({"../evil": "0"}), ("../evil", b"x")), "'../evil' is missing"),
        (lambda path: pack_link(path, tarfile.SYMTYPE, CONTENTS), "is not a backup of paperboy"),
        (lambda path: pack_link(path, tarfile.LNKTYPE, "nowhere"), "is not a backup of paperboy"),
        (lambda path: pack(path, (CONTENTS, b" " * 2_000_000)), "is not a backup of paperboy"),
        (lambda path: pack_part(path, "library.sqlite3", b"hello" * 500), "b is not a backup .* none of paperboy's"),
        (lambda path: pack_part(path, "deliveries.sqlite3", b"hello" * 500), "b is not a backup .* none of paperboy's"),
        (lambda path: pack_part(path, "state-00000001.json", b"[]"), "b is not a backup .* no state of paperboy's"),
        (lambda path: pack_part(path, "library.sqlite3", other_database()), "b is not a backup .* none of paperboy's"),
    ],
)
def test_what_is_no_whole_backup_is_one_sentence_and_restores_nothing(tmp_path, make, sentence):
    make(tmp_path / "b")
    with pytest.raises(StoreError, match=sentence):
        restore(tmp_path / "b", tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} <= {"b"}


async def test_a_secret_that_is_no_text_is_one_sentence_before_a_database_is_asked(tmp_path):
    secret = b"\xd0" * 40
    named = contents({"secret.key": hashlib.sha256(secret).hexdigest()})
    pack(tmp_path / "b", named, ("secret.key", secret))
    settings = read_settings(
        {"PAPERBOY_HOME": str(tmp_path / "home"), "DATABASE_URL": "postgresql://me@127.0.0.1:1/nowhere"}
    )
    with pytest.raises(PaperboyError, match=r"secret\.key holds no secret"):
        await restore_command(Namespace(file=tmp_path / "b"), settings)
    assert not any((tmp_path / "home").iterdir())


async def test_a_backup_that_was_cut_off_restores_nothing(tmp_path, filled):
    folder, _, _ = filled
    back_up(folder, tmp_path / "b", NOON)
    whole = (tmp_path / "b").read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(StoreError, match="nothing was restored"):
            restore(tmp_path / "cut", tmp_path / "new")
        assert not (tmp_path / "new").exists()


async def test_a_library_of_a_newer_paperboy_is_not_restored(tmp_path, filled):
    folder, _, _ = filled
    with closing(sqlite3.connect(folder / "library.sqlite3")) as database:
        database.execute("PRAGMA user_version = 99")
    back_up(folder, tmp_path / "b", NOON)
    with pytest.raises(StoreError, match=r"made by a newer paperboy \(library.sqlite3 is of version 99"):
        restore(tmp_path / "b", tmp_path / "new")
    assert not (tmp_path / "new").exists()


async def test_a_backup_of_an_older_version_is_brought_to_this_one(tmp_path, filled):
    folder, whole, token = filled
    with closing(sqlite3.connect(folder / "library.sqlite3")) as database:
        database.executescript("DROP TABLE happenings; PRAGMA user_version = 1")
    with closing(sqlite3.connect(folder / "deliveries.sqlite3")) as database:
        database.executescript("ALTER TABLE deliveries DROP COLUMN told; PRAGMA user_version = 1")
    back_up(folder, tmp_path / "b.tar.gz", NOON)
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert await read(tmp_path / "new", token) == whole
