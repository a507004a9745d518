"""Commands and buttons: a real slack-bolt against a Slack on loopback, over a socket and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bots.slack import Slack
from core.chat.commands import Press, Request
from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure, SettingsError
from core.settings import Secrets, Settings, read_settings
from tests.fakes import MemoryStore
from tests.integration.slack_rooms import HITS, WAYS, Desk, listening, page_of
from tests.servers.slack import ALICE, APP_TOKEN, BOT_TOKEN, MEMBER, STRANGE, Fault, SlackServer, Waits
from tests.slacks import slack_at


class Clock:
    """A clock that stands still until told."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self):
        return self.now


def make_platform(server, **changes):
    return slack_at(server.api_url, **({"clock": Clock(), "sleep": Waits()} | changes))


@pytest.fixture(name="server")
async def run_server():
    async with SlackServer() as server:
        yield server


@pytest.fixture(name="desk")
def make_desk():
    return Desk()


@pytest.fixture(name="way", params=WAYS)
def choose_way(request):
    return request.param


@pytest.fixture(name="connect")
def make_connect(server, desk, way):
    """How the tests connect: once or several times, in the way that the test is run for."""

    @contextlib.asynccontextmanager
    async def connect(asked=desk, **changes):
        clock = changes.setdefault("clock", Clock())
        server.now = lambda: clock().timestamp()
        platform = make_platform(server, by=WAYS[way], **changes)
        async with contextlib.AsyncExitStack() as stack:
            if way == "http":
                server.http_url = f"{await stack.enter_async_context(page_of(platform))}/slack/events"
            yield await stack.enter_async_context(listening(platform, asked))

    return connect


@pytest.fixture(name="slack")
async def run_platform(connect):
    async with connect() as platform:
        yield platform


async def ask(server, words="search q", **where):
    count = len(server.replies)
    await server.slash(words, **where)
    await server.until(lambda: len(server.replies) > count)
    return server.replies[-1]


async def press(server, message, action, *, alone=True, **where):
    count = len(server.replies)
    await server.press(message, action, alone=alone, **where)
    await server.until(lambda: len(server.replies) > count)
    return server.replies[-1]


OVER_A_SOCKET = pytest.mark.parametrize("way", ["socket"])
WORDS = ["", "help", "search q", "today", "subscribe x", "list", "unsubscribe 1", "edit 1 at 9", "no such", "x " * 2000]


@pytest.mark.parametrize("words", WORDS)
async def test_every_command_is_acknowledged_before_its_answer_is_there(server, desk, slack, words):
    desk.may_answer.clear()
    await server.slash(words)
    assert server.replies == []
    desk.may_answer.set()
    await server.until(lambda: server.replies)
    assert server.replies[0]["response_type"] == "ephemeral"
    assert server.replies[0]["text"].startswith("Search: q")


async def test_a_press_is_acknowledged_before_its_answer_is_there(server, desk, slack):
    message = await ask(server)
    desk.may_answer.clear()
    await server.press(message, "paperboy:page", alone=True)
    assert len(server.replies) == 1
    desk.may_answer.set()
    await server.until(lambda: len(server.replies) == 2)


async def test_a_slow_answer_of_slack_itself_delays_no_acknowledgement(server, desk, slack):
    go_on = asyncio.Event()
    server.fail("users.info", Fault(wait=go_on))
    server.fail("auth.test", Fault(wait=go_on))
    await server.slash("subscribe x")
    assert desk.requests == []
    go_on.set()
    await server.until(lambda: server.replies)
    assert len(server.made("auth.test")) == 1


async def test_what_was_typed_arrives_as_it_was_typed(server, desk, slack):
    await ask(server, "search “a &amp; b” <http://next.js|next.js> <#C1|general>")
    assert desk.requests == [
        Request('search "a & b" next.js #general', person=f"slack:T1/{ALICE}", place="slack:T1/C1MEMBER")
    ]


async def test_a_direct_message_is_private_and_its_person_may_manage_it(server, desk, slack):
    await ask(server, "list", channel="D1ALICE", name="directmessage")
    person = f"slack:T1/{ALICE}"
    assert desk.requests == [Request("list", person=person, place=person, private=True, may_manage=True)]


async def test_commands_are_answered_where_paperboy_is_no_member(server, desk, slack):
    answer = await ask(server, channel=STRANGE)
    assert answer["text"].startswith("Search: q")


async def test_a_public_answer_is_for_the_channel(server, desk, slack):
    desk.answers["share"] = Message(Kind.ANSWER, lines=(text("shared"),), public=True)
    message = await ask(server)
    answer = await press(server, message, "paperboy:share")
    assert (answer["response_type"], answer["replace_original"]) == ("in_channel", False)


