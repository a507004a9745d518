"""What every library promises, asked of the one that stands alone and of the one that machines share."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from core.errors import LibraryError
from core.papers.paper import Listing
from core.papers.rows import Ingested
from core.papers.windows import After, All, Newest, OnDay
from tests.shelves import NOON, join_library, listed, make_record, make_signal, open_library

TODAY = date(2026, 10, 8)


@pytest.fixture(params=["alone", "shared"])
def url(request):
    return request.getfixturevalue("database_url") if request.param == "shared" else None


@pytest.fixture
async def library(url, tmp_path):
    async with join_library(tmp_path, url) if url else open_library(tmp_path) as opened:
        yield opened


async def test_a_record_becomes_a_paper_with_everything_it_says(library):
    record = make_record(
        title="Ünïcode \x00 & 深度",
        abstract="All.\nOf it.",
        authors=tuple(f"Author {number}" for number in range(3303)),
        categories=("cs.LG", "stat.ML"),
        published=datetime(2026, 10, 1, 20, tzinfo=UTC),
        updated=datetime(2026, 10, 2, 20, tzinfo=UTC),
        version=2,
        comment="c",
        journal_ref="j",
        doi="10.1/x",
        license="https://l.org",
        code_url="https://github.com/a/b",
        project_url="https://p.org",
        ai_summary="s",
        keywords=("k",),
        signals=(make_signal("upvotes", 3),),
        listings=listed(TODAY),
    )
    assert await library.ingest([record], now=NOON) == Ingested(seen=1, new=1, changed=0, listed=1)
    paper = await library.paper(record.id)
    for name in (*record.__dataclass_fields__,):
        if name != "source":
            assert getattr(paper, name) == getattr(record, name), name
    assert (paper.sources, paper.first_seen) == (("arxiv",), NOON)


async def test_what_is_not_held_is_none(library):
    assert await library.paper("2610.99999") is None
    assert await library.papers(["2610.99999"]) == {}


async def test_papers_come_in_the_order_asked_for_and_each_once(library):
    ids = [f"2610.{number:05}" for number in range(900)]
    await library.ingest([make_record(identifier) for identifier in ids], now=NOON)
    asked = [*reversed(ids), ids[0]]
    assert list(await library.papers(asked)) == list(reversed(ids))


async def test_the_same_record_again_changes_nothing(library):
    record = make_record(abstract="A", listings=listed(TODAY), signals=(make_signal("upvotes", 1),))
    await library.ingest([record], now=NOON)
    before = await library.changed_after(0, 10)
    again = await library.ingest([record, record], now=NOON + timedelta(hours=3))
    assert again == Ingested(seen=2, new=0, changed=0, listed=0)
    assert await library.changed_after(0, 10) == before
    assert (await library.paper(record.id)).first_seen == NOON


async def test_records_of_two_sources_in_two_runs_make_one_paper(library):
    await library.ingest([make_record(source="huggingface", title="grokking", abstract="short")], now=NOON)
    result = await library.ingest([make_record(title="Grokking", abstract="Long.")], now=NOON)
    paper = await library.paper("2610.00001")
    assert (result.new, result.changed) == (0, 1)
    assert (paper.title, paper.abstract, paper.sources) == ("Grokking", "Long.", ("huggingface", "arxiv"))


async def test_an_older_version_that_arrives_late_changes_nothing(library):
    await library.ingest([make_record(title="Second", version=2)], now=NOON)
    result = await library.ingest([make_record(title="First", version=1)], now=NOON)
    assert (result.changed, (await library.paper("2610.00001")).title) == (0, "Second")


async def test_a_reading_of_a_work_that_nobody_described_makes_no_paper(library):
    record = make_record(title="", source="hackernews", signals=(make_signal("points", 90),))
    assert await library.ingest([record], now=NOON) == Ingested(seen=1)
    assert await library.count() == 0


async def test_a_reading_without_a_title_joins_a_paper_that_is_held(library):
    await library.ingest([make_record()], now=NOON)
    reading = make_signal("points", 90, source="hackernews")
    await library.ingest([make_record(title="", source="hackernews", signals=(reading,))], now=NOON)
    paper = await library.paper("2610.00001")
    assert (paper.title, paper.signals) == ("Grokking", (reading,))


async def test_withdrawn_papers_are_kept_but_not_counted(library):
    await library.ingest([make_record(withdrawn=True), make_record("2610.00002")], now=NOON)
    assert await library.count() == 1
    assert (await library.paper("2610.00001")).withdrawn


async def test_halves_of_characters_are_replaced_not_refused(library):
    await library.ingest([make_record(title="Half \ud83d of", authors=("\udc00",))], now=NOON)
    paper = await library.paper("2610.00001")
    assert (paper.title, paper.authors) == ("Half ? of", ("?",))


async def test_an_id_with_half_a_character_names_the_same_paper_each_time(library):
    record = make_record("x:\ud800y", source="import")
    assert (await library.ingest([record], now=NOON)).new == 1
    assert await library.ingest([record], now=NOON) == Ingested(seen=1, new=0, changed=0, listed=0)


async def test_readings_are_appended_and_never_overwritten(library):
    for hours, value in ((0, 3), (2, 5), (26, 9)):
        reading = make_signal("upvotes", value, NOON + timedelta(hours=hours))
        await library.ingest([make_record(signals=(reading,))], now=NOON)
    paper = await library.paper("2610.00001")
    assert [signal.value for signal in paper.signals] == [3, 5, 9]
    assert paper.latest("upvotes") == 9


async def test_a_reading_that_says_the_same_on_the_same_day_is_not_kept_twice(library):
    for hours in (0, 1, 5, 24):
        reading = make_signal("upvotes", 3, NOON + timedelta(hours=hours))
        await library.ingest([make_record(signals=(reading,))], now=NOON)
    paper = await library.paper("2610.00001")
    assert [signal.at for signal in paper.signals] == [NOON, NOON + timedelta(days=1)]


async def test_of_readings_within_an_hour_the_last_counts_whenever_it_arrives(library):
    for minutes, value in ((10, 4), (50, 6), (20, 5)):
        reading = make_signal("upvotes", value, NOON + timedelta(minutes=minutes))
        await library.ingest([make_record(signals=(reading,))], now=NOON)
    assert [signal.value for signal in (await library.paper("2610.00001")).signals] == [6]


async def test_papers_carry_a_fortnight_of_readings_and_the_last_one_before(library):
    readings = tuple(make_signal("upvotes", day, NOON - timedelta(days=day)) for day in (0, 3, 14, 20, 30))
    stars = make_signal("stars", 7, NOON - timedelta(days=40))
    await library.ingest([make_record(signals=(*readings, stars))], now=NOON)
    paper = await library.paper("2610.00001")
    assert [(signal.name, signal.value) for signal in paper.signals] == [
        ("stars", 7),
        ("upvotes", 20),
        ("upvotes", 14),
        ("upvotes", 3),
        ("upvotes", 0),
    ]


async def test_a_paper_is_listed_once_by_each_source(library):
    face = listed(TODAY, "huggingface", "daily")
    first = await library.ingest([make_record(listings=listed(TODAY))], now=NOON)
    newest = await library.newest_sequence()
    again = await library.ingest([make_record(listings=listed(TODAY + timedelta(days=1)))], now=NOON)
    assert await library.newest_sequence() == newest
    other = await library.ingest([make_record(source="huggingface", listings=face)], now=NOON)
    assert (first.listed, again.listed, other.listed) == (1, 0, 1)
    assert await library.newest_sequence() > newest
    assert (await library.paper("2610.00001")).listings == (*listed(TODAY), *face)


async def test_a_cross_list_that_is_new_elsewhere_on_that_day_counts_as_new(library):
    await library.ingest([make_record(listings=listed(TODAY, kind="cross"))], now=NOON)
    result = await library.ingest([make_record(listings=listed(TODAY, kind="new"))], now=NOON)
    assert result.listed == 0
    assert (await library.paper("2610.00001")).listings == (Listing("arxiv", TODAY, "new"),)


async def test_a_replacement_is_never_a_new_paper(library):
    result = await library.ingest([make_record(listings=listed(TODAY, kind="replace"))], now=NOON)
    assert result.listed == 0
    assert await library.newest_sequence() == 0


async def test_a_listing_dated_after_tomorrow_is_not_logged(library):
    ahead = [make_record(f"2610.0000{n}", listings=listed(TODAY + timedelta(days=n))) for n in (1, 2)]
    assert (await library.ingest(ahead, now=NOON)).listed == 1


async def test_changes_are_numbered_and_each_paper_stands_at_its_last_one(library):
    await library.ingest([make_record(f"2610.0000{n}") for n in (1, 2, 3)], now=NOON)
    seen = await library.changed_after(0, 10)
    assert [identifier for _, identifier in seen] == ["2610.00001", "2610.00002", "2610.00003"]
    await library.ingest([make_record("2610.00001", comment="new"), make_record("2610.00004")], now=NOON)
    later = await library.changed_after(seen[-1][0], 10)
    assert [identifier for _, identifier in later] == ["2610.00001", "2610.00004"]
    assert await library.changed_after(seen[-1][0], 1) == later[:1]
    assert await library.changed_after(later[-1][0], 10) == []


async def test_readings_and_listings_are_no_change_of_a_paper(library):
    await library.ingest([make_record()], now=NOON)
    (change,) = await library.changed_after(0, 10)
    await library.ingest([make_record(signals=(make_signal("upvotes", 3),), listings=listed(TODAY))], now=NOON)
    assert await library.changed_after(change[0], 10) == []


async def test_facts_are_kept_and_replaced(library):
    assert await library.fact("place") is None
    await library.set_fact("place", "1")
    await library.set_fact("place", "2")
    assert await library.fact("place") == "2"


async def test_facts_of_an_ingest_are_kept_with_it_or_not_at_all(library):
    await library.ingest([make_record()], now=NOON, facts={"place": "1"})
    with pytest.raises(AttributeError):
        await library.ingest([make_record("2610.00002"), None], now=NOON, facts={"place": "2"})
    assert await library.fact("place") == "1"
    assert await library.count() == 1


async def test_many_readers_at_once_are_all_answered(library):
    await library.ingest([make_record()], now=NOON)
    answers = await asyncio.gather(*(library.window_size(All()) for _ in range(50)))
    assert {answer.count for answer in answers} == {1}


async def test_what_fails_halfway_leaves_nothing_of_itself(library):
    await library.ingest([make_record()], now=NOON)

    def fail(connection):
        connection.execute("DELETE FROM papers")
        raise KeyError

    with pytest.raises(KeyError):
        await library.write(fail)
    assert await library.count() == 1
    assert (await library.ingest([make_record("2610.00002")], now=NOON)).new == 1


async def test_windows_hold_what_was_listed_in_them(library):
    yesterday = TODAY - timedelta(days=1)
    days = ((1, yesterday), (2, TODAY), (3, TODAY))
    await library.ingest([make_record(f"2610.0000{n}", listings=listed(day)) for n, day in days], now=NOON)
    counts = [(await library.window_size(window)).count for window in (Newest(), OnDay(yesterday), After(1), All())]
    assert counts == [2, 1, 2, 3]


async def test_listings_can_be_numbered_behind_those_of_a_lost_library(library):
    await library.number_listings_behind(41)
    await library.number_listings_behind(7)
    await library.ingest([make_record(listings=listed(TODAY))], now=NOON)
    assert await library.newest_sequence() == 42


async def test_papers_without_categories_are_found_while_they_lack_them(library):
    await library.ingest([make_record(listings=listed(TODAY))], now=NOON)
    assert list(await library.without_categories(TODAY)) == ["2610.00001"]
    await library.ingest([make_record(categories=("cs.LG",))], now=NOON)
    assert list(await library.without_categories(TODAY)) == []


async def test_many_who_write_at_once_are_all_kept(library):
    await asyncio.gather(*(library.ingest([make_record(f"x:{n}")], now=NOON) for n in range(10)))
    assert await library.count() == 10
    assert len({change for change, _ in await library.changed_after(0, 100)}) == 10


async def test_a_closed_library_says_so_however_often_it_is_closed(library):
    await library.close()
    await library.close()
    with pytest.raises(LibraryError, match="is closed"):
        await library.count()
    with pytest.raises(LibraryError, match="is closed"):
        await library.ingest([make_record()], now=NOON)
