"""All sources at once, over real HTTP: what comes, what fails, what is asked instead, what is not asked again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug import Request, Response

from core.http import Http
from core.papers.calendar import Calendar
from core.papers.ingest import fetch
from core.papers.plan import plan_fetch, source_states
from core.papers.sources import create_sources
from core.settings import Settings, config_file
from tests.fake_library import FakeLibrary

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ATOM, HTML, JSON = "application/atom+xml", "text/html; charset=utf-8", "application/json"
CALENDAR = Calendar.from_toml(config_file("arxiv_calendar.toml").read_bytes())


class Upstream:
    """Hugging Face, arXiv and Hacker News on one loopback server; `broken` maps the start of a path to an answer."""

    def __init__(self, server):
        self.broken: dict[str, Response] = {}
        self.asked: list[str] = []
        server.expect_request(re.compile(".*")).respond_with_handler(self.answer)
        self.url = server.url_for("").rstrip("/")

    def answer(self, request: Request) -> Response:
        path = request.full_path.rstrip("?")
        self.asked.append(path)
        for start, answer in self.broken.items():
            if path.startswith(start):
                return Response(answer.get_data(), answer.status_code, answer.headers)
        return self.well(request)

    def well(self, request: Request) -> Response:
        today = request.args.get("date") == NOW.date().isoformat()
        oai = "arxiv_oai_none.xml" if "resumptionToken" in request.args else "arxiv_oai.xml"
        routes = {
            "/hf/api/daily_papers": ("huggingface_daily.json" if today else None, JSON),
            "/rss/atom/cs.LG": ("arxiv_feed.xml", ATOM),
            "/list/cs.LG/new": ("arxiv_list.html", HTML),
            "/api/query": ("arxiv_query.xml", ATOM),
            "/oai": (oai, "text/xml"),
            "/hn/search_by_date": ("hackernews.json", JSON),
        }
        if request.path not in routes:
            return Response(status=404)
        if request.headers.get("If-None-Match") == '"batch-1"':
            return Response(status=304)
        name, kind = routes[request.path]
        etag = {"ETag": '"batch-1"'} if request.path.startswith("/rss") else {}
        return Response((FIXTURES / name).read_bytes() if name else b"[]", headers={"Content-Type": kind, **etag})


class Laboratory:
    """One library, one upstream, and runs of `fetch` over them; every run is a new process's client."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.library = FakeLibrary()
        self.now = NOW
        url = upstream.url
        self.settings = Settings.model_validate(
            {
                "huggingface": {"endpoint": f"{url}/hf", "days_back": 1},
                "arxiv": {
                    "rss_url": f"{url}/rss",
                    "list_url": f"{url}/list",
                    "api_url": f"{url}/api/query",
                    "oai_url": f"{url}/oai",
                    "categories": ["cs.LG"],
                    "min_interval": 0,
                },
                "hackernews": {"url": f"{url}/hn"},
            }
        )

    async def fetch(self):
        async def no_sleep(seconds):
            self.now += timedelta(seconds=seconds)

        http = Http(self.settings, self.library, clock=lambda: self.now, sleep=no_sleep, random=lambda: 0.5)
        states = await source_states(self.library)
        plan = plan_fetch(self.settings, (), states, CALENDAR, now=self.now)
        self.upstream.asked.clear()
        try:
            outcomes = await fetch(
                create_sources(self.settings), plan, http=http, library=self.library, clock=lambda: self.now
            )
        finally:
            await http.close()
        return {outcome.source: outcome for outcome in outcomes}


@pytest.fixture
def upstream(httpserver):
    return Upstream(httpserver)


@pytest.fixture
def laboratory(upstream):
    return Laboratory(upstream)


async def test_a_morning_brings_the_papers_of_all_sources(laboratory):
    outcomes = await laboratory.fetch()
    assert {name: outcome.failure for name, outcome in outcomes.items()} == dict.fromkeys(outcomes)
    assert {"2611.00001", "2611.00002", "2611.10001", "2611.10002"} <= laboratory.library.records.keys()
    assert outcomes["arxiv"].listed == 2
    assert outcomes["huggingface"].listed == 3
    signals = {
        signal.name for records in laboratory.library.records.values() for one in records for signal in one.signals
    }
    assert signals == {"upvotes", "comments", "stars", "points"}


async def test_the_second_time_an_unchanged_feed_is_not_sent_again(laboratory):
    await laboratory.fetch()
    outcome = (await laboratory.fetch())["arxiv"]
    assert (outcome.unchanged, outcome.seen, outcome.failure) == (1, 0, None)
    assert not any(path.startswith(("/list", "/oai")) for path in laboratory.upstream.asked)