async def test_paging_replaces_the_answer_that_holds_the_button(server, desk, slack):
    desk.answers["page"] = Message(Kind.ANSWER, lines=(text("page 2"),), replaces=True)
    message = await ask(server)
    answer = await press(server, message, "paperboy:page:2")
    assert desk.requests[-1].command == Press("page", "10 q")
    assert answer["replace_original"] is True


async def test_a_digest_in_the_channel_is_never_replaced_by_what_one_person_asked(server, desk, slack):
    desk.answers["page"] = Message(Kind.ANSWER, lines=(text("page 2"),), replaces=True)
    message = await ask(server)
    answer = await press(server, message, "paperboy:page", alone=False)
    assert (answer["response_type"], answer["replace_original"]) == ("ephemeral", False)


async def test_a_command_replaces_nothing_even_when_its_answer_would(server, desk, slack):
    desk.answers["list"] = Message(Kind.ANSWER, lines=(text("list"),), replaces=True)
    assert (await ask(server, "list"))["replace_original"] is False


async def test_a_press_in_a_thread_is_answered_in_the_thread(server, desk, slack):
    message = await ask(server)
    answer = await press(server, message | {"thread_ts": "17.5"}, "paperboy:page", alone=False)
    assert answer["thread_ts"] == "17.5"


async def test_buttons_of_old_messages_work_after_a_restart(server, desk, connect):
    async with connect():
        message = await ask(server)
    later = Desk()
    async with connect(later):
        await press(server, message, "paperboy:page")
    assert later.requests == [Request(Press("page", "0 q"), person=f"slack:T1/{ALICE}", place="slack:T1/C1MEMBER")]


async def test_the_time_zone_is_asked_once_and_only_for_what_needs_it(server, desk, connect):
    clock = Clock()
    async with connect(clock=clock):
        for words in ("search q", "subscribe a", "subscribe b", "edit 1 c"):
            await ask(server, words)
        assert [request.timezone for request in desk.requests] == [None, *["Europe/Berlin"] * 3]
        assert len(server.made("users.info")) == 1
        clock.now += timedelta(hours=2)
        await ask(server, "subscribe d")
        assert len(server.made("users.info")) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(error="missing_scope"),
        Fault(body='{"ok": true, "user": {"tz": "Mars/Olympus"}}', content_type="application/json"),
        Fault(body='{"ok": true}', content_type="application/json"),
    ],
)
async def test_without_a_time_zone_the_request_is_answered_all_the_same(server, desk, slack, fault):
    server.fail("users.info", fault)
    await ask(server, "subscribe x")
    assert desk.requests[0].timezone is None


async def test_an_answer_is_given_again_when_slack_did_not_take_it(server, desk, connect):
    waits = Waits()
    async with connect(sleep=waits):
        server.fail("response_url", Fault(status=429, headers={"Retry-After": "3"}), Fault(status=503))
        await ask(server)
    assert len(server.made("response_url")) == 3
    assert waits.seconds[0] == 3


async def test_an_answer_is_given_again_when_the_connection_broke(server, desk, slack):
    server.fail("response_url", Fault(drop=True))
    await ask(server)
    assert len(server.made("response_url")) == 2


async def test_an_answer_that_cannot_be_given_is_logged_without_its_address(server, desk, slack, caplog):
    server.fail("response_url", Fault(status=404, body='{"ok":false,"error":"expired_url"}'))
    await server.slash("search q")
    await server.until(lambda: "answer was lost" in caplog.text)
    assert "expired_url" in caplog.text
    assert "/response/" not in caplog.text
    assert (await ask(server))["text"]


async def test_a_long_answer_loses_no_card_though_a_response_url_is_good_for_five_uses(server, desk, slack):
    cards = tuple(Card(f"2401.{number:05}", f"Paper {number}", summary="word " * 60) for number in range(250))
    desk.answers["today"] = Message(Kind.DIGEST, heading="Today", cards=cards)
    await server.slash("today")
    await server.until(lambda: server.replies and "Paper 249" in server.replies[-1]["text"])
    assert len(server.made("response_url")) == 5
    assert server.made("chat.postEphemeral")
    shown = [line for reply in server.replies for line in reply["text"].split("\n") if line.startswith("•")]
    assert shown == [f"• Paper {number}" for number in range(250)]


async def test_a_bug_behind_the_desk_is_told_in_one_line_and_logged(server, desk, slack, caplog):
    desk.answers["list"] = ZeroDivisionError("secret detail")
    answer = await ask(server, "list")
    assert answer["text"].startswith("⚠️")
    assert "secret detail" not in answer["text"]
    assert "ZeroDivisionError" in caplog.text


@OVER_A_SOCKET
async def test_a_dropped_socket_is_opened_again(server, desk, slack):
    server.break_socket()
    await server.until(lambda: server.opened == 2 and server.connected)
    await ask(server)


@OVER_A_SOCKET
async def test_a_fresh_socket_is_taken_when_slack_asks_for_it(server, desk, slack):
    await server.refresh_socket()
    await server.until(lambda: server.opened == 2 and server.connected)
    await ask(server)


