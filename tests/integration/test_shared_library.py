"""Several machines and one database of papers: all end with the same, whatever breaks in between."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import date, timedelta
from textwrap import dedent

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import migrate
from core.errors import LibraryError
from core.papers.library import Library
from core.papers.replicated import DERIVED, LAYOUT, TABLES
from core.papers.schema import STEPS
from core.papers.shared_library import SharedLibrary
from core.papers.shared_line import Line
from core.papers.word_index import unindex_words
from core.search.engine import Engine
from core.search.query import parse
from core.spelling import own_text, shared_text
from tests.servers.postgres import PostgresServer
from tests.servers.relay import Relay
from tests.shelves import NOON, join_library, listed, make_record, make_signal, open_library
from tests.waiting import until

TODAY = date(2026, 10, 8)
COMPARED = (*(table.name for table in TABLES), *sorted(DERIVED - {"words"}))


def rows(connection):
    own = "SELECT * FROM facts WHERE name NOT IN ('words made by', 'model problem') ORDER BY 1"
    everything = {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in COMPARED}
    numbers = {name: connection.execute(f"SELECT rowid FROM {name}").fetchall() for name in ("records", "happenings")}
    return everything | {"facts": connection.execute(own).fetchall(), "numbers": numbers}


async def state(library):
    """Everything that two replicas have to agree on; the word index is checked against its own content."""
    checked = "INSERT INTO words (words) VALUES ('integrity-check')"
    await Library.write(library, lambda connection: connection.execute(checked).fetchall())
    return await library.read(rows)


@pytest.fixture
async def pair(tmp_path, database_url):
    async with (
        join_library(tmp_path / "a", database_url) as first,
        join_library(tmp_path / "b", database_url) as second,
    ):
        yield first, second


def day_of_papers(name, count=6, **fields):
    return [
        make_record(
            f"{name}:{number}",
            f"Title {number} of {name}",
            abstract=f"About {name} \0 and \1 {number}",
            authors=("Ann", "Bob"),
            categories=("cs.LG", "stat.ML"),
            listings=listed(TODAY),
            signals=(make_signal("upvotes", number),),
            **fields,
        )
        for number in range(count)
    ]


def test_every_table_of_a_library_is_shared_or_derived():
    tables = set()
    for step in STEPS:
        tables |= {
            line.split("(")[0].split()[-1] for line in step.split(";\n") if line.strip().startswith("CREATE TABLE")
        }
        tables |= {line.split()[3] for line in step.split(";\n") if line.strip().startswith("CREATE VIRTUAL TABLE")}
    assert tables == {table.name for table in TABLES} | DERIVED


def test_what_is_shared_is_of_the_version_of_the_tables():
    assert len(STEPS) == LAYOUT


async def test_the_database_has_every_column_of_a_shared_table(database_url, tmp_path):
    async with open_library(tmp_path) as library:
        for table in TABLES:
            held = await library.read(
                lambda c, name=table.name: [row[1] for row in c.execute(f"PRAGMA table_info({name})")]
            )
            assert set(held) - {"title_key"} == set(table.columns) - {"rowid"}
    with psycopg.connect(database_url) as connection:
        for table in TABLES:
            columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
            found = {name for (name,) in connection.execute(columns, (table.shared_name,))}
            assert found == {*table.columns, "batch"}


@given(st.text(alphabet="\0\1\2a"))
def test_any_text_comes_back_from_what_postgresql_can_hold(text):
    assert own_text(shared_text(text)) == text
    assert "\0" not in shared_text(text)


async def test_what_one_machine_writes_another_reads(pair):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON, facts={"place": "1"})
    assert await second.follow() is True
    assert await second.follow() is False
    assert await state(second) == await state(first)
    assert await second.paper("x:1") == await first.paper("x:1")
    assert (await Engine(second).search(parse("about x"), limit=9)).total == 6
    assert await second.fact("place") == "1"


async def test_what_changes_later_changes_everywhere(pair):
    first, second = pair
    await first.ingest(day_of_papers("x", version=1), now=NOON)
    await second.follow()
    later = [
        make_record("x:0", "Another title", abstract="Else.", version=2, categories=("cs.lg",)),
        make_record("x:1", source="hackernews", title="", signals=(make_signal("points", 9),)),
    ]
    await second.ingest(later, now=NOON + timedelta(days=3))
    await first.follow()
    assert await state(first) == await state(second)
    assert (await first.paper("x:0")).title == "Another title"
    assert (await Engine(first).search(parse("another"), limit=9)).total == 1


async def test_what_is_removed_is_removed_everywhere_and_may_come_back(pair):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON, facts={"gone": "1", "back": "1"})
    await second.follow()

    def remove(connection):
        connection.execute("DELETE FROM facts WHERE name IN ('gone', 'back')")
        connection.execute("DELETE FROM signals WHERE paper = 2")
        for name in ("listings", "records", "happenings"):
            connection.execute(f"DELETE FROM {name} WHERE paper = 3")

    await first.write(remove)
    await first.set_fact("back", "2")
    await second.follow()
    assert (await second.fact("gone"), await second.fact("back")) == (None, "2")
    assert await state(second) == await state(first)


async def test_a_removed_paper_is_found_nowhere_any_more(pair):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await second.follow()
    gone = "DELETE FROM papers WHERE id = 'x:5'"

    def remove(connection):
        (number, *texts) = connection.execute(
            "SELECT number, title, abstract, authors FROM papers WHERE id = 'x:5'"
        ).fetchone()
        unindex_words(connection, number, *texts)
        connection.execute("DELETE FROM paper_categories WHERE paper = ?", (number,))
        connection.execute("DELETE FROM paper_sources WHERE paper = ?", (number,))
        connection.execute(gone)

    await first.write(remove)
    await second.follow()
    assert await second.paper("x:5") is None
    assert await state(second) == await state(first)


async def test_both_write_at_once_and_end_with_the_same(pair):
    first, second = pair

    async def fill(library, name):
        for number in range(8):
            await library.ingest(day_of_papers(f"{name}{number % 3}", count=4, version=number), now=NOON)
            await library.set_fact(f"last of {name}", str(number))

    await asyncio.gather(fill(first, "a"), fill(second, "b"), fill(first, "c"))
    for library in pair:
        await library.follow()
    assert await state(first) == await state(second)
    assert await first.count() == 36
    changes = [change for change, _ in await first.changed_after(0, 1000)]
    assert len(set(changes)) == len(changes)


async def test_a_machine_that_comes_later_starts_with_everything(pair, tmp_path, database_url):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await first.number_listings_behind(90)
    third = await SharedLibrary.join(tmp_path / "c" / "library.sqlite", Line(database_url), lambda: NOON)
    try:
        assert await state(third) == await state(first)
        assert (await Engine(third).search(parse("about x"), limit=9)).total == 6
        await third.ingest(day_of_papers("y"), now=NOON)
        assert await third.newest_sequence() == 96
        assert not list(third.path.parent.glob("*.tmp*"))
    finally:
        await third.close()


async def test_a_copy_that_was_interrupted_is_begun_anew(pair, tmp_path, database_url):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "library.sqlite.tmp-copy").write_bytes(b"half of it")
    async with join_library(folder, database_url) as third:
        assert await state(third) == await state(first)


async def test_facts_of_a_machine_stay_on_it(pair):
    first, second = pair
    await first.set_fact("model problem", "no disk")
    await first.set_fact("shared", "1")
    await second.follow()
    assert (await first.fact("model problem"), await second.fact("model problem")) == ("no disk", None)
    assert await second.fact("shared") == "1"


async def test_what_changes_nothing_is_no_batch(pair, database_url):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await first.ingest(day_of_papers("x"), now=NOON)
    await first.write(lambda connection: connection.execute("SELECT 1").fetchone())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM library_batches").fetchone() == (1,)


async def test_a_change_that_fails_reaches_nobody(pair):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON)

    def fail(connection):
        connection.execute("UPDATE papers SET title = 'never'")
        raise KeyError

    with pytest.raises(KeyError):
        await first.write(fail)
    await first.set_fact("after", "1")
    await second.follow()
    assert await second.fact("after") == "1"
    assert await state(first) == await state(second)


@asynccontextmanager
async def following(library, look_every):
    task = asyncio.create_task(library.keep_following(look_every))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_others_are_notified(pair):
    first, second = pair
    async with following(second, look_every=3600):
        await until(lambda: listening(first))
        await first.ingest(day_of_papers("x"), now=NOON)
        await until(lambda: holds(second, 6))


async def listening(library):
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paperboy listens' AND query LIKE 'LISTEN%'"
    with psycopg.connect(library._line.url) as connection:
        database = "AND datname = current_database() AND state = 'idle'"
        return connection.execute(f"{query} {database}").fetchone() == (1,)


async def holds(library, count):
    return await library.count() == count


async def test_looking_goes_on_where_nobody_can_be_notified(pair, caplog):
    first, second = pair
    async with following(second, look_every=0.05):
        await until(lambda: listening(first))
        with psycopg.connect(first._line.url, autocommit=True) as connection:
            stop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'paperboy listens'"
            connection.execute(f"{stop} AND datname = current_database()")
        await first.ingest(day_of_papers("x"), now=NOON)
        await until(lambda: holds(second, 6))
        await until(lambda: listening(first))


async def test_a_database_that_stops_and_comes_back_is_followed_again(tmp_path, caplog):
    caplog.set_level("INFO")
    with PostgresServer() as server:
        url = server.new_database()
        await asyncio.to_thread(migrate, url)
        async with join_library(tmp_path / "a", url) as first, join_library(tmp_path / "b", url) as second:
            async with following(second, look_every=0.1):
                await first.ingest(day_of_papers("x"), now=NOON)
                await until(lambda: holds(second, 6))
                server.stop()
                with pytest.raises(LibraryError, match="cannot be reached"):
                    await first.ingest(day_of_papers("y"), now=NOON)
                await until(lambda: told(caplog, "do not come in"))
                assert await second.count() == 6
                server.start()
                await first.ingest(day_of_papers("y"), now=NOON)
                await until(lambda: holds(second, 12))
                await until(lambda: told(caplog, "come in again"))
            assert await state(first) == await state(second)


async def told(caplog, words):
    return sum(words in record.getMessage() for record in caplog.records) == 1


async def test_a_lost_reply_to_the_commit_is_an_error_and_what_was_kept_comes_back(
    pair, tmp_path, postgres, database_url
):
    first, _ = pair
    async with Relay(postgres.port) as relay:
        line = Line(relay.url(database_url), patience=1)
        far = await SharedLibrary.join(tmp_path / "c" / "library.sqlite", line, lambda: NOON)
        try:
            relay.cut_after = b"COMMIT"
            with pytest.raises(LibraryError, match="cannot be reached"):
                await far.ingest(day_of_papers("x"), now=NOON)
            assert await far.count() == 0
            await first.follow()
            assert await first.count() == 6
            relay.cut_after, relay.swallows = None, False
            assert (await far.ingest(day_of_papers("x"), now=NOON)).new == 0
            assert await state(far) == await state(first)
        finally:
            await far.close()


async def test_a_question_that_is_never_answered_ends_and_keeps_nothing(pair, tmp_path, postgres, database_url):
    first, _ = pair
    async with Relay(postgres.port) as relay:
        line = Line(relay.url(database_url), patience=1)
        far = await SharedLibrary.join(tmp_path / "c" / "library.sqlite", line, lambda: NOON)
        try:
            relay.cut_after = b"INSERT INTO library_papers"
            with pytest.raises(LibraryError, match="cannot be reached"):
                await far.ingest(day_of_papers("x"), now=NOON)
            relay.cut_after, relay.swallows = None, False
            await first.ingest(day_of_papers("y", count=2), now=NOON)
            await far.follow()
            assert await far.count() == 2
            assert await state(far) == await state(first)
        finally:
            await far.close()


async def test_closing_does_not_wait_for_an_answer_that_never_comes(tmp_path, postgres, database_url):
    async with Relay(postgres.port) as relay:
        line = Line(relay.url(database_url), patience=3600)
        far = await SharedLibrary.join(tmp_path / "c" / "library.sqlite", line, lambda: NOON)
        relay.cut_after = b"pg_advisory_xact_lock"
        writing = asyncio.create_task(far.ingest(day_of_papers("x"), now=NOON))
        while not relay.swallows:
            await asyncio.sleep(0.01)
        await far.close()
        with pytest.raises(LibraryError, match="cannot be reached"):
            await writing
    async with join_library(tmp_path / "c", database_url) as again:
        assert await again.count() == 0


async def test_what_lies_in_the_place_stays_until_the_copy_is_whole(tmp_path, postgres, database_url):
    async with open_library(tmp_path, [make_record("own:1")]) as library:
        path = library.path
    async with Relay(postgres.port) as relay:
        relay.cut_after = b"FROM library_records"
        with pytest.raises(LibraryError, match="cannot be reached"):
            await SharedLibrary.join(path, Line(relay.url(database_url), patience=1), lambda: NOON)
    async with open_library(tmp_path) as library:
        assert await library.count() == 1


async def test_the_log_of_a_file_that_was_removed_is_not_taken_for_the_copys(tmp_path, database_url):
    async with join_library(tmp_path, database_url, day_of_papers("x")) as library:
        log = library.path.with_name(f"{library.path.name}-wal")
        assert log.stat().st_size
        kept = log.read_bytes()
        path = library.path
    path.unlink()
    log.write_bytes(kept)
    async with join_library(tmp_path, database_url) as library:
        assert (await library.count(), (await state(library))["listings"][0][0]) == (6, 1)
        assert await library.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


@pytest.mark.parametrize("said", [b"FROM library_papers", b"FROM library_listings", b"FROM library_removed"])
async def test_following_that_breaks_midway_takes_in_nothing_and_then_everything(
    pair, tmp_path, postgres, database_url, said
):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    async with Relay(postgres.port) as relay:
        line = Line(relay.url(database_url), patience=1)
        far = await SharedLibrary.join(tmp_path / "c" / "library.sqlite", line, lambda: NOON)
        try:
            before = await state(far)
            await first.ingest(day_of_papers("y"), now=NOON)
            relay.cut_after = said
            with pytest.raises(LibraryError, match="cannot be reached"):
                await far.follow()
            assert await state(far) == before
            relay.cut_after, relay.swallows = None, False
            await far.follow()
            assert await state(far) == await state(first)
        finally:
            await far.close()


async def test_a_first_copy_that_breaks_leaves_nothing_and_is_made_the_next_time(
    pair, tmp_path, postgres, database_url
):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    path = tmp_path / "c" / "library.sqlite"
    async with Relay(postgres.port) as relay:
        relay.cut_after = b"FROM library_records"
        with pytest.raises(LibraryError, match="cannot be reached"):
            await SharedLibrary.join(path, Line(relay.url(database_url), patience=1), lambda: NOON)
    assert not path.exists()
    async with join_library(path.parent, database_url) as library:
        assert await state(library) == await state(first)


async def insist(work):
    """Try until it works, as whoever fetches does."""
    while True:
        try:
            return await work()
        except LibraryError:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_connections_that_break_again_and_again_lose_nothing_and_double_nothing(
    tmp_path, postgres, database_url, seed
):
    dice = random.Random(seed)
    async with Relay(postgres.port) as relay, AsyncExitStack() as stack:
        url = relay.url(database_url)
        machines = [await stack.enter_async_context(join_library(tmp_path / name, url)) for name in "abc"]
        done = asyncio.Event()

        async def break_often():
            while not done.is_set():
                await asyncio.sleep(dice.uniform(0.01, 0.08))
                relay.break_all()

        async def fill(library, name):
            for number in range(6):
                papers = day_of_papers(f"{name}{number}", count=3)
                await insist(lambda papers=papers: library.ingest(papers, now=NOON))

        breaking = asyncio.create_task(break_often())
        await asyncio.gather(*(fill(library, name) for library, name in zip(machines, "abc", strict=True)))
        done.set()
        await breaking
        for library in machines:
            await insist(library.follow)
        first, *others = [await state(library) for library in machines]
        assert [other == first for other in others] == [True, True]
        assert await machines[0].count() == 3 * 6 * 3
        assert len(first["listings"]) == 3 * 6 * 3


WRITER = """
import asyncio, os, signal, sys
from pathlib import Path
from core.papers import shared_library
from core.papers.shared_library import SharedLibrary
from core.papers.shared_line import Line
from tests.shelves import NOON, make_record

