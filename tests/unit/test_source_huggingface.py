from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import SourceError
from core.papers.paper import Listing, Signal
from core.papers.sources import Backfill, Find, Lookup, Newest
from core.papers.sources.huggingface import HuggingFace
from core.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MONDAY = date(2026, 11, 23)


def make_source(endpoint="https://huggingface.co"):
    return HuggingFace(Settings.model_validate({"huggingface": {"endpoint": endpoint}}))


def daily(source, day=MONDAY):
    return next(get for get in source.ask(Newest(MONDAY, date(2026, 11, 17))) if get.value("date") == day.isoformat())


def parse_daily(entries, day=MONDAY):
    source = make_source()
    return source.parse(daily(source, day), json.dumps(entries).encode(), now=NOW)


@pytest.fixture(scope="module")
def page():
    source = make_source()
    return source.parse(daily(source), (FIXTURES / "huggingface_daily.json").read_bytes(), now=NOW)


def test_the_newest_are_the_days_from_today_backwards_and_the_trending_list():
    gets = make_source().ask(Newest(MONDAY, date(2026, 11, 21)))
    assert [(get.what, get.value("date")) for get in gets] == [
        ("daily", "2026-11-23"),
        ("daily", "2026-11-22"),
        ("daily", "2026-11-21"),
        ("trending", ""),
    ]
    assert gets[-1].value("sort") == "trending"


def test_no_day_after_today_in_utc_is_ever_asked_for():
    assert [get.what for get in make_source().ask(Newest(MONDAY, date(2026, 11, 24)))] == ["trending"]


def test_no_day_before_the_first_list_is_ever_asked_for():
    gets = make_source().ask(Newest(date(2023, 5, 6), date(1, 1, 1)))
    assert [get.value("date") for get in gets] == ["2023-05-06", "2023-05-05", "2023-05-04", ""]


def test_a_gap_is_filled_from_the_dated_lists_alone():
    gets = make_source().ask(Backfill(date(2026, 11, 19), date(2026, 11, 20)))
    assert [get.value("date") for get in gets] == ["2026-11-20", "2026-11-19"]


def test_a_record_takes_the_inner_fields_and_leaves_the_shifted_outer_date(page):
    record = page.records[0]
    assert (record.id, record.source) == ("2611.10001", "huggingface")
    assert record.title == "Large Papers & Small Boys"
    assert record.abstract == "We ask which paper to read."
    assert record.authors == ("Ada Example", "Bob Example")
    assert record.published == datetime(2026, 11, 20, 17, 8, 18, tzinfo=UTC)
    assert (record.code_url, record.project_url) == ("https://github.com/example/boys", "https://example.org/project")
    assert (record.ai_summary, record.keywords) == ("A model's summary.", ("papers", "boys"))


def test_readings_are_dated_with_the_instant_of_the_answer(page):
    assert page.records[0].signals == (
        Signal("upvotes", 10.0, NOW, "huggingface"),
        Signal("comments", 3.0, NOW, "huggingface"),
        Signal("stars", 9.0, NOW, "huggingface"),
    )


def test_the_listing_carries_the_day_that_was_asked_for(page):
    assert page.records[0].listings == (Listing("huggingface", MONDAY, "daily"),)


def test_a_record_without_abstract_authors_or_date_is_kept_and_its_code_becomes_an_address(page):
    record = page.records[1]
    assert (record.abstract, record.authors, record.published) == ("", (), None)
    assert record.code_url == "https://github.com/example/relative"
    assert record.project_url == ""
    assert Signal("upvotes", 0.0, NOW, "huggingface") in record.signals


def test_a_withdrawn_paper_says_so_and_an_unreadable_date_is_no_date(page):
    record = page.records[2]
    assert (record.id, record.withdrawn, record.published) == ("2611.10003", True, None)
    assert not page.records[0].withdrawn


def test_entries_that_cannot_be_read_are_left_out_with_a_sentence_each(page):
    assert [record.id for record in page.records] == ["2611.10001", "2611.10002", "2611.10003"]
    assert len(page.odd) == 3
    assert "'not-an-id' is not an arXiv identifier" in page.odd[0]
    assert "Entry 5" in page.odd[1]
    assert "id" in page.odd[1]
    assert "Entry 6" in page.odd[2]


def test_an_entry_without_any_title_is_left_out():
    page = parse_daily([{"paper": {"id": "2611.10001", "title": " \n "}}])
    assert page.records == ()
    assert "2611.10001 has no title" in page.odd[0]


def test_three_thousand_authors_are_all_kept():
    authors = [{"name": f"Author {number}"} for number in range(3303)]
    page = parse_daily([{"paper": {"id": "2611.10001", "title": "Us", "authors": authors}}])
    assert len(page.records[0].authors) == 3303


