"""The front page: what is trending, by field and by day; the sample; what can be done from there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.sites import Page, open_site
from tests.worlds import MONDAY_DATE, make_record, upvotes

FRIDAY = MONDAY_DATE - timedelta(days=3)
RECORDS = (
    make_record("2611.00001", "Grokking", signals=upvotes(41), categories=("cs.LG", "stat.ML")),
    make_record("2611.00002", "Bounds in $\\ell_2$", signals=upvotes(7), categories=("cs.CV",)),
    make_record("2611.00003", "Knots", categories=("math.GT",)),
    make_record("2611.00009", "Last week", day=FRIDAY, categories=("cs.LG",)),
)


async def nothing(_request):
    return PlainTextResponse("")


@pytest.fixture
async def visit(tmp_path):
    async with open_site(tmp_path, RECORDS) as visit:
        yield visit


async def test_today_lists_the_newest_papers_by_votes_each_with_its_reason_and_links(visit):
    answer = await visit.get("/")
    page = Page(answer.text)
    assert "<title>Today’s papers · paperboy</title>" in answer.text
    assert page.words.index("Grokking") < min(page.words.index(title) for title in ("Bounds in ℓ₂", "Knots"))
    for words in ("Monday 23 November 2026 · 3 of 3 new papers", "41 upvotes on Hugging Face", "new in math.GT"):
        assert words in page.words
    assert "Last week" not in page.words
    assert {"/paper/2611.00001", "https://arxiv.org/abs/2611.00001", "https://arxiv.org/pdf/2611.00001"} <= set(
        page.addresses
    )
    assert "SAMPLE" not in page.words


async def test_a_field_shows_its_papers_alone_and_so_does_a_whole_archive(visit):
    page = await visit.page("/?field=cs.LG")
    assert "Grokking" in page.words
    assert "Knots" not in page.words
    assert "/feed?q=cat:cs.LG" in page.addresses
    archive = await visit.page("/?field=cs")
    assert "Grokking" in archive.words
    assert "Bounds" in archive.words
    assert "Knots" not in archive.words


async def test_a_day_shows_what_was_listed_for_it_and_leads_to_its_neighbours(visit):
    page = await visit.page(f"/?day={FRIDAY}")
    assert "Papers of Friday 20 November 2026" in page.words
    assert "Last week" in page.words
    assert "Grokking" not in page.words
    assert f"/day/{MONDAY_DATE}" in page.addresses
    assert f"/day/{FRIDAY}" in (await visit.page("/")).addresses


async def test_where_nothing_suits_one_line_says_why(visit):
    assert "no source has listed a paper for this day" in (await visit.page("/?day=2026-11-22")).words
    assert "none matched" in (await visit.page("/?field=econ.EM")).words


@pytest.mark.parametrize("query", ["day=2026-02-30", "day=yesterday", "field=cs.LG%20OR%20a", "field=%22"])
async def test_a_filter_that_cannot_be_is_refused_in_one_sentence(visit, query):
    answer = await visit.get(f"/?{query}")
    assert answer.status_code == 400
    assert "cannot be read" in Page(answer.text).words


async def test_the_subscribe_box_and_the_buttons_stand_there_only_where_somebody_serves_them(visit, tmp_path):
    bare = await visit.page("/?interests=knots")
    assert not {"email", "csrf"} & set(bare.fields)
    assert "Add to" not in bare.words
    routes = [Route("/subscribe", nothing, methods=["POST"]), Route("/slack/install", nothing)]
    web = {"discord_url": "https://discord.com/oauth2/authorize?client_id=1"}
    async with open_site(tmp_path / "more", RECORDS, routes=routes, web=web) as other:
        page = await other.page("/?interests=knots")
    assert {"email", "interests", "at", "timezone", "top", "csrf"} <= set(page.fields)
    assert (page.fields["interests"], page.fields["at"], page.fields["top"]) == ("knots", "08:00", "5")
    assert {"/slack/install", "https://discord.com/oauth2/authorize?client_id=1"} <= set(page.addresses)


async def test_while_the_first_papers_are_fetched_the_page_says_so(tmp_path):
    async with open_site(tmp_path, tried=False) as visit:
        page = await visit.page("/")
        assert "are being fetched" in page.words
        assert "SAMPLE" not in page.words
        await visit.world.learn(*RECORDS)
        assert "Grokking" in (await visit.page("/")).words


async def test_when_nothing_can_be_fetched_every_page_shows_the_sample_and_marks_it(tmp_path):
    async with open_site(tmp_path) as visit:
        answer = await visit.get("/")
        page = Page(answer.text)
        assert "<title>SAMPLE · " in answer.text
        assert page.words.count("SAMPLE") == page.tags.count("article") + 2
        paper = next(address for address in page.addresses if address.startswith("/paper/"))
        for path in (paper, "/search?q=attention", "/archive"):
            assert "SAMPLE" in (await visit.page(path)).words, path
        assert "SAMPLE" in (await visit.get("/feed")).text
        await visit.world.learn(*RECORDS)
        assert "SAMPLE" not in (await visit.get("/")).text


async def test_the_services_own_figures_stand_on_a_page_of_their_own(visit):
    assert "figures begin with the first digest or search" in (await visit.page("/stats")).words
    await visit.world.house.store.set_fact(
        f"figures:{MONDAY_DATE}", '{"counts": {"slack": {"due": 3, "on_time": 2}}, "times": {}}'
    )
    assert "<td>slack</td><td>3</td><td>2</td>" in (await visit.get("/stats")).text


async def test_healthz_says_that_it_lives_and_readyz_whether_it_can_work(visit, tmp_path):
    assert (await visit.get("/healthz")).text == "ok"
    assert ((await visit.get("/readyz")).status_code, (await visit.get("/readyz")).text) == (200, "ready")

    async def unready():
        return ["the store cannot be read"]

    async with open_site(tmp_path / "ill", RECORDS, unready=unready) as ill:
        answer = await ill.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "the store cannot be read")
        assert (await ill.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("papers@example.org", "mailto:papers@example.org"),
        ("https://example.org/help", "https://example.org/help"),
        ("room 7", None),
        ("javascript:alert(1)@x", None),
    ],
)
async def test_the_pages_about_it_name_whoever_runs_it(tmp_path, contact, link):
    async with open_site(tmp_path, RECORDS, web={"contact": contact}) as visit:
        for path in ("/privacy", "/support"):
            page = await visit.page(path)
            assert contact in page.words
            assert (link in page.addresses) == (link is not None)
            assert not [address for address in page.addresses if address.startswith("javascript")]


async def test_privacy_says_what_is_kept_and_where_queries_go(visit, tmp_path):
    words = (await visit.page("/privacy")).words
    for promise in (
        "for 90 days",
        "30 days after they left",
        "never appear on a public page",
        "nothing is sent elsewhere",
    ):
        assert promise in words
    async with open_site(tmp_path / "out", RECORDS, search={"ask_outside": True}) as other:
        assert "sent to Hugging Face and arXiv" in (await other.page("/privacy")).words


async def test_about_tells_the_commands_and_the_language(visit):
    words = (await visit.page("/about")).words
    assert "/papers subscribe INTERESTS" in words
    assert '"length generalization" -survey' in words
    assert "Disallow: /digest/" in (await visit.get("/robots.txt")).text
