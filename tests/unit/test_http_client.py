"""The client against `httpx.MockTransport`, with a clock that moves only when somebody sleeps."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from core.errors import SourceError
from core.http import MAX_BODY, Http, user_agent
from core.papers.sources import Get, Lane
from core.settings import Settings
from tests.fake_library import FakeLibrary

JSON = ("application/json",)
OK = httpx.Response(200, json=[1])
START = datetime(2026, 11, 23, 6, 10, tzinfo=UTC)
ARXIV = Lane("arxiv", 3.0, connections=1, pause=600.0)


class Time:
    """A clock that is moved by those who sleep."""

    def __init__(self):
        self.now = START
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


class Network:
    """Answers in turn, the last one for ever; remembers who asked what, and when."""

    def __init__(self, time: Time, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]):
        self.time = time
        self.answers = list(answers) or [OK]
        self.asked: list[httpx.Request] = []
        self.times: list[datetime] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.times.append(self.time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def facts():
    return FakeLibrary()


@pytest.fixture
async def connect(time, facts):
    opened = []

    def connect(*answers, settings=None):
        network = Network(time, *answers)
        http = Http(
            settings or Settings(),
            facts,
            clock=time,
            sleep=time.sleep,
            random=lambda: 0.5,
            transport=httpx.MockTransport(network),
        )
        opened.append(http)
        return http, network

    yield connect
    for http in opened:
        await http.close()


def make_get(url="https://example.org/list", **fields):
    return Get("example", "list", url, fields.pop("lane", Lane("example")), fields.pop("accepts", JSON), **fields)


async def fail(http, get=None):
    with pytest.raises(SourceError) as caught:
        await http.get(get or make_get())
    return caught.value


async def test_an_answer_is_the_body_of_exactly_what_was_asked(connect):
    http, network = connect()
    answer = await http.get(make_get(params=(("q", "a b&c"), ("p", "1")), headers=(("X-Who", "me"),)))
    assert answer.body == b"[1]"
    assert str(network.asked[0].url) == "https://example.org/list?q=a+b%26c&p=1"
    assert network.asked[0].headers["accept"] == "application/json"
    assert network.asked[0].headers["x-who"] == "me"


async def test_every_request_says_who_asks(connect):
    http, network = connect(settings=Settings.model_validate({"fetch": {"contact": "lab@example.org"}}))
    await http.get(make_get())
    assert network.asked[0].headers["user-agent"].startswith("paperboy/")
    assert network.asked[0].headers["user-agent"].endswith("(+lab@example.org)")


def test_a_contact_cannot_smuggle_a_header_in():
    assert user_agent("Jürgen\r\nX-Evil: 1").endswith("(+J?rgen??X-Evil: 1)")
    assert "contact not set" in user_agent("")


async def test_requests_of_a_lane_keep_their_distance_whatever_hosts_they_go_to(connect, time):
    http, network = connect()
    hosts = ("127.0.0.1:1", "127.0.0.1:2", "export.arxiv.org", "127.0.0.1:1")
    await asyncio.gather(*(http.get(make_get(f"http://{host}/x", lane=ARXIV)) for host in hosts))
    assert [(at - START).total_seconds() for at in network.times] == [0, 3, 6, 9]


async def test_a_clock_that_is_set_back_costs_one_interval_at_most(connect, time):
    http, _ = connect()
    await http.get(make_get(lane=ARXIV))
    time.now -= timedelta(hours=2)
    await http.get(make_get(lane=ARXIV))
    assert time.slept == [3.0]


async def test_a_lane_runs_no_more_requests_at_once_than_it_has_connections(connect):
    under_way, most = 0, 0

    async def slow(request):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, json=[])

    http = Http(Settings(), FakeLibrary(), transport=httpx.MockTransport(slow))
    await asyncio.gather(*(http.get(make_get(lane=Lane("one", connections=1))) for _ in range(5)))
    assert most == 1
    await asyncio.gather(*(http.get(make_get(lane=Lane("many", connections=3))) for _ in range(9)))
    assert most == 3
    await http.close()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_stops_the_whole_lane_at_once_and_is_not_tried_again(connect, status):
    http, network = connect(httpx.Response(status, text="Rate exceeded."), OK)
    error = await fail(http, make_get("https://export.arxiv.org/api", lane=ARXIV))
    assert (str(error), error.status) == (f"example: has answered {status}", status)
    assert error.retry_at == START + timedelta(minutes=10)
    again = await fail(http, make_get("https://rss.arxiv.org/atom", lane=ARXIV))
    assert (again.reason, again.retry_at) == (error.reason, error.retry_at)
    assert len(network.asked) == 1


async def test_other_lanes_go_on_while_one_is_stopped(connect):
    http, _ = connect(httpx.Response(429), OK)
    await fail(http, make_get(lane=ARXIV))
    assert (await http.get(make_get())).body == b"[1]"


async def test_a_lane_is_asked_again_when_its_time_has_come_and_then_for_longer(connect, time):
    http, network = connect(httpx.Response(429), httpx.Response(429), OK, httpx.Response(429))
    await fail(http, make_get(lane=ARXIV))
    time.now += timedelta(minutes=10)
    assert (await fail(http, make_get(lane=ARXIV))).retry_at == time.now + timedelta(minutes=20)
    time.now += timedelta(minutes=20)
    await http.get(make_get(lane=ARXIV))
    assert len(network.asked) == 3
    assert (await fail(http, make_get(lane=ARXIV))).retry_at == time.now + timedelta(minutes=10)


async def test_a_restart_does_not_ask_before_the_time_has_come(connect):
    http, _ = connect(httpx.Response(429, headers={"Retry-After": "120"}))
    await fail(http, make_get(lane=ARXIV))
    restarted, network = connect()
    error = await fail(restarted, make_get(lane=ARXIV))
    assert (error.status, error.retry_at) == (429, START + timedelta(seconds=120))
    assert network.asked == []


async def test_a_lane_that_was_freed_stays_free_over_a_restart(connect, time):
    http, _ = connect(httpx.Response(429), OK)
    await fail(http, make_get(lane=ARXIV))
    time.now += timedelta(minutes=10)
    await http.get(make_get(lane=ARXIV))
    restarted, _ = connect(httpx.Response(429))
    assert (await fail(restarted, make_get(lane=ARXIV))).retry_at == time.now + timedelta(minutes=10)


async def test_facts_of_another_version_are_not_believed(connect, facts):
    facts.facts = {"lane example": '{"until": "tomorrow"}', "validators https://example.org/list": "[]"}
    http, network = connect()
    assert (await http.get(make_get(conditional=True))).body == b"[1]"
    assert "if-none-match" not in network.asked[0].headers


async def test_an_exhausted_quota_stops_the_lane_after_the_answer(connect):
    http, network = connect(httpx.Response(200, json=[1], headers={"RateLimit": '"api";r=0;t=55'}))
    await http.get(make_get())
    error = await fail(http)
    assert (error.reason, error.retry_at) == ("allows no more requests for now", START + timedelta(seconds=55))
    assert len(network.asked) == 1


@pytest.mark.parametrize(
    "passing",
    [
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(504),
        httpx.ConnectError("connection refused"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("peer closed connection"),
        httpx.ConnectTimeout("slow"),
    ],
)
async def test_what_may_pass_is_tried_twice_more(connect, time, passing):
    http, network = connect(passing, passing, OK)
    assert (await http.get(make_get())).body == b"[1]"
    assert len(network.asked) == 3
    assert time.slept == [1.0, 2.0]


async def test_after_three_tries_the_last_failure_is_told(connect):
    http, network = connect(httpx.Response(502))
    error = await fail(http)
    assert (error.reason, error.status, len(network.asked)) == ("has answered 502", 502, 3)


async def test_tries_keep_the_distance_of_their_lane(connect):
    http, network = connect(httpx.Response(500), httpx.Response(500), OK)
    await http.get(make_get(lane=ARXIV))
    gaps = [(after - before).total_seconds() for before, after in zip(network.times, network.times[1:], strict=False)]
    assert all(gap >= 3 for gap in gaps)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
async def test_our_own_mistakes_are_not_repeated(connect, status):
    http, network = connect(httpx.Response(status, json={}))
    error = await fail(http)
    assert (error.status, len(network.asked)) == (status, 1)


async def test_a_status_that_the_source_can_read_is_an_answer(connect):
    http, _ = connect(httpx.Response(404, json={"error": "Paper not found"}))
    assert b"Paper not found" in (await http.get(make_get(statuses=(200, 404)))).body


async def test_a_host_that_cannot_be_reached_is_left_alone_for_a_moment(connect, time):
    http, network = connect(httpx.ConnectError("All connection attempts failed"))
    error = await fail(http)
    assert str(error) == "example: could not be reached (All connection attempts failed)"
    asked = len(network.asked)
    assert (await fail(http)).reason == error.reason
    assert len(network.asked) == asked
    time.now += timedelta(seconds=31)
    await fail(http)
    assert len(network.asked) > asked


async def test_no_address_with_a_password_reaches_an_error(connect):
    http, _ = connect(httpx.ConnectError("cannot open http://user:hunter2@proxy:1"))
    assert "hunter2" not in str(await fail(http))


async def test_html_with_status_200_is_no_answer(connect):
    http, network = connect(httpx.Response(200, html="<html>Busy</html>"))
    error = await fail(http)
    assert error.reason == "has answered with text/html instead of application/json"
    assert len(network.asked) == 1


@pytest.mark.parametrize("body", [b"", b" \n"])
async def test_nothing_is_no_answer(connect, body):
    http, _ = connect(httpx.Response(200, content=body, headers={"Content-Type": "application/json"}))
    assert (await fail(http)).reason == "has answered with nothing"


async def test_a_body_that_announces_its_size_is_refused_unread(connect):
    headers = {"Content-Type": "application/json", "Content-Length": str(200 * 2**20)}
    http, network = connect(lambda _: httpx.Response(200, headers=headers, content=_refuse_to_be_read()))
    assert (await fail(http)).reason == "has sent more than 32 MiB, which was not read"
    assert len(network.asked) == 1


async def test_a_small_body_that_grows_when_unpacked_is_refused(connect):
    packed = gzip.compress(b" " * (MAX_BODY + 1))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    http, _ = connect(_packed(headers, packed))
    assert len(packed) < 2**16
    assert (await fail(http)).reason == "has sent more than 32 MiB, which was not read"


async def test_a_body_that_cannot_be_unpacked_is_a_failure_and_not_tried_again(connect):
    http, network = connect(_packed({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"not gzip"))
    assert "has sent an answer that cannot be read" in (await fail(http)).reason
    assert len(network.asked) == 1


async def test_the_deadline_is_for_everything(facts):
    async def never(request):
        await asyncio.Event().wait()

    http = Http(Settings(), facts, transport=httpx.MockTransport(never))
    error = await fail(http, make_get(deadline=0.05))
    assert error.reason == "did not answer within 0.05 s"
    await http.close()


async def test_validators_are_sent_only_after_the_answer_was_remembered(connect):
    changing = httpx.Response(200, json=[1], headers={"ETag": '"v1"', "Last-Modified": "Mon, 23 Nov 2026 05:00:00 GMT"})
    http, network = connect(changing, changing, httpx.Response(304))
    get = make_get(conditional=True)
    await http.get(get)
    answer = await http.get(get)
    assert "if-none-match" not in network.asked[1].headers
    await http.remember(answer)
    unchanged = await http.get(get)
    assert (unchanged.not_modified, unchanged.body) == (True, b"")
    assert network.asked[2].headers["if-none-match"] == '"v1"'
    assert network.asked[2].headers["if-modified-since"] == "Mon, 23 Nov 2026 05:00:00 GMT"


async def test_validators_survive_a_restart_and_an_unchanged_answer(connect):
    http, _ = connect(httpx.Response(200, json=[1], headers={"ETag": '"v1"'}))
    get = make_get(conditional=True)
    await http.remember(await http.get(get))
    for _ in range(2):
        restarted, network = connect(httpx.Response(304))
        await restarted.remember(await restarted.get(get))
        assert network.asked[0].headers["if-none-match"] == '"v1"'


async def test_a_request_that_is_not_conditional_remembers_nothing_and_takes_no_304(connect, facts):
    http, _ = connect(httpx.Response(200, json=[1], headers={"ETag": '"v1"'}), httpx.Response(304))
    await http.remember(await http.get(make_get()))
    assert facts.facts == {}
    assert (await fail(http)).status == 304


async def test_redirects_are_followed_through_the_same_lane(connect):
    http, network = connect(httpx.Response(301, headers={"Location": "/new?x=1"}), OK)
    await http.get(make_get(lane=ARXIV))
    assert str(network.asked[1].url) == "https://example.org/new?x=1"
    assert (network.times[1] - network.times[0]).total_seconds() == 3


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://example.org/list", "has redirected from https to http, which is refused"),
        ("ftp://example.org/list", "has redirected to nowhere"),
        ("", "has redirected to nowhere"),
    ],
)
async def test_redirects_that_lead_nowhere_good_are_refused(connect, location, reason):
    http, network = connect(httpx.Response(302, headers={"Location": location} if location else {}))
    assert (await fail(http)).reason == reason
    assert len(network.asked) == 1


async def test_redirects_in_a_circle_end(connect):
    http, network = connect(httpx.Response(302, headers={"Location": "/list"}))
    assert (await fail(http)).reason == "has redirected more than 5 times"
    assert len(network.asked) == 6


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/elsewhere", True),
        ("https://other.example/list", False),
        ("https://example.org:8443/list", False),
    ],
)
async def test_the_token_goes_to_the_host_it_was_meant_for_and_to_no_other(connect, location, kept):
    settings = Settings.model_validate({"secrets": {"hf_token": "hf_secret"}})
    http, network = connect(httpx.Response(302, headers={"Location": location}), OK, settings=settings)
    await http.get(make_get(secret="hf_token"))
    assert network.asked[0].headers["authorization"] == "Bearer hf_secret"
    assert ("authorization" in network.asked[1].headers) is kept


async def test_requests_that_name_no_secret_carry_none(connect):
    http, network = connect(settings=Settings.model_validate({"secrets": {"hf_token": "hf_secret"}}))
    await http.get(make_get())
    assert "authorization" not in network.asked[0].headers


async def test_a_secret_that_is_not_set_is_not_sent(connect):
    http, network = connect()
    await http.get(make_get(secret="hf_token"))
    assert "authorization" not in network.asked[0].headers


async def test_the_bundled_file_is_read_without_the_network(connect):
    http, network = connect()
    assert b'"papers"' in (await http.get(make_get("bundled:sample.json"))).body
    assert network.asked == []


async def test_a_bundled_file_that_is_missing_is_a_failure_in_one_sentence(connect):
    http, _ = connect()
    assert "cannot be read" in (await fail(http, make_get("bundled:missing.json"))).reason


def _packed(headers, packed):
    async def chunks():
        yield packed

    return lambda _: httpx.Response(200, headers=headers, content=chunks())


async def _refuse_to_be_read():
    raise AssertionError("the body was read")
    yield b""
