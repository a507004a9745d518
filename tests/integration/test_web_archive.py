"""The archive, and one paper's page."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.papers.paper import Listing, Signal
from tests.sites import Page, open_site
from tests.worlds import MONDAY, MONDAY_DATE, make_record, upvotes

EARLIER = date(2026, 11, 3)
READINGS = tuple(
    Signal("upvotes", votes, MONDAY - timedelta(days=back), "huggingface")
    for back, votes in ((20, 3), (1, 29), (0, 41))
)
RECORDS = (
    make_record("2611.00001", "Grokking $\\alpha$-networks", signals=READINGS, categories=("cs.LG", "stat.ML")),
    make_record("2310.01234", "Grokking of α-networks", categories=("cs.LG",), day=None),
    make_record("math.GT/0309136", "Knots & links", authors=("C. F. Gauss",), categories=("math.GT",)),
    make_record("scifact:4983", "Microstructural development", source="scifact", categories=(), day=EARLIER),
    *(
        make_record(f"2610.{number:05}", f"Many {number}", day=date(2026, 10, 5), signals=upvotes(number))
        for number in range(1, 31)
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("archive")


@pytest.fixture
async def visit(folder):
    async with open_site(folder, RECORDS) as visit:
        yield visit


async def test_the_archive_tells_all_months_that_have_papers(visit):
    page = await visit.page("/archive")
    assert "November 2026 3 papers" in page.words
    assert "October 2026 30 papers" in page.words
    assert {"/month/2026-11", "/month/2026-10"} <= set(page.addresses)


async def test_a_day_a_week_and_a_month_hold_what_was_listed_then(visit):
    for path in ("/day/2026-11-23", "/week/2026-W48"):
        page = await visit.page(path)
        assert "Knots" in page.words
        assert "Microstructural" not in page.words
    month = await visit.page("/month/2026-11")
    assert "3 papers, most upvoted first" in month.words
    assert "Microstructural" in month.words
    assert {"/day/2026-11-23", "/day/2026-11-03", "/month/2026-10", "/archive"} <= set(month.addresses)
    day = await visit.page("/day/2026-11-23")
    assert {"/week/2026-W48", "/month/2026-11", "/day/2026-11-03"} <= set(day.addresses)


async def test_a_long_period_goes_on_on_further_pages_and_loses_none(visit):
    first, second = await visit.page("/day/2026-10-05"), await visit.page("/day/2026-10-05?page=2")
    shown = [address for page in (first, second) for address in page.addresses if address.startswith("/paper/")]
    assert len(shown) == len(set(shown)) == 30
    assert shown[0] == "/paper/2610.00030"
    assert "?page=2" in first.addresses
    assert (await visit.get("/day/2026-10-05?page=3")).status_code == 404


async def test_a_period_can_be_narrowed_to_a_field(visit):
    page = await visit.page("/month/2026-11?field=math")
    assert "Knots" in page.words
    assert "Grokking" not in page.words
    assert "No source has listed a paper in q-bio" in (await visit.page("/month/2026-11?field=q-bio")).words


async def test_an_empty_day_says_so_and_one_that_is_to_come_is_not_there(visit):
    page = await visit.page("/day/2026-11-10")
    assert "No source has listed a paper for this day." in page.words
    assert {"/day/2026-11-03", "/day/2026-11-23"} <= set(page.addresses)
    for path in ("/day/2026-12-24", "/week/2026-W53", "/week/2025-W53", "/month/2027-01", "/day/x", "/month/2026-00"):
        assert (await visit.get(path)).status_code == 404, path


async def test_a_papers_page_tells_all_of_it_in_readable_text(visit):
    page = await visit.page("/paper/2611.00001")
    for words in (
        "Grokking α-networks",
        "Ada Lovelace",
        "We study grokking α-networks. It works.",
        "41 upvotes on Hugging Face, 12 of them today",
        "Listed by arXiv, Monday 23 November 2026.",
        "upvotes, Hugging Face: 41 on 23 Nov 2026",
        "@misc{lovelace2026grokking,",
        "Similar papers",
    ):
        assert words in page.words
    assert {
        "https://arxiv.org/abs/2611.00001",
        "/cite/2611.00001",
        "/search?q=au%3A%22Ada%20Lovelace%22",
        "/search?q=cat%3Acs.LG",
        "/search?q=like%3A2611.00001",
        "/paper/2310.01234",
    } <= set(page.addresses)
    assert page.tags.count("polyline") == 1
    assert [line for line in page.words.split("\n") if line.startswith("2026-11-")] == [
        "2026-11-2341", "2026-11-2229", "2026-11-033",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("identifier", "title"),
    [("math.GT/0309136", "Knots & links"), ("scifact:4983", "Microstructural development")],
)
async def test_ids_of_every_kind_have_a_page_and_a_citation(visit, identifier, title):
    page = await visit.page(f"/paper/{identifier}")
    assert title in page.words
    cited = await visit.get(f"/cite/{identifier}")
    assert cited.headers["content-type"] == "application/x-bibtex; charset=utf-8"
    assert cited.headers["content-disposition"].startswith('attachment; filename="')
    assert cited.text.startswith("@misc{")


async def test_an_id_that_a_browser_would_take_for_a_folder_has_a_page_too(tmp_path):
    async with open_site(tmp_path, [make_record("..", "Dots All the Way")]) as visit:
        found = await visit.page("/search?q=dots")
        (path,) = {address for address in found.addresses if address.startswith("/paper/")}
        assert "Dots All the Way" in (await visit.page(path)).words


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("2611.00001v3", "/paper/2611.00001"),
        ("arXiv:2611.00001", "/paper/2611.00001"),
        ("https://arxiv.org/pdf/2611.00001", "/paper/2611.00001"),
        ("math.gt/0309136", "/paper/math.GT/0309136"),
    ],
)
async def test_a_papers_other_names_lead_to_its_page(visit, typed, leads_to):
    answer = await visit.get(f"/paper/{typed}")
    assert (answer.status_code, answer.headers["location"]) == (301, leads_to)


async def test_a_paper_that_is_not_held_is_not_found(visit):
    for path in ("/paper/2611.99999", "/paper/", "/cite/nothing", "/paper/%00", "/paper/%ff"):
        assert (await visit.get(path)).status_code == 404, path


async def test_a_work_that_thousands_signed_stays_a_small_page(tmp_path):
    authors = tuple(f"Author Number {number}" for number in range(3000))
    record = make_record("2611.00007", "A collision", authors=authors)
    async with open_site(tmp_path, [record]) as visit:
        answer = await visit.get("/paper/2611.00007")
    assert "2,984 more authors" in Page(answer.text).words
    assert len(answer.text.replace(authors[-1], "")) < 220_000


async def test_a_withdrawn_paper_says_so(tmp_path):
    record = make_record("2611.00008", "Mistaken", withdrawn=True)
    async with open_site(tmp_path, [record, *RECORDS[:1]]) as visit:
        assert "This paper was withdrawn." in (await visit.page("/paper/2611.00008")).words
        assert "Mistaken" not in (await visit.page("/day/2026-11-23")).words


async def test_a_paper_that_two_sources_list_counts_once(tmp_path):
    one = make_record("2611.00001", "Twice")
    other = make_record("2611.00001", "Twice", source="huggingface")
    async with open_site(tmp_path, [one, other]) as visit:
        assert "1 paper, most upvoted first" in (await visit.page(f"/day/{MONDAY_DATE}")).words
        assert (
            Listing("huggingface", MONDAY_DATE, "daily")
            in (await visit.world.house.library.paper("2611.00001")).listings
        )