async def main():
    path, url, moment = sys.argv[1:]
    library = await SharedLibrary.join(Path(path), Line(url), lambda: NOON)

    def die(connection):
        kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        connection.execute("INSERT INTO facts VALUES ('before death', '1')")
        if moment == "before":
            kill()
        connection.create_function("die", 0, kill)
        connection.execute("CREATE TEMP TRIGGER last AFTER DELETE ON temp.noted_facts BEGIN SELECT die(); END")

    await library.write(die)

asyncio.run(main())
"""


@pytest.mark.parametrize(("moment", "kept"), [("before", None), ("between", "1")])
async def test_a_writer_that_is_killed_leaves_what_the_database_has(pair, database_url, moment, kept):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    path = second.path
    await second.close()
    command = (sys.executable, "-c", dedent(WRITER), str(path), database_url, moment)
    writer = await asyncio.create_subprocess_exec(*command)
    assert await writer.wait() == -9
    await first.follow()
    assert await first.fact("before death") == kept
    async with join_library(path.parent, database_url) as again:
        assert await state(again) == await state(first)
        await again.set_fact("after death", "1")
        assert await first.follow()
        assert await state(again) == await state(first)


async def test_two_processes_share_one_replica(pair, database_url):
    first, _ = pair
    async with AsyncExitStack() as stack:
        mates = [await stack.enter_async_context(join_library(first.path.parent, database_url)) for _ in range(2)]
        everybody = [first, *mates]
        await asyncio.gather(
            *(library.ingest(day_of_papers(f"{n}"), now=NOON) for n, library in enumerate(everybody)),
            *(library.follow() for library in everybody),
        )
        assert [await library.count() for library in everybody] == [18] * 3


def restore_an_older_state(url):
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM library_papers WHERE batch > 1")
        connection.execute("DELETE FROM library_batches WHERE batch > 1")


async def test_a_replica_that_knows_more_than_a_restored_database_is_made_anew(pair, database_url, caplog):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await first.ingest([make_record("lost:1")], now=NOON)
    await second.follow()
    (first.path.parent / "vectors-1.sqlite3").touch()
    restore_an_older_state(database_url)
    await first.follow()
    assert (await first.count(), first.renewals) == (6, 1)
    sentence = "restored from an older state; it is kept as library.sqlite.before-20261008T120000Z"
    assert [sentence in record.getMessage() for record in caplog.records if "before-" in record.getMessage()] == [True]
    assert not (first.path.parent / "vectors-1.sqlite3").exists()
    await first.ingest([make_record("next:1"), make_record("next:2")], now=NOON)
    assert (await second.ingest([make_record("next:3")], now=NOON)).new == 1
    await first.follow()
    assert second.renewals == 1
    assert await state(second) == await state(first)


async def test_a_replica_that_another_process_made_anew_is_opened_again(pair, database_url):
    first, _ = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await first.ingest([make_record("lost:1")], now=NOON)
    async with join_library(first.path.parent, database_url) as mate:
        restore_an_older_state(database_url)
        await mate.follow()
        await first.follow()
        assert await first.count() == await mate.count() == 6
        await mate.ingest([make_record("y:1")], now=NOON)
        assert await first.count() == 7


async def test_a_machines_own_library_is_kept_beside(tmp_path, database_url, caplog):
    async with open_library(tmp_path, [make_record("own:1")]):
        pass
    async with join_library(tmp_path, database_url) as library:
        assert await library.count() == 0
    assert "was this machine's own library; it is kept as library.sqlite.before-" in caplog.text
    (aside,) = tmp_path.glob("library.sqlite.before-*")
    kept = await Library.open(aside, read_only=True)
    assert await kept.count() == 1
    await kept.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path, url: set_identity(url), "is of another database"),
        (lambda path, url: path.write_bytes(b"noise" * 2000), "was broken"),
    ],
)
async def test_a_replica_that_cannot_follow_is_made_anew(tmp_path, database_url, caplog, damage, words):
    async with join_library(tmp_path, database_url, day_of_papers("x")) as library:
        path = library.path
    damage(path, database_url)
    async with join_library(tmp_path, database_url) as library:
        assert await library.count() == 6
    assert words in caplog.text


async def test_a_copy_of_another_version_gives_way_to_a_new_one(tmp_path, database_url, caplog):
    caplog.set_level("INFO")
    async with join_library(tmp_path, database_url, day_of_papers("x")) as library:
        path = library.path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("UPDATE papers SET title = 'of another version'")
        connection.commit()
    async with join_library(tmp_path, database_url) as library:
        assert (await library.paper("x:1")).title == "Title 1 of x"
    assert "is a copy of another version; a new copy of the database's takes its place" in caplog.text
    assert list(tmp_path.glob("*.before-*")) == []


def set_identity(url):
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE library_head SET identity = 'other'")


@pytest.mark.parametrize(
    ("layout", "way"), [(LAYOUT + 1, "use the newer paperboy"), (LAYOUT - 1, "run `paperboy migrate`")]
)
async def test_papers_of_another_version_are_refused_and_the_replica_stays(tmp_path, database_url, layout, way):
    async with join_library(tmp_path, database_url, day_of_papers("x")):
        pass
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE library_head SET layout = %s", (layout,))
    with pytest.raises(LibraryError, match=f"of version {layout}, this paperboy needs {LAYOUT}; {way}"):
        async with join_library(tmp_path, database_url):
            pass
    assert [path.name for path in tmp_path.glob("*.before-*")] == []


async def test_a_database_that_is_not_there_is_one_sentence_without_the_password(tmp_path):
    line = Line("postgresql://me:hush@127.0.0.1:1/papers")
    with pytest.raises(LibraryError, match=r"^The database papers at 127.0.0.1 cannot be reached") as failure:
        await SharedLibrary.join(tmp_path / "library.sqlite", line, lambda: NOON)
    assert "hush" not in str(failure.value)
    assert not (tmp_path / "library.sqlite").exists()


async def test_a_reader_sees_one_state_while_others_come_in(pair):
    first, second = pair
    await first.ingest(day_of_papers("x"), now=NOON)
    await second.follow()
    readings = []

    def count_twice(connection):
        readings.append(connection.execute("SELECT count(*) FROM papers").fetchone()[0])

    await first.ingest(day_of_papers("y"), now=NOON)
    await asyncio.gather(second.follow(), second.read(count_twice), second.read(count_twice))
    assert set(readings) <= {6, 12}
