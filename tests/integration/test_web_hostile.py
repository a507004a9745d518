"""Whatever stands in a title, a query, a form or a token: nothing executes, nothing leaks, nothing breaks."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from urllib.parse import quote, urlencode

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from bots.web.site import paper_path, read_form, render
from tests.sites import Page, open_site
from tests.worlds import make_record, upvotes

EVIL = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</title></style></textarea></pre><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "\ud800\x00\x1b[31m\u202e",
    "]]><!--",
    "../../etc/passwd",
    "%00%ff%0d%0aSet-Cookie: a=b",
    "' OR 1=1 --",
    "@everyone <!channel>",
    "\r\nLocation: https://evil.org",
)
NASTY = st.lists(st.sampled_from(EVIL) | st.text(max_size=30), min_size=1, max_size=4).map("".join)
OURS = "http://127.0.0.1:8080"  # links lead there unless the settings say otherwise
ANSWERS = {200, 301, 303, 304, 308, 400, 403, 404, 405, 413, 415, 429}
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def echo(request):
    form = await read_form(request, ours=request.url.path != "/one-click")
    return render(request, "sentence.html", title="Sent", sentence=" ".join(map(str, form.values())))


class Browser:
    """Asks a page from tests that are not asynchronous themselves."""

    def __init__(self, folder):
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        routes = [Route("/subscribe", echo, methods=["POST"]), Route("/one-click", echo, methods=["POST"])]
        records = [make_record("2611.00001", "Grokking", signals=upvotes(4))]
        often = {"searches_per_minute": 100_000}
        self.visit = self.run(self.stack.enter_async_context(open_site(folder, records, routes=routes, web=often)))

    def run(self, work):
        return self.loop.run_until_complete(work)

    def get(self, path, **headers):
        return self.run(self.visit.client.get(path, headers=headers))

    def close(self):
        self.run(self.stack.aclose())
        self.loop.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("hostile"))
    yield opened
    opened.close()


def check(answer):
    """What holds for every answer."""
    assert answer.status_code in ANSWERS, answer.text
    assert "Traceback" not in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "a" not in answer.cookies
    if answer.headers.get("content-type", "").startswith("text/html") and answer.content:
        page = Page(answer.text)  # closes every tag, and has neither handlers nor styles in it
        assert page.tags.count("script") == 1
        assert "img" not in page.tags
        assert "svg" not in page.tags or "polyline" in page.tags
        assert not [address for address in page.addresses if address.lower().startswith(("javascript", "vbscript"))]
        return page
    return None


@quick
@given(NASTY)
def test_no_query_breaks_a_search_or_a_feed(browser, query):
    safe = quote(query.encode("utf-8", "replace"), safe="")
    check(browser.get(f"/search?q={safe}"))
    answer = browser.get(f"/feed?q={safe}")
    check(answer)
    if answer.status_code == 200:
        fromstring(answer.content)


@quick
@given(st.sampled_from(["page", "top", "days", "at", "timezone", "field", "day", "q", "interests"]), NASTY)
def test_no_parameter_breaks_a_page(browser, name, value):
    query = urlencode({name: value}, errors="replace")
    for path in ("/", "/search", "/feed", "/archive", "/month/2026-11", "/paper/2611.00001", "/about"):
        check(browser.get(f"{path}?{query}"))


@quick
@given(st.sampled_from(["/paper/", "/cite/", "/digest/", "/day/", "/week/", "/month/", "/"]), NASTY)
def test_no_path_breaks_a_page_or_leads_away(browser, folder, rest):
    answer = browser.get(folder + quote(rest.encode("utf-8", "replace"), safe="/"))
    check(answer)
    location = answer.headers.get("location", "/").removeprefix(OURS)
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


@quick
@given(NASTY, NASTY)
def test_no_form_breaks_what_takes_it(browser, name, value):
    body = urlencode({name: value, "csrf": value}, errors="replace")
    for path in ("/subscribe", "/one-click"):
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"):
            headers = {"Content-Type": kind}
            answer = browser.run(browser.visit.client.post(path, content=body, headers=headers))
            check(answer)
            assert path == "/one-click" or answer.status_code != 200


@quick
@given(st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0")))
def test_no_header_breaks_a_page(browser, value):
    raw = value.strip().encode("latin-1")
    for name in (b"If-None-Match", b"If-Modified-Since", b"Cookie", b"Host", b"X-Forwarded-For", b"Accept-Encoding"):
        check(browser.run(browser.visit.client.get("/", headers=[(name, raw)])))


NUMBERS = count(1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=NASTY, abstract=NASTY, author=NASTY, rest=st.text(st.characters(categories=("L", "P", "S")), max_size=20))
def test_whatever_a_source_says_stays_text_on_every_page_and_feed(browser, title, abstract, author, rest):
    number = next(NUMBERS)
    record = make_record(
        f"x:{number}{rest}",
        f"T {title}",
        abstract=abstract,
        authors=(author,),
        categories=(title[:20], "cs.LG"),
        signals=upvotes(number + 10_000),
        journal_ref=abstract,
        comment=title,
        code_url=title,
        project_url="javascript:alert(1)",
        doi=author,
    )
    browser.run(browser.visit.world.learn(record))
    browser.visit.site.room._kept.clear()
    for path in ("/", "/day/2026-11-23", "/month/2026-11", "/search?q=", f"/search?q=min:{number + 10_000}"):
        assert check(browser.get(path)).tags.count("article") >= 1, path
    assert browser.get(paper_path(record.id)).status_code == 200
    check(browser.get(paper_path(record.id)))
    cited = browser.get(paper_path(record.id).replace("/paper/", "/cite/", 1))
    assert cited.status_code == 200
    assert cited.headers["content-disposition"].isascii()
    fromstring(browser.get("/feed").content)
