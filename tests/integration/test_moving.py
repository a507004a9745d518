"""Whatever a store and its library hold goes from a folder to a database and back, and is the same again."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.digests.subscription import Pause, Subscription
from core.errors import StoreError
from core.papers.library import LIBRARY_FILE, Library
from core.store import Change, Delivery, Mark, Shown, State
from core.store import chests as c
from core.store.correspondents import Consent, Correspondent, Wish
from core.store.embedded import EmbeddedStore
from core.store.folder_chest import FolderTarget, read_folder
from core.store.moving import copy_folder, fill_database, fill_folder
from core.store.postgres import PostgresStore, chest
from core.store.postgres.chest import DERIVED, read_database
from core.store.texts import text_token
from tests.chests import Given, everything, whole_database, whole_folder
from tests.fakes import NOON, TODAY, make_change, make_delivery, make_mark, make_subscription, read_whole
from tests.shelves import listed, make_record, make_signal


def silent(_done, _total):
    """Nobody watches."""


def into_database(source, url):
    with chest.fill_database(url) as target:
        return fill_database(source, target, "The database", silent)


async def fill_library(path, batches=2):
    library = await Library.open(path)
    for number in range(batches):
        papers = [
            make_record(
                f"2610.{number}{n:04}",
                f"Grokking \0 {n} 👩‍👩‍👧",
                listings=listed(TODAY + timedelta(days=number)),
                version=1,
                signals=(make_signal("upvotes", n / 2, NOON + timedelta(hours=number)),),
            )
            for n in range(20)
        ]
        await library.ingest(papers, now=NOON + timedelta(days=number), facts={"place": f"{number} \1"})
    again = make_record("2610.00000", "Grokking \0 0 👩‍👩‍👧", version=2)
    await library.ingest([again], now=NOON + timedelta(days=3))
    await library.number_listings_behind(1_000)
    await library.ingest([make_record("2610.90000", "Later", listings=listed(TODAY))], now=NOON)
    await library.number_listings_behind(5_000)
    await library.close()


async def fill_store(store):
    """Put something of everything into a store, and take some of it out again."""
    for number, name in enumerate("abcd"):
        paused = Pause("archived", NOON, by_hand=False) if name == "b" else None
        given = make_subscription(name, "slack:T1/C1", at=time(7, number), pause=paused, days=(0, 4), quiet=True)
        await store.add_subscription(given, make_change(f"subscribed {name}"))
    for offset, state in enumerate(State):
        await store.enqueue(make_delivery("a", TODAY + timedelta(days=offset), state=state, upto=990 + offset))
    await store.enqueue(make_delivery("b", parts=("1", "2"), lacking=("arxiv",), told=("x",), not_before=NOON))
    await store.enqueue(make_delivery("c"))
    await store.remove_subscriptions(["c"], make_change("unsubscribed"))
    for kind in ("up", "saved"):
        await store.mark(make_mark(kind))
    await store.mark(make_mark("down", person="discord:2", place="discord:1"))
    await store.keep_text("a long query")
    await store.set_fact("fact", "value")
    await store.keep_sealed("slack:T1", "sealed")
    wish = Wish("w", "words", "08:00", "UTC", "daily", 5, NOON, "127.0.0.1")
    consent = Consent("a", NOON, "127.0.0.1", NOON, "127.0.0.1", "yes")
    known = Correspondent("n1", "email:a@b.org", (wish,), (consent,), (NOON,), None, NOON)
    await store.keep_correspondent(known, expected=None)
    await store.note_letter("a/2026-10-01", "taken", NOON)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A folder with something of everything, which no test changes."""
    folder = tmp_path_factory.mktemp("stock") / "data"

    async def fill():
        store = await EmbeddedStore.open(folder, clock=lambda: NOON)
        await fill_store(store)
        await store.close()
        await fill_library(folder / LIBRARY_FILE)

    asyncio.run(fill())
    (folder / "secret.key").write_text("s" * 64, encoding="ascii")
    return folder


@pytest.fixture
def full_url(stocked, database_url):
    with read_folder(stocked) as source:
        into_database(source, database_url)
    return database_url


def test_something_of_everything_is_carried(stocked):
    held = whole_folder(stocked)
    assert [drawer for drawer, rows in held.items() if not rows] == []
    assert held[c.LISTED] == [(5_000,)]


