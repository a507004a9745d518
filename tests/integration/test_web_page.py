"""The page as a browser gets it: the application over ASGI, and the server on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import httpx
import pytest

from bots.web.page import STYLESHEET, create_app, render_html
from bots.web.server import serve
from core.chat.message import Card, Kind, Link, Message, Span, text
from core.chat.render import ARXIV_THANKS
from core.errors import PaperboyError, StoreError
from core.store.figures import Day

CARD = Card(
    paper="2310.01234",
    title="Grokking modular arithmetic",
    url="https://arxiv.org/abs/2310.01234",
    byline="A. One + 2 more",
    facts="cs.LG · 3 Nov 2026",
    why="matches grokking",
    summary="We study small networks.",
    links=(Link("PDF", "https://arxiv.org/pdf/2310.01234"), Link("Code ★ 1.2k", "https://github.com/a/b")),
)
DIGEST = Message(
    Kind.DIGEST,
    heading="Today's papers",
    lines=(text("Monday 23 November 2026 · 1 of 212 new papers"),),
    cards=(CARD,),
    closing=(text("arXiv was asked at 06:10."), text(ARXIV_THANKS)),
)
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a browser makes of a document: its tags, its addresses, its words; and whether every tag is closed."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.addresses, self.words, self.open = [], [], "", []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in {"href", "src"}]
        assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


class Editor:
    """Composes whatever message it was given last, or fails."""

    def __init__(self, message):
        self.message = message

    async def page(self):
        if isinstance(self.message, Exception):
            raise self.message
        return self.message


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 23, 8, 0, 0, 999, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def editor():
    return Editor(DIGEST)


@pytest.fixture
async def client(editor, clock):
    transport = httpx.ASGITransport(create_app(editor.page, clock=clock), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://paperboy.test") as client:
        yield client


async def test_the_front_page_is_todays_digest(client):
    answer = await client.get("/")
    page = Page(answer.text)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.open == []
    for words in ("Today's papers", "1 of 212", CARD.title, CARD.byline, CARD.facts, CARD.why, CARD.summary, "06:10"):
        assert words in page.words
    assert {"https://arxiv.org/abs/2310.01234", "https://arxiv.org/pdf/2310.01234"} <= set(page.addresses)
    assert "<title>Today&#39;s papers · paperboy</title>" in answer.text


async def test_arxiv_is_thanked_once(client, editor):
    assert (await client.get("/")).text.count(ARXIV_THANKS) == 1
    editor.message = Message(Kind.DIGEST, lines=(text("Nothing today."),))
    assert (await client.get("/")).text.count(ARXIV_THANKS) == 1


async def test_the_page_has_landmarks_and_needs_no_script(client):
    page = Page((await client.get("/")).text)
    assert [page.tags.count(tag) for tag in ("header", "main", "footer", "h1", "article", "script", "style")] == [
        1,
        1,
        1,
        1,
        1,
        0,
        0,
    ]


async def test_a_digest_of_nothing_is_a_page_with_the_reason(client, editor):
    editor.message = Message(Kind.DIGEST, lines=(text("No announcement today: Thanksgiving."),))
    page = Page((await client.get("/")).text)
    assert "Thanksgiving" in page.words
    assert page.tags.count("h1") == 1
    assert "article" not in page.tags


async def test_the_sample_is_marked_in_the_title_at_the_top_and_at_each_card(client, editor):
    assert "SAMPLE" not in (await client.get("/")).text
    editor.message = Message(Kind.DIGEST, heading="H", cards=(CARD, CARD), sample=True)
    assert (await client.get("/")).text.count("SAMPLE") == 4


async def test_whatever_a_source_says_stays_text(client, editor):
    evil = "<script>alert(1)</script>\"'&<!--</title></style>\ud800"
    card = Card(paper=evil, title=evil, byline=evil, facts=evil, why=evil, summary=evil, summary_by=evil)
    editor.message = Message(
        Kind.DIGEST, heading=evil, lines=(text(Span(evil, bold=True)),), cards=(card,), closing=(text(evil),)
    )
    answer = await client.get("/")
    page = Page(answer.text)
    assert "script" not in page.tags
    assert page.words.count("<script>alert(1)</script>") == 10
    assert page.open == []
    assert Page(render_html(editor.message)).tags.count("script") == 0


async def test_an_address_that_is_not_of_the_web_is_no_link(client, editor):
    card = Card(
        paper="x:1", title="T", url="javascript:alert(1)", links=(Link("L", "data:text/html,x"), Link("M", "//a.org"))
    )
    editor.message = Message(Kind.DIGEST, lines=(text(Span("click", url='https://a.org/"onclick="x')),), cards=(card,))
    page = Page((await client.get("/")).text)
    assert page.addresses == ["data:,", STYLESHEET]
    assert "click" in page.words


async def test_spans_keep_their_looks_and_links(client, editor):
    line = text(Span("a", bold=True), Span("b", italic=True), Span("c d", code=True, url="https://a.org/?x=1&y=2"))
    editor.message = Message(Kind.DIGEST, lines=(line,))
    answer = await client.get("/")
    assert '<strong>a</strong><em>b</em><a href="https://a.org/?x=1&amp;y=2"><code>c d</code></a>' in answer.text


async def test_the_policy_allows_no_script_and_no_frame(client):
    for path in ("/", "/healthz", STYLESHEET, "/nothing"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';"), path
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_the_stylesheet_is_named_by_its_contents_and_kept_forever(client):
    answer = await client.get("/")
    named = re.search(r'<link rel="stylesheet" href="(/style\.[0-9a-f]{16}\.css)">', answer.text)
    style = await client.get(named[1])
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in style.headers["cache-control"]
    assert "prefers-color-scheme: dark" in style.text


async def test_a_page_that_did_not_change_is_not_sent_again(client, editor, clock):
    first = await client.get("/")
    assert first.headers["last-modified"] == "Mon, 23 Nov 2026 08:00:00 GMT"
    clock.now += timedelta(hours=1)
    for headers in (
        {"If-None-Match": first.headers["etag"]},
        {"If-None-Match": f'"other", {first.headers["etag"]}'},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = await client.get("/", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    for headers in ({"If-None-Match": '"other"'}, {"If-Modified-Since": "no date"}, {}):
        assert (await client.get("/", headers=headers)).status_code == 200
    editor.message = Message(Kind.DIGEST, lines=(text("News."),))
    changed = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["last-modified"] == "Mon, 23 Nov 2026 09:00:00 GMT"


async def test_a_hundred_papers_stay_below_sixty_kilobytes_and_are_compressed(client, editor):
    long = Card(
        **{**{name: getattr(CARD, name) for name in CARD.__slots__}, "summary": "word " * 55, "title": "Title " * 14}
    )
    editor.message = Message(Kind.DIGEST, heading="H", cards=(long,) * 50)
    answer = await client.get("/")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.content) < 60_000


async def test_head_brings_headers_alone(client):
    answer = await client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "etag" in answer.headers


async def test_healthz_is_ok(client, editor):
    editor.message = StoreError("gone")
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/nothing", 404, "There is nothing at this address."),
        ("GET", "/../../etc/passwd", 404, "There is nothing at this address."),
        ("POST", "/", 405, "This address can only be read."),
    ],
)
async def test_a_wrong_address_or_method_is_told_in_one_sentence(client, method, path, status, sentence):
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert sentence in Page(answer.text).words


async def test_a_known_failure_is_told_in_one_sentence_without_its_details(client, editor, caplog):
    editor.message = StoreError("/secret/place is broken")
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "cannot be shown right now" in Page(answer.text).words
    assert "secret" not in answer.text
    assert "/secret/place is broken" in caplog.text


async def test_a_bug_is_told_in_one_sentence_without_a_traceback(client, editor):
    editor.message = ZeroDivisionError("inner workings")
    answer = await client.get("/")
    assert answer.status_code == 500
    assert "Something broke" in Page(answer.text).words
    assert "inner workings" not in answer.text


def test_the_document_that_stands_alone_carries_its_style_and_needs_nothing_else():
    page = render_html(DIGEST)
    assert "<style>:root" in page
    assert "stylesheet" not in page
    assert [address for address in Page(page).addresses if address.startswith("/")] == []


@contextlib.asynccontextmanager
async def running(app):
    bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, lambda host, port: bound.set_result(port)))
    try:
        yield await bound
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_port_zero_picks_a_free_one_reports_it_and_serves_there(editor):
    async with running(create_app(editor.page)) as port, httpx.AsyncClient() as client:
        assert port > 0
        answer = await client.get(f"http://127.0.0.1:{port}/")
    assert CARD.title in answer.text
    assert "server" not in answer.headers


async def test_the_port_is_free_again_once_serving_was_cancelled(editor):
    async with running(create_app(editor.page)) as port:
        pass
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_a_port_in_use_is_one_sentence_that_names_the_setting(editor):
    async with running(create_app(editor.page)) as port:
        with pytest.raises(PaperboyError, match=rf"^web\.port: {port} at 127\.0\.0\.1 .*PAPERBOY_WEB__PORT.*\.$"):
            await serve(create_app(editor.page), "127.0.0.1", port, lambda host, port: None)


async def test_an_address_of_another_machine_is_one_sentence(editor):
    with pytest.raises(PaperboyError, match=r"^web\.(host|port): .*192\.0\.2\.1.*\.$"):
        await serve(create_app(editor.page), "192.0.2.1", 0, lambda host, port: None)


async def test_the_services_own_figures_stand_on_a_page_of_their_own():
    async def figures():
        return {
            date(2026, 11, 23): Day({"slack": {"due": 3, "on_time": 2, "failed_retry": 1}}, {"search": [5] + [0] * 9})
        }

    transport = httpx.ASGITransport(create_app(Editor(Message(Kind.DIGEST)).page, figures=figures))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/stats")
    assert answer.status_code == 200
    assert "<td>slack</td><td>3</td><td>2</td>" in answer.text
    assert "1 failed calls of kind &#39;retry&#39;" in answer.text
    assert "5 times a search" in answer.text


async def test_without_figures_the_page_says_when_they_begin():
    transport = httpx.ASGITransport(create_app(Editor(Message(Kind.DIGEST)).page))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert "figures begin with the first digest or search" in (await client.get("/stats")).text
