"""The page in a real browser: with script and without, on a phone, in the dark, by keyboard, looked at by axe."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bots.web.site import read_form, render
from core.papers.paper import Signal
from tests.browsers import axe_complaints, open_tab, served_site
from tests.worlds import MONDAY, MONDAY_DATE, make_record, upvotes

EVIL = "Evil <script>alert(1)</script><img src=x onerror=alert(2)>\"' {{ 7*7 }}"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
READINGS = tuple(Signal("upvotes", 5 * day, MONDAY - timedelta(days=9 - day), "huggingface") for day in range(1, 10))
RECORDS = (
    make_record("2611.00001", "Grokking in small networks", signals=READINGS, categories=("cs.LG", "stat.ML")),
    make_record("2611.00002", EVIL, signals=upvotes(9), abstract=EVIL * 9, authors=(EVIL, "B"), categories=("cs.CL",)),
    make_record("2611.00003", f"Onewordtitle{'x' * 200}", categories=("math.GT",)),
    make_record("2611.00004", "The week before", day=MONDAY_DATE - timedelta(days=7)),
    *(make_record(f"2610.{number:05}", f"Kernels of kind {number}") for number in range(1, 16)),
)
PAGES = (
    "/", "/?field=math.GT", "/day/2026-11-23", "/week/2026-W48", "/month/2026-11", "/archive", "/paper/2611.00001",
    "/paper/2611.00002", "/search", "/search?q=kernels", "/search?q=(", "/about", "/privacy", "/support", "/stats",
    "/nothing",
)  # fmt: skip
sent = []


async def subscribe(request):
    form = await read_form(request)
    sent.append(dict(form))
    return render(request, "sentence.html", title="Look into your inbox", sentence=f"A mail went to {form['email']}.")


async def install(_request):
    return PlainTextResponse("installing")


ROUTES = (Route("/subscribe", subscribe, methods=["POST"]), Route("/slack/install", install))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with served_site(tmp_path_factory.mktemp("browser"), RECORDS, routes=ROUTES) as (address, visit):
        figures = (
            '{"counts": {"slack": {"due": 3, "on_time": 2, "late": 1}}, "times": {"search": [9,0,0,0,0,0,0,0,0,1]}}'
        )
        visit.world.house.store._facts[f"figures:{MONDAY_DATE}"] = figures
        yield address


@pytest.fixture
def faults():
    """What went wrong unseen: nothing may, in any test."""
    found: list[str] = []
    yield found
    # A page that answers 400 or 404 is told of in the console, and is meant.
    assert not [fault for fault in found if "the server responded with a status of 40" not in fault]


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def tab(request, chromium, site, faults):
    with open_tab(chromium, site, faults=faults, java_script_enabled=request.param) as tab:
        yield tab


def test_a_reader_searches_opens_a_paper_and_goes_on_from_there(tab):
    tab.goto("/")
    tab.get_by_label("Search the library").fill("grokking")
    tab.get_by_role("button", name="Search").click()
    tab.wait_for_url(re.compile(r"/search\?q=grokking$"))
    assert "words: grokking" in tab.inner_text("main")
    tab.get_by_role("link", name="Grokking in small networks").click()
    assert tab.inner_text("h1") == "Grokking in small networks"
    assert "@misc{lovelace2026grokking," in tab.inner_text("pre")
    assert tab.locator("polyline").count() == 1
    tab.get_by_role("link", name="Ada Lovelace").click()
    assert tab.get_by_label("Search the library").input_value() == 'au:"Ada Lovelace"'
    tab.get_by_text("How to write a query").click()
    assert tab.get_by_role("link", name='"length generalization" -survey').is_visible()


def test_a_query_that_cannot_be_read_is_shown_with_its_place_and_can_be_mended_at_once(tab):
    tab.goto("/search?q=grokking+(a")
    assert tab.inner_text("pre").split("\n") == ["grokking (a", "         ^"]
    box = tab.get_by_label("Search the library")
    assert box.input_value() == "grokking (a"
    box.fill("grokking")
    box.press("Enter")
    assert "words: grokking" in tab.inner_text("main")


def test_a_reader_browses_the_past(tab):
    tab.goto("/")
    tab.get_by_role("link", name="Archive").click()
    tab.get_by_role("link", name="November 2026").click()
    tab.get_by_role("link", name="Mon 16").click()
    assert "The week before" in tab.inner_text("main")
    tab.get_by_role("link", name="Monday 23 November 2026").click()
    assert tab.inner_text("h1") == "Papers of Monday 23 November 2026"


def test_a_reader_filters_by_field_and_by_day(tab, request):
    tab.goto("/")
    tab.get_by_role("navigation", name="Fields").get_by_role("link", name="stat.ML").click()
    assert tab.locator("article").count() == 1
    tab.get_by_role("combobox", name="Field").select_option("math.GT")
    if "without script" in request.node.name:
        tab.get_by_role("button", name="Show").click()
    tab.wait_for_url(re.compile("field=math.GT"))
    assert "Onewordtitle" in tab.inner_text("article")
    tab.goto("/")
    tab.get_by_label("Day", exact=True).fill("2026-11-16")
    if "without script" in request.node.name:
        tab.get_by_role("button", name="Show").click()
    tab.wait_for_url(re.compile("day=2026-11-16"))
    assert "The week before" in tab.inner_text("article")


def test_a_reader_subscribes_with_everything_the_form_has(chromium, site, faults):
    for script, zone in ((True, "Asia/Tokyo"), (False, "UTC")):
        sent.clear()
        options = {"java_script_enabled": script, "timezone_id": "Asia/Tokyo"}
        with open_tab(chromium, site, faults=faults, **options) as tab:
            tab.goto("/?interests=knots")
            tab.get_by_label("Mail address").fill("reader@example.org")
            tab.get_by_text("When, and how many").click()
            tab.get_by_label("At", exact=True).fill("06:30")
            tab.get_by_role("combobox", name="Days").select_option("weekly")
            tab.get_by_label("Papers at most").fill("7")
            tab.get_by_role("button", name="Subscribe").click()
            assert "A mail went to reader@example.org." in tab.inner_text("main")
        (form,) = sent
        del form["csrf"]
        assert form == {
            "email": "reader@example.org", "interests": "knots", "at": "06:30", "timezone": zone, "days": "weekly",
            "top": "7",
        }  # fmt: skip


def test_a_mail_address_that_is_none_is_not_sent(tab):
    tab.goto("/")
    sent.clear()
    tab.get_by_label("Mail address").fill("no address")
    tab.get_by_role("button", name="Subscribe").click()
    assert tab.locator("input:invalid").count() == 1
    assert sent == []


def test_whatever_a_source_says_is_shown_and_never_run(tab):
    for path in ("/", "/paper/2611.00002", "/search?q=evil", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E"):
        tab.goto(path)
        tab.wait_for_load_state("networkidle")
        assert tab.locator("img").count() == 0, path
        assert "<script>alert(1)</script>" in tab.inner_text("main"), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(chromium, site, faults, scheme):
    complaints = []
    with open_tab(chromium, site, faults=faults, color_scheme=scheme) as tab:
        for path in PAGES:
            tab.goto(path)
            tab.evaluate("for (const more of document.querySelectorAll('details')) more.open = true")
            complaints += axe_complaints(tab)
    assert complaints == []


def test_on_a_phone_nothing_runs_over_the_edge_and_axe_finds_nothing_wrong(chromium, site, faults):
    with open_tab(chromium, site, faults=faults, **PHONE) as tab:
        for path in PAGES:
            tab.goto(path)
            tab.evaluate("for (const more of document.querySelectorAll('details')) more.open = true")
            wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (path, wide)
        assert axe_complaints(tab) == []


def test_in_the_dark_the_page_is_dark(chromium, site, faults):
    shades = {}
    for scheme in ("light", "dark"):
        with open_tab(chromium, site, faults=faults, color_scheme=scheme) as tab:
            tab.goto("/")
            colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            shades[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert shades["light"] > 700
    assert shades["dark"] < 100


def test_by_keyboard_the_first_step_leads_past_the_top_and_each_next_one_is_seen(chromium, site, faults):
    with open_tab(chromium, site, faults=faults) as tab:
        tab.goto("/archive")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert tab.get_by_text("Skip to the content").bounding_box()["width"] > 50
        tab.keyboard.press("Enter")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.closest('main') !== null")
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_with_script_a_citation_can_be_copied_and_without_there_is_no_dead_button(chromium, site, faults):
    with open_tab(chromium, site, faults=faults, permissions=["clipboard-read", "clipboard-write"]) as tab:
        tab.goto("/paper/2611.00001")
        tab.get_by_role("button", name="Copy").click()
        tab.get_by_role("button", name="Copied").wait_for()
        assert tab.evaluate("navigator.clipboard.readText()").startswith("@misc{lovelace2026grokking,")
    with open_tab(chromium, site, faults=faults, java_script_enabled=False) as tab:
        tab.goto("/paper/2611.00001")
        assert tab.get_by_role("button", name="Copy").count() == 0