def test_a_folder_goes_into_a_database_and_back_and_is_the_same(stocked, full_url, tmp_path):
    assert whole_database(full_url) == whole_folder(stocked)
    with read_database(full_url) as source:
        carried = fill_folder(source, tmp_path / "back", silent, besides=[stocked / "secret.key", tmp_path / "none"])
    assert whole_folder(tmp_path / "back") == whole_folder(stocked)
    assert carried.rows == sum(map(len, whole_folder(stocked).values()))
    assert (tmp_path / "back" / "secret.key").read_text(encoding="ascii") == "s" * 64


async def test_both_stores_answer_the_same_after_a_move(stocked, full_url, tmp_path):
    with read_database(full_url) as source:
        fill_folder(source, tmp_path / "back", silent)
    answers = []
    for store in (
        await EmbeddedStore.open(stocked, read_only=True, clock=lambda: NOON),
        await PostgresStore.open(full_url, clock=lambda: NOON),
        await EmbeddedStore.open(tmp_path / "back", clock=lambda: NOON),
    ):
        sealed = {name: await store.sealed(name) for name in await store.sealed_names("")}
        notes = [await store.kept_text(text_token("a long query")), await store.letter("a/2026-10-01"), sealed]
        answers.append([await read_whole(store), list(await store.correspondents()), notes])
        await store.close()
    assert answers[0] == answers[1] == answers[2]


async def test_what_was_moved_goes_on_where_the_old_one_stopped(full_url, tmp_path):
    with read_database(full_url) as source:
        fill_folder(source, tmp_path / "back", silent)
    stores = [await PostgresStore.open(full_url), await EmbeddedStore.open(tmp_path / "back")]
    for store in stores:
        assert await store.enqueue(make_delivery("a")) is False
        kept = await store.add_subscription(make_subscription("e", "slack:T1/C1"), make_change("again"))
        assert kept.number == 5
        assert [change.what for change in await store.changes()][:2] == ["again", "unsubscribed"]
        assert await store.mark(make_mark("up")) is False
        await store.close()
    library = await Library.open(tmp_path / "back" / LIBRARY_FILE)
    await library.ingest([make_record("2610.95000", "New", listings=listed(TODAY))], now=NOON)
    assert await library.newest_sequence() == 5_001
    await library.close()


def test_a_database_goes_into_another_with_what_was_read_for_meaning(stocked, full_url, postgres, migrated):
    with psycopg.connect(full_url) as connection:
        connection.execute(
            "INSERT INTO library_models VALUES ('k', 'm', 'c'::bytea, 's'::bytea, now());"
            "INSERT INTO library_vectors (key, upto, numbers, digests, rows, scales, offsets)"
            " SELECT 'k', n, n::text::bytea, 'd', 'r', 's', 'o' FROM generate_series(1, 9) n"
        )
    url = postgres.new_database(migrated)
    with read_database(full_url) as source:
        into_database(source, url)
    assert whole_database(url) == whole_folder(stocked)
    with read_database(full_url) as old, read_database(url) as new:
        for drawer in (c.MODELS, c.VECTORS):
            assert list(new.rows(drawer)) == list(old.rows(drawer)) != []


def test_a_database_without_tables_is_given_them(stocked, postgres):
    url = postgres.new_database()
    with read_folder(stocked) as source:
        into_database(source, url)
    assert whole_database(url) == whole_folder(stocked)


def test_a_folder_is_copied_with_its_indexes_and_its_secret(stocked, tmp_path):
    copied = copy_folder(stocked, tmp_path / "copy", silent)
    assert whole_folder(tmp_path / "copy") == whole_folder(stocked)
    assert (tmp_path / "copy" / "secret.key").exists()
    assert not copied.already
    assert copy_folder(stocked, tmp_path / "copy", silent).already


def test_repeating_a_move_says_that_all_is_there(stocked, full_url, tmp_path):
    with read_folder(stocked) as source:
        assert into_database(source, full_url).already
    with read_database(full_url) as source:
        assert not fill_folder(source, tmp_path / "back", silent).already
        assert fill_folder(source, tmp_path / "back", silent).already


