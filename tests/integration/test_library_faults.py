"""What a library does when its file, its folder or its disk is not as it should be: one sentence, nothing lost."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import LibraryError
from core.papers.library import Library, migrate
from core.papers.schema import STEPS, apply_steps, connect, explained, prepare, transaction
from core.papers.tokens import RULES
from core.search.engine import Engine
from core.search.query import parse
from tests.shelves import NOON, make_record, open_library


async def refused(path, *, read_only=False):
    with pytest.raises(LibraryError) as caught:
        await Library.open(path, read_only=read_only)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "library.sqlite"
    path.write_bytes(b"not a database, but somebody's letter" * 100)
    assert "is not a library" in await refused(path)
    assert path.read_bytes().startswith(b"not a database")


async def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "library.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE somebodys (x)")
    assert "not a library of paperboy" in await refused(path)


async def test_a_broken_library_is_one_sentence(tmp_path):
    many = [make_record(f"x:{number}", abstract=f"words {number} " * 50) for number in range(200)]
    async with open_library(tmp_path, many) as library:
        path = library.path
    body = bytearray(path.read_bytes())
    body[4096 * 2 :] = b"\xff" * (len(body) - 4096 * 2)
    path.write_bytes(body)
    with pytest.raises(LibraryError, match=r"is broken; move it away"):
        async with open_library(tmp_path) as library:
            await library.papers(f"x:{number}" for number in range(200))


async def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be opened" in await refused(tmp_path / "file" / "library.sqlite")


async def test_a_folder_in_place_of_the_file_is_one_sentence(tmp_path):
    assert "cannot be opened" in await refused(tmp_path)


async def test_a_folder_that_takes_no_files_is_one_sentence():
    assert "cannot be opened" in await refused(Path("/proc/paperboy/library.sqlite"))


async def test_a_file_without_the_right_to_write_is_one_sentence(tmp_path):
    async with open_library(tmp_path) as library:
        path = library.path
    with (
        closing(connect(path, read_only=True)) as connection,
        pytest.raises(LibraryError, match=r"cannot be written; check the rights"),
        explained(path),
    ):
        connection.execute("INSERT INTO facts VALUES ('a', 'b')")


async def test_a_library_that_another_process_holds_is_one_sentence(tmp_path):
    async with open_library(tmp_path) as library:
        path = library.path
    with closing(connect(path)) as holder, closing(connect(path)) as waiting:
        waiting.execute("PRAGMA busy_timeout = 1")
        with transaction(holder), pytest.raises(LibraryError, match=r"another process"), explained(path):
            waiting.execute("BEGIN IMMEDIATE")


async def test_reading_where_there_is_nothing_says_how_to_begin(tmp_path):
    path = tmp_path / "library.sqlite"
    assert "paperboy fetch" in await refused(path, read_only=True)
    assert not path.exists()


async def test_reading_an_empty_file_says_how_to_begin(tmp_path):
    path = tmp_path / "library.sqlite"
    path.touch()
    assert "paperboy fetch" in await refused(path, read_only=True)


async def test_a_library_that_was_opened_for_reading_is_not_written(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        pass
    reader = await Library.open(library.path, read_only=True)
    try:
        with pytest.raises(LibraryError, match="for reading only"):
            await reader.ingest([make_record("2610.00002")], now=NOON)
        assert await reader.count() == 1
    finally:
        await reader.close()


async def test_a_closed_library_says_so(tmp_path):
    async with open_library(tmp_path) as library:
        pass
    with pytest.raises(LibraryError, match="is closed"):
        await library.count()


async def test_a_full_disk_keeps_nothing_of_the_batch_and_everything_before(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        pages = await library.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await library.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 10}").fetchone())
        many = [make_record(f"x:{number}", abstract=f"words {number} " * 200) for number in range(200)]
        with pytest.raises(LibraryError, match=r"is full; nothing was kept of this"):
            await library.ingest(many, now=NOON, facts={"place": "9"})
        assert (await library.count(), await library.fact("place")) == (1, None)
        await library.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
        assert (await library.ingest(many, now=NOON)).new == 200


async def test_a_disk_that_takes_no_more_bytes_is_one_sentence_and_mends_itself(tmp_path):
    many = [make_record(f"x:{number}", abstract=f"words {number} " * 200) for number in range(400)]
    async with open_library(tmp_path, [make_record()]) as library:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        try:
            with pytest.raises(LibraryError, match=r"is full|disk reports an error"):
                await library.ingest(many, now=NOON)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await library.count() == 1
        assert (await library.ingest(many, now=NOON)).new == 400


async def test_a_library_of_a_newer_paperboy_is_refused_with_both_versions(tmp_path):
    async with open_library(tmp_path) as library:
        await library.write(lambda connection: connection.execute("PRAGMA user_version = 99"))
    sentence = await refused(library.path)
    assert "version 99" in sentence
    assert f"knows {len(STEPS)}" in sentence


async def test_a_library_of_an_older_paperboy_asks_for_migrate(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        path = library.path
    steps = (*STEPS, "CREATE TABLE tomorrow (x)")
    with closing(connect(path)) as connection:
        with pytest.raises(LibraryError, match=r"run `paperboy migrate`"):
            prepare(connection, path, steps=steps)
        assert apply_steps(connection, path, steps=steps) == (len(STEPS), len(STEPS) + 1)
        prepare(connection, path, steps=steps)
        assert connection.execute("SELECT title FROM papers").fetchall() == [("Grokking",)]


async def test_a_migration_that_fails_leaves_the_library_as_it_was(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        path = library.path
    with closing(connect(path)) as connection, pytest.raises(sqlite3.Error):
        apply_steps(connection, path, steps=(*STEPS, "CREATE TABLE tomorrow (x);\nNONSENSE"))
    async with open_library(tmp_path) as library:
        assert await library.count() == 1
        tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'tomorrow'"
        assert await library.read(lambda connection: connection.execute(tables).fetchone()) == (0,)


async def test_migrating_a_library_of_this_version_does_nothing(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        path = library.path
    assert migrate(path) == (len(STEPS), len(STEPS))


async def test_words_that_were_indexed_by_other_rules_are_indexed_again(tmp_path):
    async with open_library(tmp_path, [make_record(title="Grokking Quickly")]) as library:
        await library.write(lambda c: c.execute("INSERT INTO words (words) VALUES ('delete-all')"))
        await library.write(lambda c: c.execute("UPDATE papers SET title_key = ''"))
        await library.set_fact("words made by", "0/other")
    async with open_library(tmp_path) as library:
        assert await library.fact("words made by") == RULES
        assert (await Engine(library).search(parse("grokking"), limit=5)).total == 1
        await library.ingest([make_record(title="Something Else", version=2)], now=NOON)
        assert (await Engine(library).search(parse("grokking"), limit=5)).total == 0
