"""Atom feeds: valid (RFC 4287), stable, and for everything a subscription can express."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from defusedxml.ElementTree import fromstring

from tests.sites import Page, open_site
from tests.worlds import MONDAY, MONDAY_DATE, make_record, upvotes

ATOM = "{http://www.w3.org/2005/Atom}"
URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
THURSDAY, FRIDAY = MONDAY_DATE - timedelta(days=4), MONDAY_DATE - timedelta(days=3)
RECORDS = (
    make_record("2611.00001", "Grokking <b>$\\alpha$</b> & more", signals=upvotes(41)),
    make_record("2611.00002", "Grokking kernels", signals=upvotes(7)),
    make_record("2611.00003", "Knots", categories=("math.GT",), authors=()),
    make_record("2611.00004", "Grokking on Friday", day=FRIDAY, signals=upvotes(3)),
    make_record("2611.00005", "Grokking on Thursday", day=THURSDAY),
    make_record("x:\x08?#<\u2028", "Grokking \x0b\x00\ufffe\ud800", abstract="\x1b[31m]]>", authors=("\x08",)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("feed")


@pytest.fixture
async def visit(folder):
    async with open_site(folder, RECORDS, web={"base_url": "https://example.org/papers"}) as visit:
        yield visit


async def read(visit, query=""):
    answer = await visit.get(f"/feed{query}")
    assert answer.status_code == 200, answer.text
    return fromstring(answer.content)


def check_atom(feed):
    """What RFC 4287 asks of a feed and its entries (4.1.1, 4.1.2)."""
    assert feed.tag == f"{ATOM}feed"
    ids = []
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1, name
        assert URI.fullmatch(element.findtext(f"{ATOM}id")), element.findtext(f"{ATOM}id")
        assert element.findtext(f"{ATOM}title").strip()
        for name in ("updated", "published"):
            if (moment := element.findtext(f"{ATOM}{name}")) is not None:
                assert datetime.fromisoformat(moment).tzinfo is not None
        links = [link.attrib for link in element.findall(f"{ATOM}link")]
        assert len([link for link in links if link["rel"] == "alternate"]) == 1
        assert all(URI.fullmatch(link["href"]) for link in links)
        ids.append(element.findtext(f"{ATOM}id"))
    assert len(ids) == len(set(ids))
    assert feed.find(f"{ATOM}author/{ATOM}name").text


def titles(feed):
    return [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")]


@pytest.mark.parametrize(
    "query", ["", "?q=grokking", "?q=cat:math.GT&top=1", "?q=nobody", "?q=%22a%26b%22&days=mon,thu&at=08:00"]
)
async def test_every_feed_is_valid_atom_with_absolute_addresses(visit, query):
    feed = await read(visit, query)
    check_atom(feed)
    for link in feed.iter(f"{ATOM}link"):
        assert link.attrib["href"].startswith(("https://example.org/papers/", "https://arxiv.org/abs/"))


async def test_a_feed_has_the_best_of_each_day_the_newest_day_first(visit):
    assert titles(await read(visit, "?q=ti:grokking&top=1")) == [
        "Grokking <b>α</b> & more", "Grokking on Friday", "Grokking on Thursday",
    ]  # fmt: skip
    assert titles(await read(visit, "?q=cat:math.*")) == ["Knots"]


async def test_days_gather_what_was_listed_since_the_one_before(visit):
    assert set(titles(await read(visit, "?q=kernels OR friday OR thursday&days=mon"))) == {
        "Grokking kernels", "Grokking on Friday", "Grokking on Thursday",
    }  # fmt: skip
    assert titles(await read(visit, "?q=friday OR thursday&days=thu")) == ["Grokking on Thursday"]


async def test_todays_edition_comes_at_its_time(visit):
    assert MONDAY.hour == 7
    assert "Knots" not in titles(await read(visit, "?q=knots&at=07:30"))
    assert "Knots" in titles(await read(visit, "?q=knots&at=07:00"))
    assert "Knots" in titles(await read(visit, "?q=knots&at=07:30&timezone=Europe/Berlin"))


async def test_an_entry_says_why_it_is_there_and_who_wrote_it(visit):
    feed = await read(visit, "?q=grokking&top=1")
    entry = feed.find(f"{ATOM}entry")
    assert "41 upvotes on Hugging Face" in entry.findtext(f"{ATOM}summary")
    assert [author.findtext(f"{ATOM}name") for author in entry.findall(f"{ATOM}author")] == [
        "Ada Lovelace",
        "Alan Turing",
    ]
    assert [category.attrib["term"] for category in entry.findall(f"{ATOM}category")] == ["cs.LG"]
    assert entry.findtext(f"{ATOM}id") == "tag:example.org,2026:paper/2611.00001"


async def test_more_votes_change_neither_ids_nor_dates_and_a_new_version_changes_its_own_date(tmp_path):
    async with open_site(tmp_path, RECORDS[:3]) as visit:
        before = (await visit.get("/feed?q=grokking")).text
        await visit.world.learn(make_record("2611.00001", "Grokking <b>$\\alpha$</b> & more", signals=upvotes(99)))
        visit.site.room._kept.clear()
        after = (await visit.get("/feed?q=grokking")).text
        for part in ("id", "updated", "published"):
            found = re.compile(rf"<{part}>(.*?)</{part}>")
            assert found.findall(before) == found.findall(after), part
        later = MONDAY + timedelta(hours=5)
        await visit.world.learn(make_record("2611.00002", "Grokking kernels", version=2, updated=later))
        visit.site.room._kept.clear()
        newest = fromstring((await visit.get("/feed?q=grokking")).content)
        assert newest.findtext(f"{ATOM}updated") == later.isoformat()


async def test_a_reader_that_holds_the_feed_is_told_so(visit):
    first = await visit.get("/feed?q=grokking")
    assert first.headers["cache-control"] == "public, max-age=600"
    for headers in (
        {"If-None-Match": first.headers["etag"]},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = await visit.get("/feed?q=grokking", **headers)
        assert (again.status_code, again.content) == (304, b"")
    for headers in ({"If-Modified-Since": "Mon, 05 Jan 2026 08:00:00 GMT"}, {"If-Modified-Since": "no date"}):
        assert (await visit.get("/feed?q=grokking", **headers)).status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?q=(", "unclosed"),
        ("?top=0", "between 1 and 50"),
        ("?top=x", "between 1 and 50"),
        ("?days=someday", "are not days"),
        ("?at=25:00", "is not a time"),
        ("?timezone=Mars", "is not a time zone"),
        (f"?timezone={'x' * 5000}", "too long"),
    ],
)
async def test_a_feed_that_cannot_be_is_refused_in_one_sentence(visit, query, sentence):
    answer = await visit.get(f"/feed{query}")
    assert answer.status_code == 400
    assert sentence in Page(answer.text).words
