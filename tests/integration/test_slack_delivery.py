"""Digests: posted, resumed, looked for and refused, by the real SDK against a Slack on loopback."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.chat.message import Button, Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import MemoryStore, make_change, make_subscription
from tests.servers.slack import (
    ALICE,
    APP_TOKEN,
    ARCHIVED,
    BOT_TOKEN,
    HIDDEN,
    MEMBER,
    STRANGE,
    Fault,
    SlackServer,
    Waits,
)
from tests.slacks import slack_at

PLACE = f"slack:T1/{MEMBER}"
PERSON = f"slack:T1/{ALICE}"
KEY = "sub-1/2026-03-02"
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def digest(papers):
    cards = tuple(
        Card(f"2401.{number:05}", f"Paper {number}", f"https://arxiv.org/abs/2401.{number:05}", summary="word " * 60)
        for number in range(papers)
    )
    return Message(
        Kind.DIGEST, heading="Papers", lines=(text("Monday"),), cards=cards, buttons=(Button("?", "help", ""),)
    )


SHORT, LONG = digest(3), digest(100)
JSON = "application/json"


@pytest.fixture(name="server")
async def run_server():
    async with SlackServer() as server:
        yield server


@pytest.fixture(name="waits")
def make_waits():
    return Waits()


@pytest.fixture(name="slack")
def make_platform(server, waits):
    return platform(server.api_url, waits)


def platform(api_url, waits, timeout=20.0):
    return slack_at(api_url, clock=waits.clock, sleep=waits, timeout=timeout)


def names(server):
    return [post["ts"] for post in server.posts]


async def failing(slack, message=SHORT, address=PLACE, **how):
    with pytest.raises(DeliveryError) as raised:
        await slack.deliver(address, message, key=KEY, **how)
    return raised.value


async def test_a_digest_is_one_post_with_its_key(server, slack):
    receipt = await slack.deliver(PLACE, SHORT, key=KEY)
    (post,) = server.posts
    assert receipt.parts == (post["ts"],)
    assert post["channel"] == MEMBER
    assert post["metadata"] == {"event_type": "paperboy_delivery", "event_payload": {"key": KEY, "part": 0}}
    assert (post["unfurl_links"], post["unfurl_media"], post["link_names"], post["parse"]) == (
        False,
        False,
        False,
        "none",
    )


async def test_a_long_digest_goes_on_in_the_thread_in_order_and_tells_each_part(server, slack):
    told = []

    async def sent(name):
        told.append((name, len(server.posts)))

    receipt = await slack.deliver(PLACE, LONG, key=KEY, sent=sent)
    first, *rest = server.posts
    assert len(rest) >= 2
    assert "thread_ts" not in first
    assert {post["thread_ts"] for post in rest} == {first["ts"]}
    assert [post["metadata"]["event_payload"]["part"] for post in server.posts] == list(range(len(server.posts)))
    assert told == [(name, number) for number, name in enumerate(receipt.parts, 1)]
    shown = [line for post in server.posts for line in post["text"].split("\n") if line.startswith("•")]
    assert shown == [f"• Paper {number}" for number in range(100)]


async def test_a_delivery_goes_on_behind_the_parts_that_arrived_before(server, slack):
    whole = await slack.deliver(PLACE, LONG, key=KEY)
    server.posts[1:] = []
    receipt = await slack.deliver(PLACE, LONG, key=KEY, done=whole.parts[:1])
    assert receipt.parts == tuple(names(server))
    assert len(server.posts) == len(whole.parts)
    assert {post["thread_ts"] for post in server.posts[1:]} == {whole.parts[0]}


async def test_a_delivery_that_is_all_there_posts_nothing(server, slack):
    done = ("1.0", "2.0", "3.0", "4.0", "5.0", "6.0")
    receipt = await slack.deliver(PLACE, SHORT, key=KEY, done=done)
    assert receipt.parts == done
    assert server.posts == []


async def test_a_person_gets_it_in_a_direct_message(server, slack):
    await slack.deliver(PERSON, SHORT, key=KEY)
    assert server.made("conversations.open")[0].args == {"users": ALICE}
    assert server.posts[0]["channel"] == "D1ALICE"


async def test_a_receipt_has_the_address_of_the_first_post_asked_for_once(server, slack):
    receipt = await slack.deliver(PLACE, LONG, key=KEY)
    assert receipt.url == f"https://test.example/archives/{MEMBER}/p{receipt.parts[0].replace('.', '')}"
    assert len(server.made("chat.getPermalink")) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault(error="fatal_error"), Fault(status=503), Fault(drop=True), Fault(status=429, headers={"Retry-After": "2"})],
)
async def test_an_address_that_slack_does_not_tell_at_once_is_done_without(server, slack, waits, fault):
    server.fail("chat.getPermalink", *[fault] * 3)
    receipt = await slack.deliver(PLACE, SHORT, key=KEY)
    assert receipt.url == ""
    assert list(receipt.parts) == names(server)
    assert waits.seconds == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(error="channel_not_found"), DeliveryFailure.GONE),
        (Fault(error="is_archived"), DeliveryFailure.GONE),
        (Fault(error="not_in_channel"), DeliveryFailure.FORBIDDEN),
        (Fault(error="restricted_action"), DeliveryFailure.FORBIDDEN),
        (Fault(error="missing_scope", extra={"needed": "chat:write"}), DeliveryFailure.FORBIDDEN),
        (Fault(error="invalid_auth"), DeliveryFailure.REVOKED),
        (Fault(error="token_revoked"), DeliveryFailure.REVOKED),
        (Fault(error="account_inactive"), DeliveryFailure.REVOKED),
        (Fault(error="msg_too_long"), DeliveryFailure.REJECTED),
        (Fault(error="invalid_blocks"), DeliveryFailure.REJECTED),
        (Fault(error="fatal_error"), DeliveryFailure.UNKNOWN),
        (Fault(status=500), DeliveryFailure.UNKNOWN),
        (Fault(status=503, body="upstream error"), DeliveryFailure.UNKNOWN),
        (Fault(drop=True), DeliveryFailure.UNKNOWN),
        (Fault(body="<html>welcome to the hotel"), DeliveryFailure.UNKNOWN),
        (Fault(body="welcome to the hotel", content_type="text/plain"), DeliveryFailure.UNKNOWN),
        (Fault(body="{broken", content_type="application/json"), DeliveryFailure.UNKNOWN),
        (Fault(status=429, headers={"Retry-After": "600"}), DeliveryFailure.RETRY),
        (Fault(error="ratelimited"), DeliveryFailure.RETRY),
    ],
)
async def test_a_failed_post_says_what_follows_and_is_not_tried_again_here(server, slack, waits, fault, kind):
    server.fail("chat.postMessage", fault)
    error = await failing(slack)
    assert error.kind is kind
    assert len(server.made("chat.postMessage")) == 1
    assert "\n" not in str(error)
    assert BOT_TOKEN not in str(error)
    assert waits.seconds == []


async def test_a_missing_scope_is_named_with_the_mend(server, slack):
    server.fail("chat.postMessage", Fault(error="missing_scope", extra={"needed": "chat:write"}))
    assert "lacks the scope chat:write" in str(await failing(slack))


async def test_not_being_in_the_channel_names_the_mend(server, slack):
    assert "/invite @paperboy" in str(await failing(slack, address=f"slack:T1/{STRANGE}"))


async def test_a_long_wait_is_handed_on(server, slack):
    server.fail("chat.postMessage", Fault(status=429, headers={"Retry-After": "600"}))
    assert (await failing(slack)).retry_after == 600


async def test_a_short_wait_is_waited_out(server, slack, waits):
    server.fail("chat.postMessage", Fault(status=429, headers={"Retry-After": "2"}))
    await slack.deliver(PLACE, LONG, key=KEY)
    assert waits.seconds == [2]
    assert len(names(server)) == len(set(names(server))) == len(slack.payload(LONG))


async def test_a_refused_connection_was_surely_not_taken(waits):
    error = await failing(platform("http://127.0.0.1:1/api/", waits))
    assert error.kind is DeliveryFailure.RETRY
    assert "cannot be reached" in str(error)


async def test_no_answer_in_time_is_an_unknown(server, waits):
    go_on = asyncio.Event()
    server.fail("chat.postMessage", Fault(wait=go_on))
    error = await failing(platform(server.api_url, waits, timeout=0.3))
    go_on.set()
    assert error.kind is DeliveryFailure.UNKNOWN


async def test_parts_that_arrived_before_a_failure_were_told(server, slack):
    told = []

    async def sent(name):
        told.append(name)
        server.fail("chat.postMessage", Fault(status=503))

    await failing(slack, LONG, sent=sent)
    assert told == names(server)
    assert len(told) == 1


@pytest.mark.parametrize("fault", [Fault(drop=True, landed=True), Fault(status=503, landed=True)])
async def test_a_post_whose_reply_was_lost_is_found_and_resumed_without_a_second_one(server, slack, fault):
    server.fail("chat.postMessage", fault)
    assert (await failing(slack, LONG)).kind is DeliveryFailure.UNKNOWN
    found = await slack.find(PLACE, KEY, HOUR_AGO)
    assert found == names(server)
    assert len(found) == 1
    receipt = await slack.deliver(PLACE, LONG, key=KEY, done=found)
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(receipt.parts) == names(server)
    assert len(receipt.parts) == len(slack.payload(LONG))


async def test_a_post_that_never_landed_is_not_found(server, slack):
    server.fail("chat.postMessage", Fault(drop=True))
    await failing(slack)
    assert await slack.find(PLACE, KEY, HOUR_AGO) == []


async def test_only_the_delivery_with_that_key_is_found(server, slack):
    for key in ("sub-1/2026-03-01", KEY, "sub-2/2026-03-02"):
        await slack.deliver(PLACE, SHORT, key=key)
    assert await slack.find(PLACE, KEY, HOUR_AGO) == [names(server)[1]]


async def test_a_delivery_is_found_behind_many_other_posts(server, slack):
    await slack.deliver(PLACE, LONG, key=KEY)
    expected = names(server)
    for _ in range(5):
        await slack.deliver(PLACE, SHORT, key="another")
    server.history_page = 2
    assert await slack.find(PLACE, KEY, HOUR_AGO) == expected


async def test_where_too_much_was_posted_since_nobody_says_that_it_is_not_there(server, slack):
    await slack.deliver(PLACE, SHORT, key=KEY)
    for _ in range(12):
        await slack.deliver(PLACE, SHORT, key="another")
    server.history_page = 1
    assert await slack.find(PLACE, KEY, HOUR_AGO) is None


async def test_a_hole_in_the_thread_ends_what_was_found(server, slack):
    await slack.deliver(PLACE, LONG, key=KEY)
    expected = names(server)
    del server.posts[1]
    assert await slack.find(PLACE, KEY, HOUR_AGO) == expected[:1]


async def test_older_posts_are_not_looked_at(server, slack):
    await slack.deliver(PLACE, SHORT, key=KEY)
    assert await slack.find(PLACE, KEY, datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_direct_message_is_looked_into(server, slack):
    receipt = await slack.deliver(PERSON, SHORT, key=KEY)
    assert await slack.find(PERSON, KEY, HOUR_AGO) == list(receipt.parts)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(error="missing_scope")],
        [Fault(error="not_in_channel")],
        [Fault(status=429, headers={"Retry-After": "900"})],
        [Fault(status=429, headers={"Retry-After": "60"})] * 3,
    ],
)
async def test_where_looking_is_impossible_nothing_is_claimed(server, slack, faults):
    server.fail("conversations.history", *faults)
    assert await slack.find(PLACE, KEY, HOUR_AGO) is None


async def test_looking_waits_as_long_as_slack_asks_a_new_app_to(server, slack, waits):
    receipt = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("conversations.history", Fault(status=429, headers={"Retry-After": "60"}))
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(receipt.parts)
    assert waits.seconds == [60]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop=True), Fault(error="token_revoked")])
async def test_where_slack_is_away_looking_is_put_off_rather_than_given_up(server, slack, fault):
    server.fail("conversations.history", *[fault] * 9)  # aiohttp asks again by itself when a connection breaks
    with pytest.raises(DeliveryError) as raised:
        await slack.find(PLACE, KEY, HOUR_AGO)
    assert raised.value.kind is DeliveryFailure.RETRY


async def test_a_passing_fault_while_looking_is_looked_past(server, slack):
    receipt = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("conversations.history", Fault(status=503), Fault(drop=True))
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(receipt.parts)


@pytest.mark.parametrize(
    ("identifier", "mend"),
    [
        (MEMBER, None),
        (ALICE, None),
        (STRANGE, "/invite @paperboy"),
        (HIDDEN, "/invite @paperboy"),
        (ARCHIVED, "archived"),
    ],
)
async def test_a_place_that_cannot_be_posted_to_is_told_with_the_mend(slack, identifier, mend):
    answer = await slack.reachable(f"slack:T1/{identifier}")
    assert answer is None if mend is None else mend in answer


@pytest.mark.parametrize(
    "fault",
    [
        Fault(error="missing_scope", extra={"needed": "channels:read"}),
        Fault(error="unheard_of"),
        Fault(status=503),
        Fault(drop=True),
        Fault(status=429, headers={"Retry-After": "600"}),
        Fault(error="ratelimited"),
    ],
)
async def test_where_slack_does_not_tell_about_a_place_nobody_claims_that_it_can_be_posted_to(server, slack, fault):
    server.fail("conversations.info", *[fault] * 9)
    with pytest.raises(DeliveryError) as raised:
        await slack.reachable(PLACE)
    assert raised.value.kind is DeliveryFailure.RETRY
    assert raised.value.retry_after in {None, 600}


async def test_a_channel_of_which_slack_does_not_say_whether_paperboy_is_in_it_is_not_known(server, slack):
    server.fail("conversations.info", Fault(error="", body='{"ok": true, "channel": {"id": "C"}}', content_type=JSON))
    with pytest.raises(DeliveryError) as raised:
        await slack.reachable(PLACE)
    assert raised.value.kind is DeliveryFailure.RETRY


async def test_a_refused_token_is_known_not_to_post(server, slack):
    server.refused_tokens[BOT_TOKEN] = "token_revoked"
    assert "SLACK_BOT_TOKEN was revoked" in await slack.reachable(PLACE)


async def test_a_person_to_whom_nothing_can_be_sent_is_told_with_the_mend(server, slack):
    server.unable[ALICE] = "user_disabled"
    assert "switch it on again" in await slack.reachable(PERSON)


async def test_the_doctor_finds_nothing_amiss(server, slack):
    *lines, (what, well, told) = await slack.check()
    assert lines == [
        ("Slack bot token", True, "paperboy in the workspace Test"),
        ("Slack scopes", True, "all 12 granted"),
        ("Slack app token", True, "Socket Mode can be opened"),
    ]
    assert (what, well) == ("Slack events", True)
    assert told.startswith("never yet: /papers, buttons")
    assert "App Manifest" in told


async def test_the_doctor_names_missing_scopes_and_what_they_are_for(server, slack):
    server.scopes = "commands,chat:write,channels:read,groups:read,channels:history,groups:history,im:history"
    name, well, details = (await slack.check())[1]
    assert (name, well) == ("Slack scopes", False)
    assert "im:write (to post to a person)" in details
    assert "users:read" in details
    assert "chat:write" not in details
    assert "OAuth & Permissions" in details


async def test_the_doctor_names_scopes_that_paperboy_does_not_use_and_finds_them_no_illness(server, slack):
    server.scopes += ",files:read,admin"
    name, well, details = (await slack.check())[1]
    assert (name, well) == ("Slack scopes", True)
    assert "admin, files:read, which paperboy does not use" in details
    assert "slack_manifest.yaml" in details


async def test_the_doctor_names_the_subscribed_channels_that_cannot_be_posted_to_and_the_mend(server, waits):
    store = MemoryStore()
    slack = slack_at(server.api_url, clock=waits.clock, sleep=waits, store=store)
    await store.add_subscription(make_subscription("s1", PLACE), make_change())
    assert (await slack.check())[-1] == ("Slack channels", True, "1 of 1 looked at can be posted to")
    for number, place in enumerate((f"slack:T1/{STRANGE}", "slack:T1/C9GONE", "discord:1"), 2):
        await store.add_subscription(make_subscription(f"s{number}", place), make_change())
    name, well, details = (await slack.check())[-1]
    assert (name, well) == ("Slack channels", False)
    assert f"slack:T1/{STRANGE}: " in details
    assert "/invite @paperboy" in details
    assert "slack:T1/C9GONE: " in details
    assert PLACE not in details
    assert "discord" not in details


@pytest.mark.parametrize(
    ("token", "code", "line"),
    [(BOT_TOKEN, "invalid_auth", "Slack bot token"), (APP_TOKEN, "token_revoked", "Slack app token")],
)
async def test_the_doctor_tells_which_token_is_refused(server, slack, token, code, line):
    server.refused_tokens[token] = code
    lines = {name: (well, details) for name, well, details in await slack.check()}
    assert lines[line][0] is False
    assert code in lines[line][1]
    assert token not in lines[line][1]


async def test_the_doctor_tells_that_slack_cannot_be_reached(waits):
    lines = (await platform("http://127.0.0.1:1/api/", waits).check())[:-1]
    assert [well for _, well, _ in lines] == [False, False]
    assert all("cannot be reached" in details for _, _, details in lines)


async def test_an_address_without_a_channel_is_gone(slack):
    assert (await failing(slack, address="slack:T1/")).kind is DeliveryFailure.GONE
