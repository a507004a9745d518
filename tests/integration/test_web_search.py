"""Search on the page: the whole language, reasons, pages of hits, and where a query cannot be read."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.sites import Page, open_site
from tests.worlds import make_record, upvotes

RECORDS = (
    make_record("2611.00001", "Grokking in small networks", signals=upvotes(41)),
    make_record("2611.00002", "A survey of grokking", categories=("cs.CL",)),
    make_record("2611.00003", "Length generalization of transformers", authors=("Yoshua Bengio",)),
    *(make_record(f"2610.{number:05}", f"Kernels, part {number}") for number in range(1, 26)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("search")


@pytest.fixture
async def visit(folder):
    async with open_site(folder, RECORDS) as visit:
        yield visit


def found(page):
    return [address.removeprefix("/paper/") for address in page.addresses if address.startswith("/paper/")]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("grokking", {"2611.00001", "2611.00002"}),
        ("grokking -survey", {"2611.00001"}),
        ('"length generalization"', {"2611.00003"}),
        ("au:bengio", {"2611.00003"}),
        ("cat:cs.CL OR min:20", {"2611.00001", "2611.00002"}),
        ("2611.00002", {"2611.00002"}),
        ("https://arxiv.org/abs/2611.00002v1", {"2611.00002"}),
    ],
)
async def test_the_page_understands_the_whole_language(visit, query, ids):
    page = await visit.page(f"/search?q={quote(query)}")
    assert set(found(page)) == ids
    assert page.fields["q"] == query


async def test_each_hit_says_why_it_is_there(visit):
    assert "words: grokking" in (await visit.page("/search?q=grokking")).words


async def test_hits_go_on_on_further_pages_and_each_is_shown_once(visit):
    page, seen, query = await visit.page("/search?q=kernels"), [], True
    assert "1–10 of 25" in page.words
    while query:
        seen += found(page)
        query = next(
            (address for address in page.addresses if address.startswith("?") and page_of(address) > len(seen) / 10), ""
        )
        page = await visit.page(f"/search{query}") if query else page
    assert len(seen) == len(set(seen)) == 25
    assert (await visit.get("/search?q=kernels&page=31")).status_code == 404
    assert "Nothing was found on this page." in (await visit.page("/search?q=kernels&page=9")).words


def page_of(address):
    return int(parse_qs(urlsplit(address).query)["page"][0])


@pytest.mark.parametrize(
    ("query", "sentence", "pointed"),
    [
        ("grokking (a OR b", "This bracket is unclosed", "grokking (a OR b\n         ^"),
        ('kernels "a b', "This quote is unclosed", 'kernels "a b\n        ^'),
        ("min:many", "min:", "min:many\n^"),
        ("like:2310.99999", "does not hold", "like:2310.99999\n^"),
        ("a" * 9000, "at most 8000 can be read", "^"),
    ],
)
async def test_a_query_that_cannot_be_read_is_answered_at_the_place(visit, query, sentence, pointed):
    answer = await visit.get(f"/search?q={quote(query)}")
    assert answer.status_code == 400
    page = Page(answer.text)
    assert sentence in page.words
    assert pointed in page.words


async def test_without_a_query_the_page_explains_the_language(visit):
    page = await visit.page("/search")
    assert '"length generalization" -survey' in page.words
    assert "nothing is sent elsewhere" in page.words
    assert found(page) == []


async def test_an_empty_query_finds_everything(visit):
    assert "of 28" in (await visit.page("/search?q=")).words


async def test_a_query_without_hits_says_so(visit):
    page = await visit.page("/search?q=au:nobody")
    assert "Nothing was found." in page.words
    assert "/feed?q=au%3Anobody" in page.addresses


async def test_a_search_can_be_had_as_a_feed_and_where_mail_is_served_by_mail(visit, tmp_path):
    query = quote('"length generalization" -a&b', safe="")
    assert f"/feed?q={query}" in (await visit.page(f"/search?q={query}")).addresses
    routes = [Route("/subscribe", lambda _request: PlainTextResponse(""), methods=["POST"])]
    async with open_site(tmp_path, RECORDS, routes=routes) as other:
        page = await other.page(f"/search?q={query}")
        assert f"/?interests={query}#subscribe" in page.addresses
        assert (await other.page(f"/?interests={query}")).fields["interests"] == '"length generalization" -a&b'


async def test_how_long_a_search_took_counts_among_the_services_figures(visit):
    told = []
    visit.site.took = lambda what, seconds: told.append((what, seconds >= 0))
    await visit.page("/search?q=grokking")
    assert told == [("search", True)]