@pytest.mark.parametrize(
    "broken",
    [
        Response("<html>Busy</html>", 200, content_type=HTML),
        Response("", 200, content_type=ATOM),
        Response("<feed><entry>", 200, content_type=ATOM),
        Response("down", 500),
        Response((FIXTURES / "arxiv_feed_empty.xml").read_bytes(), 200, content_type=ATOM),
    ],
    ids=["html", "nothing", "broken", "500", "empty"],
)
async def test_a_feed_that_fails_or_is_empty_gives_way_to_the_list_page(laboratory, upstream, broken):
    upstream.broken["/rss"] = broken
    outcome = (await laboratory.fetch())["arxiv"]
    assert outcome.failure is None
    assert outcome.listed == 3
    assert "2311.00001" in laboratory.library.records  # what the page named without an abstract was looked up


async def test_when_the_list_page_fails_too_the_day_stays_open_and_comes_next_time(laboratory, upstream):
    upstream.broken = {"/rss": Response("", 200, content_type=ATOM), "/list": Response("gone", 404)}
    outcomes = await laboratory.fetch()
    assert str(outcomes["arxiv"].failure) == "arxiv: has answered 404"
    # Which source brings a paper first, and so as a new one, is chance: they are asked side by side.
    assert (outcomes["huggingface"].failure, outcomes["huggingface"].listed) == (None, 3)
    upstream.broken.clear()
    assert (await laboratory.fetch())["arxiv"].listed == 2


async def test_429_stops_arxiv_for_ten_minutes_over_a_restart_and_nobody_else(laboratory, upstream):
    upstream.broken["/rss"] = Response("Rate exceeded.", 429)
    outcomes = await laboratory.fetch()
    assert outcomes["huggingface"].failure is None
    assert outcomes["arxiv"].failure.retry_at == laboratory.now + timedelta(minutes=10)
    upstream.broken.clear()
    laboratory.now += timedelta(minutes=5)
    outcome = (await laboratory.fetch())["arxiv"]
    assert outcome.failure.status == 429
    assert not any(path.startswith(("/rss", "/list", "/oai", "/api")) for path in upstream.asked)
    state = (await source_states(laboratory.library))["arxiv"]
    assert (state.failing_since, state.reason) == (NOW, "has answered 429")
    laboratory.now += timedelta(minutes=5)
    assert (await laboratory.fetch())["arxiv"].failure is None


async def test_batches_that_were_missed_are_harvested(laboratory, upstream):
    laboratory.now = datetime(2026, 11, 17, 9, tzinfo=UTC)
    upstream.broken["/rss"] = Response(
        (FIXTURES / "arxiv_feed.xml")
        .read_bytes()
        .replace(b"2026-11-23", b"2026-11-17")
        .replace(b"2611.0000", b"2611.1000"),
        content_type=ATOM,
    )
    await laboratory.fetch()
    upstream.broken.clear()
    laboratory.now = NOW
    outcome = (await laboratory.fetch())["arxiv"]
    assert outcome.failure is None
    assert "2611.00007" in laboratory.library.records
    harvest = [parse_qs(urlsplit(path).query) for path in upstream.asked if path.startswith("/oai")]
    assert harvest[0]["from"] == ["2026-11-17"]
    assert harvest[1] == {"verb": ["ListRecords"], "resumptionToken": ["token|500"]}


async def test_a_date_that_hugging_face_refuses_costs_that_day_only(laboratory, upstream):
    refused = Response('{"error": "Invalid date"}', 400, content_type=JSON)
    upstream.broken["/hf/api/daily_papers?date=2026-11-22"] = refused
    outcome = (await laboratory.fetch())["huggingface"]
    assert outcome.failure is None
    # Lists are asked side by side, and end in any order.
    (told,) = (line for line in outcome.odd if "2026-11-22" in line)
    assert "has refused the request for 2026-11-22 (Invalid date); is this machine's clock right?" in told
    assert outcome.listed == 3


async def test_no_source_at_all_is_a_failure_each_and_no_crash(laboratory, upstream):
    upstream.broken["/"] = Response("<html>captive portal</html>", 200, content_type=HTML)
    outcomes = await laboratory.fetch()
    assert set(outcomes) == {"huggingface", "arxiv", "hackernews"}
    assert all(outcome.failure is not None for outcome in outcomes.values())
    assert laboratory.library.records == {}