def test_readings_that_cannot_be_counts_are_left_out():
    page = parse_daily([{"paper": {"id": "2611.10001", "title": "T", "upvotes": -1, "githubStars": "7"}}])
    assert [(signal.name, signal.value) for signal in page.records[0].signals] == [("stars", 7.0)]


def test_a_full_page_asks_for_the_next_by_p_and_a_short_one_ends():
    source = make_source()
    entries = [{"paper": {"id": f"2611.{number:05}", "title": "T"}} for number in range(100)]
    first = source.parse(daily(source), json.dumps(entries).encode(), now=NOW)
    (following,) = first.follow
    assert (following.value("p"), following.value("date"), following.what) == ("1", "2026-11-23", "daily")
    last = source.parse(following, json.dumps(entries[:99]).encode(), now=NOW)
    assert last.follow == ()
    assert source.parse(following, b"[]", now=NOW).follow == ()


def test_an_empty_list_is_remarkable_on_a_weekday_only():
    assert parse_daily([]).odd == ("Hugging Face lists no paper for Monday 2026-11-23 (yet).",)
    assert parse_daily([], date(2026, 11, 22)).odd == ()


def test_the_trending_rank_is_a_reading_and_never_a_listing():
    source = make_source()
    get = source.ask(Newest(MONDAY, MONDAY))[-1]
    entries = [{"paper": {"id": f"2611.1000{number}", "title": "T", "upvotes": number}} for number in range(3)]
    page = source.parse(get, json.dumps(entries).encode(), now=NOW)
    ranks = [signal.value for record in page.records for signal in record.signals if signal.name == "trending_rank"]
    assert ranks == [1.0, 2.0, 3.0]
    assert all(record.listings == () for record in page.records)
    assert page.follow == ()


def test_an_entry_that_is_left_out_keeps_its_rank_for_itself():
    source = make_source()
    get = source.ask(Newest(MONDAY, MONDAY))[-1]
    page = source.parse(get, json.dumps(["broken", {"paper": {"id": "2611.10001", "title": "T"}}]).encode(), now=NOW)
    assert page.records[0].signals[-1].value == 2.0


def test_a_future_date_is_refused_with_the_date_and_a_hint_at_the_clock():
    with pytest.raises(
        SourceError, match=r"for 2026-11-23 \(Invalid \"date\"\); is this machine's clock right\?"
    ) as caught:
        parse_daily({"error": 'Invalid "date"'})
    assert caught.value.status == 400
    assert 400 in daily(make_source()).statuses


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[{", b"", b'{"papers": []}', b"null", b'"text"'])
def test_anything_but_a_list_of_papers_is_a_failure(body):
    source = make_source()
    with pytest.raises(SourceError, match="huggingface: has answered with"):
        source.parse(daily(source), body, now=NOW)


def test_a_paper_is_looked_up_by_its_id_with_the_slash_of_old_ids_escaped():
    gets = make_source().ask(Lookup(("2611.10001", "math.GT/0309136", "bogus id", "2611.10001")))
    assert [get.url for get in gets] == [
        "https://huggingface.co/api/papers/2611.10001",
        "https://huggingface.co/api/papers/math.GT%2F0309136",
    ]


def test_a_paper_that_is_not_indexed_is_normal():
    source = make_source()
    (get,) = source.ask(Lookup(("2611.10001",)))
    assert 404 in get.statuses
    page = source.parse(get, b'{"error": "Paper not found"}', now=NOW)
    assert (page.records, page.odd) == ((), ())


def test_a_paper_that_is_indexed_comes_without_a_listing():
    source = make_source()
    (get,) = source.ask(Lookup(("2611.10001",)))
    page = source.parse(get, b'{"id": "2611.10001", "title": "T", "upvotes": 5}', now=NOW)
    assert page.records[0].title == "T"
    assert page.records[0].listings == ()
    assert page.records[0].signals == (Signal("upvotes", 5.0, NOW, "huggingface"),)


def test_a_search_is_cut_at_a_word_before_250_characters_and_has_its_own_lane():
    source = make_source()
    (get,) = source.ask(Find("wörd " * 80, 500))
    assert len(get.value("q")) <= 250
    assert get.value("q").endswith("wörd")
    assert get.value("limit") == "120"
    assert get.lane.name != daily(source).lane.name
    assert len(source.ask(Find("x" * 300))[0].value("q")) == 250
    assert source.ask(Find(" \n")) == ()


@pytest.mark.parametrize(
    ("endpoint", "named"),
    [
        ("https://huggingface.co", True),
        ("http://127.0.0.1:8000/hf", True),
        ("http://localhost:8000", True),
        ("https://hf-mirror.com", False),
        ("https://huggingface.co.evil.example", False),
        ("http://huggingface.co", False),
    ],
)
def test_the_token_is_meant_for_hugging_face_and_for_no_mirror(endpoint, named):
    assert all(bool(get.secret) is named for get in make_source(endpoint).ask(Newest(MONDAY, MONDAY)))