async def test_anothers_full_place_is_refused_and_left_as_it_is(stocked, full_url, tmp_path):
    with psycopg.connect(full_url) as connection:
        connection.execute("UPDATE subscriptions SET top = 9 WHERE id = 'a'")
    before = whole_database(full_url)
    with (
        read_folder(stocked) as source,
        pytest.raises(StoreError, match=r"holds something already \(3 subscriptions, 41 papers\), and nothing is over"),
    ):
        into_database(source, full_url)
    assert whole_database(full_url) == before
    with read_folder(stocked) as source:
        fill_folder(source, tmp_path / "theirs", silent)
        (tmp_path / "letter").mkdir()
        (tmp_path / "letter" / "letter.txt").write_text("dear")
        with read_database(full_url) as database:
            for folder in ("theirs", "letter"):
                with pytest.raises(StoreError, match="is not empty, and nothing is overwritten"):
                    fill_folder(database, tmp_path / folder, silent)


class Forgetful(FolderTarget):
    """A folder that loses the last row of one drawer."""

    def put(self, drawer, rows):
        super().put(drawer, list(rows)[:-1] if drawer == c.MARKS else rows)


def test_what_does_not_come_back_as_it_was_given_is_no_move(stocked, tmp_path):
    with read_folder(stocked) as source, pytest.raises(StoreError, match=r"\(2 of 3 marks\); nothing was kept of it"):
        c.carry(source, Forgetful(tmp_path), silent)


def test_a_sum_tells_one_changed_row_and_not_the_order_of_rows():
    rows = [c.Named("a", "1"), c.Named("b", "2"), c.Named("b", "2")]

    def summed(drawer, some):
        tally = c.Tally()
        for row in some:
            tally.add(drawer, row)
        return tally

    assert summed(c.FACTS, rows) == summed(c.FACTS, reversed(rows))
    assert summed(c.FACTS, rows) != summed(c.FACTS, [rows[0], rows[0], rows[1]])
    assert summed(c.CHANGES, rows) != summed(c.CHANGES, reversed(rows))


async def test_deliveries_that_were_about_to_be_forgotten_do_not_come_along(stocked, tmp_path):
    copy_folder(stocked, tmp_path / "data", silent)
    store = await EmbeddedStore.open(tmp_path / "data", clock=lambda: NOON)
    documents = store._files.documents  # as a kill leaves it between the two databases
    documents.remove_subscriptions(["b"], make_change("unsubscribed"))
    documents.forget("slack:T1/")
    await store.close()
    assert whole_folder(tmp_path / "data")[c.DELIVERIES] == []
    store = await EmbeddedStore.open(tmp_path / "data", clock=lambda: NOON)
    assert list(await store.open_deliveries()) == []
    await store.close()


def test_a_broken_folder_is_not_moved(stocked, tmp_path):
    copy_folder(stocked, tmp_path / "data", silent)
    journal = next(path for path in (tmp_path / "data").glob("state-*.journal") if path.stat().st_size)
    journal.write_bytes(journal.read_bytes().replace(b"subscribed", b"subscriber", 1))
    with pytest.raises(StoreError, match=r"is broken; start paperboy on .* to mend it"):
        copy_folder(tmp_path / "data", tmp_path / "copy", silent)
    assert not (tmp_path / "copy").exists()


def test_every_table_of_the_schema_is_carried_or_known_to_be_derived(postgres, migrated):
    rows = postgres.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", migrated)
    ours = {name for (name,) in rows if not name.startswith("procrastinate_")}
    assert ours == {*chest.FILLED, *(DERIVED & ours)}


