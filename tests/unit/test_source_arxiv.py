"""What arXiv is asked, and what it is asked instead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import SourceError
from core.papers.sources import Backfill, Find, Lookup, Newest
from core.papers.sources.arxiv import Arxiv, last_weekday
from core.papers.sources.arxiv.oai import oai_sets
from core.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MONDAY, FRIDAY = date(2026, 11, 23), date(2026, 11, 20)


@pytest.fixture(scope="module")
def source():
    return Arxiv(Settings.model_validate({"arxiv": {"min_interval": 3}}))


def feed(source, since=FRIDAY, today=MONDAY):
    return source.ask(Newest(today, since, ("cs.LG",)))[0]


def test_each_category_is_asked_for_its_own_feed_and_an_archive_by_its_name(source):
    gets = source.ask(Newest(MONDAY, FRIDAY, ("cs.LG", "math.*", "cs.LG")))
    assert [get.url for get in gets] == ["https://rss.arxiv.org/atom/cs.LG", "https://rss.arxiv.org/atom/math"]
    assert all(get.conditional for get in gets)


def test_all_addresses_share_one_lane_of_one_connection(source):
    gets = [
        feed(source),
        *source.instead(feed(source), None),
        *source.ask(Lookup(("2611.00001",))),
        *source.ask(Find("grokking")),
        *source.ask(Backfill(FRIDAY, MONDAY, ("cs.LG",))),
    ]
    assert {get.what for get in gets} == {"feed", "list", "query", "oai"}
    assert {(get.lane.name, get.lane.connections, get.lane.min_interval, get.lane.pause) for get in gets} == {
        ("arxiv", 1, 3.0, 600.0)
    }


def test_a_failed_feed_is_replaced_by_the_list_page_of_its_category(source):
    (get,) = source.instead(feed(source), SourceError("arxiv", "has answered 500", status=500))
    assert get.url == "https://arxiv.org/list/cs.LG/new"
    assert get.accepts == ("text/html", "application/xhtml+xml")


@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_nothing_more_is_asked_when_arxiv_refuses(source, status):
    assert source.instead(feed(source), SourceError("arxiv", "has answered", status=status)) == ()


@pytest.mark.parametrize(
    ("since", "today", "asked"),
    [
        (FRIDAY, MONDAY, True),  # Monday's batch should be there and is not
        (MONDAY, MONDAY, False),  # it is held already
        (FRIDAY, date(2026, 11, 22), False),  # on Sunday Friday's is the newest
        (date(2026, 11, 15), date(2026, 11, 22), True),  # the first run on a Sunday
    ],
)
def test_a_feed_without_news_is_replaced_only_while_a_batch_is_missing(source, since, today, asked):
    assert bool(source.instead(feed(source, since, today), None)) is asked


def test_list_pages_and_look_ups_are_replaced_by_nothing(source):
    failure = SourceError("arxiv", "has answered 500", status=500)
    (page,) = source.instead(feed(source), failure)
    (query,) = source.ask(Lookup(("2611.00001",)))
    assert source.instead(page, failure) == ()
    assert source.instead(query, None) == ()


def test_ids_are_validated_before_they_are_asked_for(source):
    (get,) = source.ask(Lookup(("2611.00001v2", "nonsense", "math.GT/0309136", "arXiv:2611.00001", "2613.00001")))
    assert get.value("id_list") == "2611.00001,math.GT/0309136"
    assert get.value("max_results") == "2"


def test_many_ids_go_in_chunks_of_a_hundred_each_with_its_size(source):
    gets = source.ask(Lookup(tuple(f"2611.{number:05}" for number in range(1, 251))))
    assert [get.value("max_results") for get in gets] == ["100", "100", "50"]
    assert gets[2].value("id_list").endswith("2611.00250")


def test_no_valid_id_is_no_request(source):
    assert source.ask(Lookup(("nonsense",))) == ()


def test_search_words_are_quoted_so_that_none_is_an_operator(source):
    (get,) = source.ask(Find('state-space OR "models" (NOT) cat:cs.LG', 7))
    words = ("state-space", "OR", "models", "NOT", "cat", "cs.LG")
    assert get.value("search_query") == " AND ".join(f'all:"{word}"' for word in words)
    assert (get.value("max_results"), get.value("sortBy")) == ("7", "relevance")
    assert source.ask(Find("?!")) == ()


def test_a_gap_is_harvested_from_the_weekday_before_it_with_more_patience(source):
    (get,) = source.ask(Backfill(MONDAY, date(2026, 11, 25), ("cs.LG",)))
    assert [get.value(name) for name in ("verb", "metadataPrefix", "set", "from")] == [
        "ListRecords",
        "arXiv",
        "cs:cs:LG",
        "2026-11-20",
    ]
    assert get.deadline > feed(source).deadline


def test_resumption_goes_on_with_the_token_alone(source):
    (get,) = source.ask(Backfill(date(2026, 11, 18), date(2026, 11, 20), ("cs.LG",)))
    page = source.parse(get, (FIXTURES / "arxiv_oai.xml").read_bytes(), now=NOW)
    (following,) = page.follow
    assert following.params == (("verb", "ListRecords"), ("resumptionToken", "token|500"))
    assert following.about == get.about
    again = source.parse(following, (FIXTURES / "arxiv_oai_none.xml").read_bytes(), now=NOW)
    assert (again.records, again.follow) == ((), ())


def test_what_a_list_page_names_without_an_abstract_is_looked_up(source):
    (get,) = source.instead(feed(source), None)
    page = source.parse(get, (FIXTURES / "arxiv_list.html").read_bytes(), now=NOW)
    assert [item.value("id_list") for item in page.follow] == ["2611.00005"]
    assert page.follow[0].what == "query"


@pytest.mark.parametrize(
    ("categories", "sets"),
    [
        (("cs.LG",), ("cs:cs:LG",)),
        (("cs.AI", "cs.CL", "cs.LG", "stat.ML"), ("cs", "stat:stat:ML")),
        (("hep-th", "astro-ph.CO", "quant-ph"), ("physics:hep-th", "physics:astro-ph:CO", "physics:quant-ph")),
        (("math", "math.CO"), ("math", "math:math:CO")),
    ],
)
def test_sets_are_named_as_oai_pmh_names_them_and_many_of_an_archive_are_asked_as_one(categories, sets):
    assert oai_sets(categories) == sets


def test_the_newest_feed_on_a_weekend_is_fridays():
    assert [last_weekday(date(2026, 11, day)) for day in (20, 21, 22, 23)] == [FRIDAY, FRIDAY, FRIDAY, MONDAY]
