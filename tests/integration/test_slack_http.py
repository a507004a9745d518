"""Slack over HTTP: what is signed is taken, nothing else is."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest
from starlette.applications import Starlette

from bots.slack.served import Door
from bots.slack.tasks import HANDED_ON_AT_ONCE, Tasks, make_turns
from core.chat.commands import Press, Request
from core.errors import DeliveryError, DeliveryFailure
from tests.integration.slack_rooms import open_room
from tests.servers.slack import ALICE, MEMBER, SIGNING_SECRET, Fault, encode, signed
from tests.slacks import HTTP, MANY, SOCKET, slack_at

SLASH = {
    "team_id": "T1",
    "channel_id": MEMBER,
    "channel_name": "general",
    "user_id": ALICE,
    "command": "/papers",
    "text": "search q",
    "trigger_id": "t",
    "response_url": "http://127.0.0.1:9/nowhere",
}


@pytest.fixture(name="room")
async def run_room():
    async with open_room(HTTP) as opened:
        yield opened


async def post(room, body, headers):
    async with httpx.AsyncClient() as client:
        return await client.post(f"{room.page}/slack/events", content=body, headers=headers)


async def test_a_signed_command_is_taken_and_answered(room):
    await room.server.slash("search q")
    answer = await room.replied()
    assert answer["text"].startswith("Search: q")
    assert room.desk.requests == [Request("search q", person=f"slack:T1/{ALICE}", place=f"slack:T1/{MEMBER}")]


async def test_a_press_comes_over_http_as_well(room):
    await room.server.slash("search q")
    await room.server.press(await room.replied(), "paperboy:page:2", alone=True)
    await room.replied(2)
    assert room.desk.commands[1] == Press("page", "10 q")


def _wrong(headers):
    return headers | {"X-Slack-Signature": "v0=" + "0" * 64}


def _without(*names):
    return lambda headers: {key: value for key, value in headers.items() if key not in names}


def _with(**more):
    return lambda headers: headers | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize(
    "spoil",
    [
        _wrong,
        _without("X-Slack-Signature"),
        _without("X-Slack-Request-Timestamp"),
        _without("X-Slack-Signature", "X-Slack-Request-Timestamp"),
        _with(X_Slack_Request_Timestamp="soon"),
        _with(X_Slack_Request_Timestamp="-5"),
        _with(X_Slack_Request_Timestamp="9" * 400),
        _with(X_Slack_Signature=b"\xff\xfe"),
        _with(X_Slack_Signature=""),
    ],
)
async def test_a_signature_that_is_wrong_or_missing_gets_401_and_nothing_is_done(room, spoil):
    body, kind = encode("slash_commands", SLASH)
    reply = await post(room, body, spoil(signed(body)) | {"Content-Type": kind})
    assert reply.status_code == 401
    assert room.desk.requests == []


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
async def test_an_old_signature_gets_401(room, seconds):
    body, kind = encode("slash_commands", SLASH)
    headers = signed(body, at=room.clock().timestamp() + seconds) | {"Content-Type": kind}
    assert (await post(room, body, headers)).status_code == 401


@pytest.mark.parametrize("secret", ["another-secret", SIGNING_SECRET + " "])
async def test_a_signature_of_another_secret_gets_401(room, secret):
    body, kind = encode("slash_commands", SLASH)
    assert (await post(room, body, signed(body, secret=secret) | {"Content-Type": kind})).status_code == 401


async def test_a_body_that_was_changed_behind_its_signature_gets_401(room):
    body, kind = encode("slash_commands", SLASH)
    assert (await post(room, body + b"&x=1", signed(body) | {"Content-Type": kind})).status_code == 401


async def test_what_is_no_text_and_unsigned_gets_401_and_what_is_too_large_413(room):
    assert (await post(room, b"\xff\xfe", signed(b"\xff"))).status_code == 401
    assert (await post(room, b"x" * (2 << 20), {})).status_code == 413


@pytest.mark.parametrize("body", [b"payload={", b"payload=[]", b"payload=5", b"{" * 50_000])
async def test_what_is_signed_and_cannot_be_read_gets_400(room, body):
    reply = await post(room, body, signed(body) | {"Content-Type": "application/x-www-form-urlencoded"})
    assert (reply.status_code, reply.text) == (400, "This is nothing that Slack sends.")


@pytest.mark.parametrize("body", [b"[]", b"null", b"[" * 50_000])
async def test_json_that_is_no_object_gets_400(room, body):
    reply = await post(room, body, signed(body) | {"Content-Type": "application/json"})
    assert (reply.status_code, room.desk.requests) == (400, [])


async def test_slack_s_look_at_the_address_is_answered(room):
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    reply = await post(room, body, signed(body) | {"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["challenge"]) == (200, "abc")


async def test_only_posts_are_taken_and_one_workspace_has_no_install_page(room):
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{room.page}/slack/events")).status_code == 405
        assert (await client.get(f"{room.page}/slack/install")).status_code == 404


async def test_a_command_is_acknowledged_before_its_answer_is_there(room):
    room.desk.may_answer.clear()
    await room.server.slash("search q")
    assert room.server.replies == []
    room.desk.may_answer.set()
    await room.replied()


class SlowApp:
    """What stands behind the door, and takes its time."""

    def __init__(self):
        self.taken = self.done = 0
        self.may_go_on = asyncio.Event()

    async def async_dispatch(self, _):
        self.taken += 1
        await self.may_go_on.wait()
        self.done += 1


async def test_of_many_commands_all_are_acknowledged_and_a_few_at_a_time_handed_on():
    app, tasks = SlowApp(), Tasks()
    door = Door(SIGNING_SECRET, time.time, lambda _: None, tasks, make_turns())
    door.app = app
    body, kind = encode("slash_commands", SLASH)
    headers = signed(body) | {"Content-Type": kind}
    transport = httpx.ASGITransport(Starlette(routes=list(door.routes(None))))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        replies = [await client.post("/slack/events", content=body, headers=headers) for _ in range(20)]
    assert {reply.status_code for reply in replies} == {200}
    for _ in range(20):  # turns of the loop, in which all that can begin has begun
        await asyncio.sleep(0)
    assert (app.taken, app.done) == (HANDED_ON_AT_ONCE, 0)
    app.may_go_on.set()
    await tasks.close()
    assert app.done == 20


async def test_how_soon_it_was_acknowledged_is_told_with_the_command(room):
    for count in (1, 2):
        await room.server.slash("list")
        await room.replied(count)
    assert all(0 < request.acknowledged_in < 3 for request in room.desk.requests)


async def test_before_paperboy_listens_slack_is_asked_to_come_again():
    async with open_room(HTTP) as room:
        pass
    body, kind = encode("slash_commands", SLASH)
    slack = slack_at("http://127.0.0.1:1/api/", by=HTTP, clock=room.clock)
    app = slack.routes(None)[0].app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        reply = await client.post("/slack/events", content=body, headers=signed(body) | {"Content-Type": kind})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")


def test_with_a_socket_nothing_is_served():
    assert slack_at("http://127.0.0.1:1/api/", by=SOCKET, clock=time.time).routes(None) == ()
    paths = [route.path for route in slack_at("http://127.0.0.1:1/api/", by=MANY, clock=time.time).routes(None)]
    assert paths == ["/slack/events", "/slack/install", "/slack/oauth_redirect"]


async def test_starting_while_slack_is_away_waits_for_it():
    async with open_room(HTTP, prepare=lambda server: server.fail("auth.test", *[Fault(status=503)] * 4)) as room:
        await room.server.slash("search q")
        await room.replied()
        assert len(room.server.made("auth.test")) == 5


async def test_the_doctor_tells_whether_slack_can_reach_the_page(room):
    assert ("Slack over HTTP", True, "events are taken at https://papers.example.org/slack/events") in (
        await room.slack.check()
    )


async def test_a_revoked_token_is_told_as_that(room):
    room.server.refused_tokens = {HTTP["bot_token"]: "token_revoked"}
    with pytest.raises(DeliveryError) as raised:
        await slack_at(room.server.api_url, by=HTTP, clock=room.clock).listen(room.desk.answer)
    assert raised.value.kind is DeliveryFailure.REVOKED
