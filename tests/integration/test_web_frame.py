"""What holds for every page: headers, errors, conditional requests, forms, rates, the base address."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.routing import Route

from bots.web.app import create_app
from bots.web.document import render_html
from bots.web.safety import MAX_BODY
from bots.web.site import SUBSCRIBE, limit, read_form, render, static_path
from core.chat.message import Card, Kind, Link, Message, Span, text
from core.chat.render import ARXIV_THANKS
from core.errors import StoreError
from tests.sites import Page, open_site
from tests.worlds import make_record, upvotes

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
RECORDS = (make_record("2310.01234", "Grokking modular arithmetic", signals=upvotes(41)),)


async def take_subscription(request):
    """As a platform does that handles the form."""
    limit(request, SUBSCRIBE)
    form = await read_form(request)
    return render(request, "sentence.html", title="Thank you", sentence=f"A mail went to {form.get('email', '')}.")


async def take_one_click(request):
    form = await read_form(request, ours=False)
    return render(request, "sentence.html", title="Gone", sentence=str(form.get("List-Unsubscribe")))


async def break_down(request):
    raise ZeroDivisionError("inner workings")


async def lose_the_store(request):
    raise StoreError("/secret/place is broken")


ROUTES = (
    Route("/subscribe", take_subscription, methods=["POST"]),
    Route("/one-click", take_one_click, methods=["POST"]),
    Route("/broken", break_down),
    Route("/lost", lose_the_store),
)


@pytest.fixture
async def visit(tmp_path):
    async with open_site(tmp_path, RECORDS, routes=ROUTES) as visit:
        yield visit


async def test_every_page_has_landmarks_a_search_box_and_thanks_to_arxiv_once(visit):
    for path in ("/", "/archive", "/search", "/paper/2310.01234", "/about", "/stats", "/day/2026-11-23"):
        page = await visit.page(path)
        counts = [page.tags.count(tag) for tag in ("header", "main", "footer", "h1", "style")]
        assert counts == [1, 1, 1, 1, 0], path
        assert "q" in page.fields, path
        assert page.words.count(ARXIV_THANKS) == 1, path


@pytest.mark.parametrize("path", ["/", "/healthz", static_path("page.js"), "/nothing", "/broken", "/lost", "/feed"])
async def test_the_policy_allows_scripts_and_styles_of_ours_alone_and_no_frame(visit, path):
    headers = (await visit.get(path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["style.css", "page.js"])
async def test_what_pages_need_is_named_by_its_contents_and_kept_for_ever(visit, name):
    assert static_path(name) in (await visit.page("/")).addresses
    answer = await visit.get(static_path(name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


async def test_a_page_that_did_not_change_is_not_sent_again_also_with_a_form_in_it(visit):
    for path in ("/", "/search?q=grokking", "/paper/2310.01234"):
        await visit.get(path)
        first = await visit.get(path)
        for tags in (first.headers["etag"], f'"other", {first.headers["etag"]}', "*"):
            again = await visit.get(path, **{"If-None-Match": tags})
            assert (again.status_code, again.content) == (304, b""), path
        assert (await visit.get(path, **{"If-None-Match": '"other"'})).status_code == 200
    await visit.world.learn(make_record("2310.05678", "More", signals=upvotes(50)))
    visit.site.room._kept.clear()
    assert (await visit.get("/", **{"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_who_lost_the_cookie_gets_the_form_anew(visit):
    await visit.get("/")
    tag = (await visit.get("/")).headers["etag"]
    visit.client.cookies.clear()
    answer = await visit.get("/", **{"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert re.fullmatch(r"paperboy=[\w-]{24}; HttpOnly; Path=/; SameSite=lax", answer.headers["set-cookie"])


async def test_a_page_without_a_form_sets_no_cookie(visit):
    for path in ("/archive", "/search?q=grokking", "/paper/2310.01234", "/nothing", "/feed"):
        assert "set-cookie" not in (await visit.get(path)).headers, path


async def test_a_form_of_ours_is_taken_and_one_of_others_is_not(visit):
    token = (await visit.page("/")).fields["csrf"]
    taken = await visit.client.post("/subscribe", data={"csrf": token, "email": "a@b.org"})
    assert "A mail went to a@b.org." in Page(taken.text).words
    for data, headers in (
        ({"email": ""}, {}),
        ({"csrf": token[:-8]}, {}),
        ({"csrf": token}, {"Cookie": "paperboy="}),
        ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        refused = await visit.client.post("/subscribe", data=data, headers=headers)
        assert refused.status_code == 403, (data, headers)
        assert "reload the page" in Page(refused.text).words


async def test_a_token_is_written_otherwise_each_time_and_belongs_to_one_browser(visit):
    first, second = [(await visit.page("/")).fields["csrf"] for _ in range(2)]
    assert first != second
    visit.client.cookies.clear()
    await visit.get("/")
    assert (await visit.client.post("/subscribe", data={"csrf": first})).status_code == 403


async def test_one_click_of_a_mail_program_needs_no_cookie(visit):
    answer = await visit.client.post("/one-click", data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, "One-Click" in answer.text) == (200, True)


async def test_what_is_too_large_or_no_form_is_refused_in_one_sentence(visit):
    large = await visit.client.post("/subscribe", data={"email": "x" * 40_000})
    assert large.status_code == 413
    larger = await visit.client.post("/one-click", content=b"x" * (MAX_BODY + 1))
    assert larger.status_code in {413, 415}
    plain = await visit.client.post("/subscribe", content=b"{}", headers={"Content-Type": "application/json"})
    assert plain.status_code == 415
    many = await visit.client.post("/subscribe", data={f"f{number}": "" for number in range(500)})
    assert many.status_code == 400
    assert Page(many.text).tags.count("h1") == 1


async def test_who_hangs_up_in_the_middle_of_a_form_is_no_failure_of_ours(visit):
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "http_version": "1.1",
        "query_string": b"",
        "path": "/one-click",
        "raw_path": b"/one-click",
        "client": ("192.0.2.1", 1),
        "server": ("paperboy.test", 80),
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
    }
    came = iter([{"type": "http.request", "body": b"email=", "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(came)

    async def send(message):
        sent.append(message)

    await create_app(visit.site, routes=ROUTES)(scope, receive, send)
    assert sent[0]["status"] == 400


async def test_who_asks_too_often_is_told_when_to_come_back(tmp_path):
    web = {"searches_per_minute": 2, "subscribes_per_hour": 1}
    async with open_site(tmp_path, RECORDS, routes=ROUTES, web=web) as visit:
        assert [(await visit.get("/search?q=a")).status_code for _ in range(3)] == [200, 200, 429]
        refused = await visit.get("/feed")
        assert refused.headers["retry-after"] == "30"
        assert "too often" in Page(refused.text).words
        assert (await visit.get("/")).status_code == 200
        codes = [(await visit.client.post("/subscribe", data={"email": ""})).status_code for _ in range(2)]
        assert codes == [403, 429]


async def test_pages_stay_below_sixty_kilobytes_with_all_they_need_and_are_compressed(tmp_path):
    records = [
        make_record(f"2611.{number:05}", f"{'Title ' * 14}{number}", abstract="word " * 200, signals=upvotes(number))
        for number in range(60)
    ]
    async with open_site(tmp_path, records, routes=ROUTES, digest={"everything_top": 30}) as visit:
        beside = sum([len((await visit.get(static_path(name))).content) for name in ("style.css", "page.js")])
        for path in ("/", "/day/2026-11-23", "/search?q=title", "/paper/2611.00001", "/about"):
            answer = await visit.get(path)
            assert answer.headers["content-encoding"] == "gzip"
            assert len(answer.content) + beside < 60_000, (path, len(answer.content), beside)


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/nothing", 404, "There is nothing at this address."),
        ("GET", "/../../etc/passwd", 404, "There is nothing at this address."),
        ("POST", "/", 405, "This address cannot be asked in this way."),
        ("GET", "/broken", 500, "Something broke"),
        ("GET", "/lost", 503, "cannot be shown right now"),
    ],
)
async def test_whatever_goes_wrong_is_told_in_one_sentence_without_its_details(
    visit, caplog, method, path, status, sentence
):
    answer = await visit.client.request(method, path)
    assert answer.status_code == status
    assert sentence in Page(answer.text).words
    assert "secret" not in answer.text
    assert "inner workings" not in answer.text
    assert ("/secret/place is broken" in caplog.text) == (status == 503)


async def test_head_brings_headers_alone(visit):
    answer = await visit.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "etag" in answer.headers


async def test_behind_a_proxy_that_serves_it_in_a_folder_all_addresses_stand_in_that_folder(tmp_path):
    web = {"base_url": "https://example.org/papers"}
    async with open_site(tmp_path, RECORDS, routes=ROUTES, web=web) as visit:
        for stripped in ("/", "/archive", "/paper/2310.01234", "/search?q=grokking", "/nothing"):
            for path in (stripped, f"/papers{stripped}"):
                answer = await visit.get(path)
                assert (answer.status_code == 404) == (stripped == "/nothing"), path
                own = [address for address in Page(answer.text).addresses if address.startswith("/")]
                assert own, path
                assert all(address.startswith("/papers/") for address in own), own
        for path in Page((await visit.get("/papers/")).text).addresses:
            if path.startswith("/papers/") and "/subscribe" not in path:
                assert (await visit.get(path)).status_code == 200, path


async def test_under_https_cookies_are_secure_and_browsers_are_told_to_stay(tmp_path):
    async with open_site(tmp_path, RECORDS, routes=ROUTES, web={"base_url": "https://example.org"}) as visit:
        answer = await visit.get("/")
    assert answer.headers["set-cookie"].startswith("__Host-paperboy=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_no_address_leads_to_another_host_whatever_is_asked(visit):
    for path in ("//evil.org/paper/2310.01234v2", "/paper//evil.org", "/paper/2310.01234v1?next=//evil.org"):
        answer = await visit.client.get(httpx.URL("http://paperboy.test" + path))
        assert answer.headers.get("location", "/").startswith("/"), path
        assert not answer.headers.get("location", "/").startswith("//"), path


def test_the_document_that_stands_alone_carries_its_style_and_needs_nothing_else():
    page = render_html(DIGEST)
    assert "<style>:root" in page
    read = Page(page)
    assert [address for address in read.addresses if address.startswith("/")] == []
    for words in ("Today's papers", "1 of 212", CARD.title, CARD.byline, CARD.facts, CARD.why, CARD.summary, "06:10"):
        assert words in read.words
    assert page.count(ARXIV_THANKS) == 1
    assert "SAMPLE" not in page
    assert render_html(Message(Kind.DIGEST, heading="H", cards=(CARD, CARD), sample=True)).count("SAMPLE") == 4


def test_in_a_document_whatever_a_source_says_stays_text():
    evil = "<script>alert(1)</script>\"'&<!--</title></style>\ud800"
    card = Card(paper=evil, title=evil, byline=evil, facts=evil, why=evil, summary=evil, summary_by=evil)
    message = Message(
        Kind.DIGEST, heading=evil, lines=(text(Span(evil, bold=True)),), cards=(card,), closing=(text(evil),)
    )
    page = Page(render_html(message))
    assert "script" not in page.tags
    assert page.words.count("<script>alert(1)</script>") == 10


def test_in_a_document_an_address_that_is_not_of_the_web_is_no_link():
    card = Card(
        paper="x:1", title="T", url="javascript:alert(1)", links=(Link("L", "data:text/html,x"), Link("M", "//a.org"))
    )
    line = text(Span("click", url='https://a.org/"onclick="x'), Span("c d", code=True, url="https://a.org/?x=1&y=2"))
    page = render_html(Message(Kind.DIGEST, lines=(line,), cards=(card,)))
    assert Page(page).addresses == ["data:,", "https://a.org/?x=1&y=2"]
    assert '<a href="https://a.org/?x=1&amp;y=2"><code>c d</code></a>' in page


@pytest.mark.parametrize("base", ["https://papers.example.org", "https://example.org/papers"])
async def test_a_slash_too_many_leads_to_our_own_address_whatever_host_a_request_names(tmp_path, base):
    prefix = httpx.URL(base).path.rstrip("/")
    async with open_site(tmp_path, RECORDS, web={"base_url": base}) as visit:
        for asked in ("/search/?q=a%20b", f"{prefix}/search//?q=a%20b"):
            answer = await visit.get(asked, Host="evil.example")
            assert (answer.status_code, answer.headers["location"]) == (308, f"{base}/search?q=a%20b")
        day = await visit.get("/day/2026-11-23/", Host="evil.example")
        assert day.headers["location"] == f"{base}/day/2026-11-23"
        for nowhere in ("/nothing/", "//evil.example/", "/digest/x/"):
            answer = await visit.get(nowhere, Host="evil.example")
            assert "evil.example" not in answer.headers.get("location", "")