def test_a_database_of_another_version_is_neither_read_nor_filled(stocked, full_url):
    with psycopg.connect(full_url) as connection:
        connection.execute("UPDATE paperboy_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="use the newer paperboy"), read_database(full_url):
        pass
    with read_folder(stocked) as source, pytest.raises(StoreError, match="use the newer paperboy"):
        into_database(source, full_url)


def test_an_empty_database_that_is_to_be_read_is_a_sentence(postgres):
    with pytest.raises(StoreError, match="holds nothing of paperboy's"), read_database(postgres.new_database()):
        pass


def test_what_is_written_while_a_database_is_read_is_not_in_it(stocked, full_url, tmp_path):
    with read_database(full_url) as source, psycopg.connect(full_url, autocommit=True) as other:
        other.execute("DELETE FROM marks")
        other.execute("DELETE FROM library_papers")
        fill_folder(source, tmp_path / "back", silent)
    assert whole_folder(tmp_path / "back") == whole_folder(stocked)


def long_text():
    return "x" * 100_000


# Names and addresses are looked up, and no index takes one of many thousand characters.
NAME = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["\0", "\1\0\1", "a\1b", "👩‍👩‍👧", "\ufeff\u202e", "\\N", "\t\r\n", "{},\"'"]),
)
TEXT = NAME | st.builds(long_text)
INSTANT = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
DAY = st.dates(date(2020, 1, 1), date(2035, 1, 1))
SMALL = st.integers(1, 2**31 - 1)
SUBSCRIPTION = st.builds(
    Subscription,
    id=NAME, address=NAME, number=SMALL, interests=TEXT, at=st.none() | st.times(), timezone=TEXT, top=SMALL,
    days=st.sets(st.integers(0, 6)).map(lambda days: tuple(sorted(days))), created_by=NAME, created_at=INSTANT,
    active_from=INSTANT, when_ready=st.booleans(), weekly=st.booleans(), quiet=st.booleans(), no_repeats=st.booleans(),
    pause=st.none() | st.builds(Pause, reason=TEXT, since=INSTANT, by_hand=st.booleans()),
)  # fmt: skip
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
DELIVERY = st.builds(
    Delivery,
    subscription=NAME, day=DAY, address=NAME, state=st.sampled_from(sorted(set(State) - {State.SENT})), due_at=INSTANT,
    composed_at=INSTANT, changed_at=INSTANT, message=TEXT, upto=st.integers(0, 2**62),
    shown=st.lists(st.builds(Shown, paper=NAME, rank=SMALL, why=TEXT), max_size=3).map(tuple),
    not_before=st.none() | INSTANT, attempts=st.integers(0, 99), parts=TEXTS, note=TEXT, silence=TEXT, lacking=TEXTS,
    told=TEXTS,
)  # fmt: skip
MARK = st.builds(Mark, person=NAME, place=NAME, paper=NAME, kind=st.sampled_from(["up", "down", "saved"]), at=INSTANT)
STATE = st.fixed_dictionaries(
    {
        c.SUBSCRIPTIONS: st.lists(
            SUBSCRIPTION, max_size=3, unique_by=(lambda item: item.id, lambda item: (item.address, item.number))
        ),
        c.CHANGES: st.lists(st.builds(Change, INSTANT, NAME, NAME, TEXT), max_size=3),
        c.DELIVERIES: st.lists(DELIVERY, max_size=3, unique_by=lambda item: item.key),
        c.MARKS: st.lists(MARK, max_size=3, unique_by=lambda item: (item.person, item.paper)),
        c.TEXTS: st.lists(st.builds(c.KeptText, NAME, TEXT, DAY), max_size=2, unique_by=lambda item: item.token),
        c.FACTS: st.lists(st.builds(c.Named, NAME, TEXT), max_size=2, unique_by=lambda item: item.name),
        c.SEALED: st.lists(st.builds(c.Named, NAME, TEXT), max_size=2, unique_by=lambda item: item.name),
        c.CORRESPONDENTS: st.lists(
            st.builds(Correspondent, NAME, TEXT, asked=st.lists(INSTANT, max_size=2).map(tuple)),
            max_size=2,
            unique_by=lambda item: item.name,
        ),
        c.LETTERS: st.lists(st.builds(c.Letter, NAME, TEXT, INSTANT), max_size=2, unique_by=lambda item: item.key),
    }
)


STATE_TABLES = [table for table in chest.FILLED if not table.startswith("library_")] + ["library_batches"]
PHASES = [phase for phase in Phase if phase is not Phase.shrink]  # a failure is readable as it is, and shrinking slow


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, phases=PHASES)
@given(state=STATE)
def test_any_state_goes_into_a_folder_a_database_and_a_folder_again_and_is_the_same(database_url, state):
    expected = everything(Given(state)) | {drawer: [] for drawer in (*c.LIBRARY, c.LISTED)}
    with TemporaryDirectory() as root, closing(psycopg.connect(database_url, autocommit=True)) as connection:
        first, second = Path(root) / "first", Path(root) / "second"
        fill_folder(Given(state), first, silent)
        assert whole_folder(first) == expected
        with read_folder(first) as source:
            into_database(source, database_url)
        try:
            with read_database(database_url) as source:
                fill_folder(source, second, silent)
        finally:
            connection.execute("; ".join(f"DELETE FROM {table}" for table in STATE_TABLES))
        assert whole_folder(second) | {c.LISTED: []} == expected
