from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import SourceError
from core.papers.paper import Signal
from core.papers.sources import Find, Lookup, Newest
from core.papers.sources.hackernews import HackerNews
from core.settings import Settings

FIXTURE = Path(__file__).parents[1] / "fixtures" / "sources" / "hackernews.json"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SOURCE = HackerNews(Settings())
(GET,) = SOURCE.ask(Newest(date(2026, 11, 23), date(2026, 11, 22)))


@pytest.fixture(scope="module")
def page():
    return SOURCE.parse(GET, FIXTURE.read_bytes(), now=NOW)


def test_one_query_covers_a_week_of_stories_whatever_was_asked_last():
    week = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())
    assert GET.url == "https://hn.algolia.com/api/v1/search_by_date"
    assert GET.value("numericFilters") == f"created_at_i>{week}"
    assert GET.value("restrictSearchableAttributes") == "url"


def test_it_is_never_asked_for_single_papers_or_words():
    assert SOURCE.ask(Lookup(("2611.10001",))) == ()
    assert SOURCE.ask(Find("grokking")) == ()


def test_the_story_with_the_most_points_counts(page):
    record = page.records[0]
    assert record.id == "2611.10001"
    assert record.signals == (
        Signal("points", 250, NOW, "hackernews"),
        Signal("comments", 90, NOW, "hackernews"),
    )


def test_only_addresses_of_papers_count_and_a_missing_reading_is_none(page):
    assert [record.id for record in page.records] == ["2611.10001", "math.GT/0309136"]
    assert page.records[1].signals == (Signal("points", 7, NOW, "hackernews"),)


def test_it_gives_readings_and_neither_titles_nor_listings(page):
    assert all(record.title == "" and record.listings == () for record in page.records)


def test_a_story_that_cannot_be_read_is_left_out_and_said(page):
    assert len(page.odd) == 1
    assert page.odd[0].startswith("Story 6 of Hacker News was left out")


def test_more_stories_than_can_be_reached_are_said():
    hits = [{"url": f"https://arxiv.org/abs/2611.{number:05}", "points": 1} for number in range(1000)]
    page = SOURCE.parse(GET, json.dumps({"hits": hits}).encode(), now=NOW)
    assert len(page.records) == 1000
    assert "more than 1000 stories" in page.odd[0]


@pytest.mark.parametrize("body", [b"[]", b'{"hits": 3}', b"{}", b"<html>", b""])
def test_anything_but_stories_is_a_failure(body):
    with pytest.raises(SourceError, match="hackernews: has answered with"):
        SOURCE.parse(GET, body, now=NOW)


def test_no_stories_are_no_failure():
    assert SOURCE.parse(GET, b'{"hits": []}', now=NOW).records == ()