async def test_a_spent_address_of_a_socket_is_not_tried_for_ever(server, desk):
    server.fail("socket", *[Fault()] * 2)
    async with listening(make_platform(server, ping=0.2), desk):
        assert len(server.made("apps.connections.open")) >= 2


async def test_starting_while_slack_is_away_waits_for_it(server, desk, caplog):
    waits = Waits()
    server.fail("auth.test", *[Fault(status=503)] * 3)
    server.fail("apps.connections.open", Fault(status=429, headers={"Retry-After": "30"}))
    async with listening(make_platform(server, sleep=waits, clock=waits.clock), desk):
        await ask(server)
    assert 30 in waits.seconds
    assert "Trying again in 30 s" in caplog.text


@pytest.mark.parametrize("token", [BOT_TOKEN, APP_TOKEN])
async def test_a_revoked_token_ends_the_listening_with_its_name(server, desk, token):
    server.refused_tokens[token] = "token_revoked"
    with pytest.raises(DeliveryError) as raised:
        await make_platform(server).listen(desk.answer)
    assert raised.value.kind is DeliveryFailure.REVOKED
    assert ("SLACK_BOT_TOKEN" if token == BOT_TOKEN else "SLACK_APP_TOKEN") in str(raised.value)


async def test_a_token_revoked_while_connected_is_told_when_the_socket_ends(server, desk):
    platform = make_platform(server)
    task = asyncio.create_task(platform.listen(desk.answer))
    await asyncio.wait_for(platform.ready(), 20)
    server.refused_tokens[BOT_TOKEN] = "account_inactive"
    server.break_socket()
    with pytest.raises(DeliveryError) as raised:
        await asyncio.wait_for(task, 20)
    assert raised.value.kind is DeliveryFailure.REVOKED


async def test_proxies_and_slack_settings_in_the_environment_do_not_matter(server, desk, connect, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN"):
        monkeypatch.setenv(name, "xoxb-of-somebody-else")
    async with connect() as platform:
        assert (await ask(server))["text"]
        assert (await platform.deliver("slack:T1/C1MEMBER", HITS, key="s/2026-03-02")).parts
    assert {call.token for call in server.calls} <= {BOT_TOKEN, APP_TOKEN, ""}


async def test_no_token_and_no_ticket_reaches_the_log(server, desk, caplog):
    caplog.set_level(logging.DEBUG)
    server.fail("socket", *[Fault()] * 2)
    async with listening(make_platform(server, ping=0.5), desk) as platform:
        await ask(server, "subscribe my private interests")
        await platform.deliver("slack:T1/C1MEMBER", HITS, key="s/2026-03-02")
        opened = server.opened
        server.break_socket()
        await server.until(lambda: server.opened > opened)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiohttp.access")
    for secret in (BOT_TOKEN, APP_TOKEN, "ticket-", "my private interests"):
        assert secret not in ours


async def test_closing_drops_an_answer_that_takes_too_long(server, desk, connect):
    desk.may_answer.clear()
    async with connect():
        await server.slash("search q")
        await server.until(lambda: desk.requests)
    assert server.replies == []
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "Replies" in repr(task.get_coro())]


def test_both_tokens_are_needed():
    for secrets, missing in (
        (Secrets(slack_app_token=SecretStr("xapp-1")), "SLACK_BOT_TOKEN is not"),
        (Secrets(slack_bot_token=SecretStr("xoxb-1")), "neither SLACK_APP_TOKEN"),
    ):
        with pytest.raises(SettingsError, match=missing):
            Slack.from_settings(Settings(secrets=secrets), Clock(), MemoryStore())


async def test_the_settings_make_a_platform_that_connects(server, desk):
    environ = {"SLACK_APP_TOKEN": APP_TOKEN, "SLACK_BOT_TOKEN": BOT_TOKEN, "PAPERBOY_SLACK__API_URL": server.api_url}
    settings = read_settings({"PAPERBOY_CONFIG": os.devnull} | environ)
    async with listening(Slack.from_settings(settings, Clock(), MemoryStore()), desk):
        await ask(server)


async def test_somebody_who_asks_in_a_channel_may_have_mended_what_kept_paperboy_from_posting(server, slack):
    place = f"slack:T1/{MEMBER}"
    server.channels[MEMBER].refuses = "restricted_action"
    with pytest.raises(DeliveryError):
        await slack.deliver(place, HITS, key="k")
    assert "an admin can allow it" in await slack.reachable(place)
    await ask(server, "resume 1")
    assert await slack.reachable(place) is None


async def test_how_soon_each_command_was_acknowledged_is_told_with_it(server, desk, slack):
    for _ in range(3):
        await ask(server, "list")
    told = [request.acknowledged_in for request in desk.requests]
    assert len(told) == 3
    assert all(0 < seconds < 3 for seconds in told)
