"""What every registered source keeps, however it works."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime

import pytest

from core.errors import SourceError
from core.papers.sources import SOURCES, Backfill, Find, Get, Lookup, Newest, Page, create_source, create_sources
from core.settings import Settings

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CATEGORIES = ("cs.LG", "math.*")
WISHES = (
    Newest(date(2026, 11, 23), date(2026, 11, 16), CATEGORIES),
    Backfill(date(2026, 11, 16), date(2026, 11, 20), CATEGORIES),
    Lookup(("2611.00001", "math.GT/0309136", "no id at all")),
    Find("length generalization", 10),
)
RUBBISH = (
    b"",
    b"\x00\xff\xfe",
    b"<html><body>Too busy</body></html>",
    b"{",
    b"[" * 5000,
    b"null",
    b"<feed><entry>",
    b"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><a>&b;</a>",
)


@pytest.fixture(params=SOURCES)
def source(request):
    return create_source(request.param, Settings())


def every_get(source):
    gets = [get for wish in WISHES for get in source.ask(wish)]
    failed = SourceError(source.name, "has answered 500", status=500)
    return [*gets, *(more for get in gets for more in source.instead(get, failed))]


def test_a_source_answers_to_the_name_it_is_registered_under(source):
    assert source.name in SOURCES
    assert all(get.source == source.name for get in every_get(source))


def test_every_source_can_say_what_is_newest(source):
    assert source.ask(WISHES[0])


def test_asking_is_pure(source):
    assert [source.ask(copy.deepcopy(wish)) for wish in WISHES] == [source.ask(wish) for wish in WISHES]


def test_requests_are_whole(source):
    for get in every_get(source):
        assert isinstance(get, Get)
        assert get.url.startswith(("https://", "bundled:"))
        assert get.what
        assert get.lane.name
        assert get.accepts
        assert 200 in get.statuses
        assert 0 < get.deadline <= 180
        hash(get)


def test_requests_of_one_lane_agree_about_it(source):
    lanes = {get.lane for get in every_get(source)}
    assert len(lanes) == len({lane.name for lane in lanes})


@pytest.mark.parametrize("body", RUBBISH)
def test_rubbish_is_a_failure_in_one_sentence_or_a_page_without_papers(source, body):
    for get in every_get(source):
        try:
            page = source.parse(get, body, now=NOW)
        except SourceError as error:
            assert error.source == source.name
            assert "\n" not in str(error)
            assert len(str(error)) < 300
        else:
            assert isinstance(page, Page)
            assert page.records == ()


def test_every_source_is_called_something_and_can_be_made():
    assert all(registered.label for registered in SOURCES.values())
    assert {create_source(name, Settings()).name for name in SOURCES} == set(SOURCES)


def test_what_is_switched_off_is_not_made_and_the_sample_never_by_itself():
    assert [source.name for source in create_sources(Settings())] == ["huggingface", "arxiv", "hackernews"]
    settings = Settings.model_validate({"arxiv": {"enabled": False}, "hackernews": {"enabled": False}})
    assert [source.name for source in create_sources(settings)] == ["huggingface"]
