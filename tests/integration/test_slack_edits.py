"""A digest that is changed where it stands, and who is told when a place is lost: against a Slack on loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.servers.slack import ALICE, MEMBER, Fault, SlackServer, Waits, complaints
from tests.slacks import slack_at

PLACE = f"slack:T1/{MEMBER}"
KEY = "sub-1/2026-03-02"
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def digest(papers, word="Paper"):
    cards = tuple(
        Card(f"2401.{number:05}", f"{word} {number}", f"https://arxiv.org/abs/2401.{number:05}", summary="word " * 60)
        for number in range(papers)
    )
    return Message(Kind.DIGEST, heading="Papers", lines=(text("Monday"),), cards=cards)


SHORT, LONG = digest(3), digest(90)
LATER_SHORT, LATER_LONG = digest(3, "Later"), digest(90, "Later")


@pytest.fixture(name="server")
async def run_server():
    async with SlackServer() as server:
        yield server


@pytest.fixture(name="waits")
def make_waits():
    return Waits()


@pytest.fixture(name="slack")
def make_platform(server, waits):
    return slack_at(server.api_url, clock=waits.clock, sleep=waits)


def titles(server):
    return [line for post in server.posts for line in post["text"].split("\n") if line.startswith("•")]


def shown(server):
    """What people see, apart from what never changes."""
    return [(post["ts"], post["text"], post.get("blocks"), post["metadata"]) for post in server.posts]


async def failing(slack, message, parts):
    with pytest.raises(DeliveryError) as raised:
        await slack.edit(PLACE, message, key=KEY, parts=parts)
    return raised.value


async def test_an_edit_changes_every_part_in_place_and_keeps_its_key(server, slack):
    first = await slack.deliver(PLACE, LONG, key=KEY)
    receipt = await slack.edit(PLACE, LATER_LONG, key=KEY, parts=first.parts)
    assert receipt == first
    assert [post["ts"] for post in server.posts] == list(first.parts)
    assert titles(server) == [f"• Later {number}" for number in range(90)]
    assert [post["metadata"]["event_payload"] for post in server.posts] == [
        {"key": KEY, "part": number} for number in range(len(first.parts))
    ]
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(first.parts)
    assert len(server.made("chat.postMessage")) == len(first.parts)


async def test_an_edit_changes_the_blocks_too_and_pings_no_one(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    await slack.edit(PLACE, LATER_SHORT, key=KEY, parts=first.parts)
    (call,) = server.made("chat.update")
    assert call.args["blocks"] == slack.payload(LATER_SHORT)[0]["blocks"]
    assert (call.args["link_names"], call.args["parse"]) == (False, "none")


async def test_a_longer_message_goes_on_in_the_thread_and_is_found_whole(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    receipt = await slack.edit(PLACE, LATER_LONG, key=KEY, parts=first.parts)
    assert receipt.parts[:1] == first.parts
    assert len(receipt.parts) == len(slack.payload(LATER_LONG)) > 2
    assert {post["thread_ts"] for post in server.posts[1:]} == set(first.parts)
    assert titles(server) == [f"• Later {number}" for number in range(90)]
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(receipt.parts)


async def test_a_shorter_message_leaves_a_short_mark_where_the_rest_was(server, slack):
    first = await slack.deliver(PLACE, LONG, key=KEY)
    receipt = await slack.edit(PLACE, LATER_SHORT, key=KEY, parts=first.parts)
    assert receipt.parts == first.parts
    assert [(post["text"], post["blocks"]) for post in server.posts[1:]] == [("…", [])] * (len(first.parts) - 1)
    assert titles(server) == ["• Later 0", "• Later 1", "• Later 2"]
    assert await slack.find(PLACE, KEY, HOUR_AGO) == list(first.parts)


async def test_a_message_can_grow_shrink_and_grow_again_in_the_same_parts(server, slack):
    parts = (await slack.deliver(PLACE, SHORT, key=KEY)).parts
    for message in (LONG, SHORT, LATER_LONG):
        parts = (await slack.edit(PLACE, message, key=KEY, parts=parts)).parts
    assert len(server.posts) == len(slack.payload(LATER_LONG))
    assert titles(server) == [f"• Later {number}" for number in range(90)]
    assert not [words for post in server.posts for words in complaints(post["blocks"])]


async def test_an_edit_that_is_repeated_with_what_it_was_told_first_changes_nothing_more(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    once = await slack.edit(PLACE, LATER_LONG, key=KEY, parts=first.parts)
    seen = shown(server)
    assert await slack.edit(PLACE, LATER_LONG, key=KEY, parts=first.parts) == once
    assert shown(server) == seen


@pytest.mark.parametrize("fault", [Fault(drop=True, landed=True), Fault(status=503, landed=True)])
async def test_an_edit_whose_reply_was_lost_behind_a_further_part_is_finished_without_a_second_one(
    server, slack, fault
):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("chat.postMessage", fault)
    assert (await failing(slack, LATER_LONG, first.parts)).kind is DeliveryFailure.UNKNOWN
    receipt = await slack.edit(PLACE, LATER_LONG, key=KEY, parts=first.parts)
    assert [post["ts"] for post in server.posts] == list(receipt.parts)
    assert titles(server) == [f"• Later {number}" for number in range(90)]


async def test_a_lost_reply_to_a_change_is_got_over_since_repeating_it_is_harmless(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("chat.update", Fault(status=503, landed=True), Fault(drop=True))
    assert (await slack.edit(PLACE, LATER_SHORT, key=KEY, parts=first.parts)).parts == first.parts
    assert titles(server) == ["• Later 0", "• Later 1", "• Later 2"]


async def test_a_message_that_people_deleted_is_refused_and_not_posted_again(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    server.posts.clear()
    failure = await failing(slack, LATER_SHORT, first.parts)
    assert failure.kind is DeliveryFailure.REJECTED
    assert str(failure) == "The message is not there any more. (message_not_found)"
    assert (await failing(slack, LATER_LONG, first.parts)).kind is DeliveryFailure.REJECTED
    assert server.posts == []


async def test_a_surplus_part_that_people_deleted_is_short_enough(server, slack):
    first = await slack.deliver(PLACE, LONG, key=KEY)
    del server.posts[1]
    assert (await slack.edit(PLACE, LATER_SHORT, key=KEY, parts=first.parts)).parts == first.parts
    assert titles(server) == ["• Later 0", "• Later 1", "• Later 2"]


async def test_an_edit_of_nothing_is_refused(server, slack):
    assert (await failing(slack, SHORT, ())).kind is DeliveryFailure.REJECTED
    assert server.posts == []


async def test_where_nobody_can_see_what_is_in_the_thread_a_longer_message_changes_nothing(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    seen = shown(server)
    server.fail("conversations.replies", Fault(error="missing_scope", extra={"needed": "channels:history"}))
    failure = await failing(slack, LATER_LONG, first.parts)
    assert failure.kind is DeliveryFailure.REJECTED
    assert "lacks the scope channels:history" in str(failure)
    assert shown(server) == seen


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("is_inactive", DeliveryFailure.GONE),
        ("channel_not_found", DeliveryFailure.GONE),
        ("cant_update_message", DeliveryFailure.REJECTED),
        ("edit_window_closed", DeliveryFailure.REJECTED),
        ("msg_too_long", DeliveryFailure.REJECTED),
        ("token_revoked", DeliveryFailure.REVOKED),
    ],
)
async def test_a_refused_edit_says_what_follows(server, slack, code, kind):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("chat.update", Fault(error=code))
    assert (await failing(slack, LATER_SHORT, first.parts)).kind is kind


async def test_an_edit_that_has_to_wait_long_is_handed_back_with_the_wait(server, slack):
    first = await slack.deliver(PLACE, SHORT, key=KEY)
    server.fail("chat.update", Fault(status=429, headers={"Retry-After": "600"}))
    failure = await failing(slack, LATER_SHORT, first.parts)
    assert (failure.kind, failure.retry_after) == (DeliveryFailure.RETRY, 600)


# Who runs a workspace


def person(name, **marks):
    return {"id": name, "deleted": False, "is_bot": False, "is_admin": False, "is_owner": False} | marks


PEOPLE = [
    person("U1", is_admin=True),
    person("USLACKBOT", is_admin=True),
    person("U2", is_admin=True, is_owner=True, deleted=True),
    person("U3"),
    person("U4", is_admin=True, is_owner=True),
    person("U5", is_admin=True, is_bot=True),
    person("U6", is_admin=True),
    person("U7", is_admin=True, is_owner=True, is_primary_owner=True),
]


async def test_the_stewards_are_three_at_most_the_primary_owner_first_then_owners_then_admins(server, slack):
    server.people, server.people_page = PEOPLE, 2
    assert await slack.stewards(PLACE) == ("slack:T1/U7", "slack:T1/U4", "slack:T1/U1")


async def test_the_stewards_are_asked_for_once_an_hour(server, slack, waits):
    server.people = PEOPLE
    first = await slack.stewards(PLACE)
    server.people = []
    assert await slack.stewards("slack:T1/C9ANOTHER") == first
    assert len(server.made("users.list")) == 1
    await waits(3600)
    assert await slack.stewards(PLACE) == ()


async def test_a_workspace_of_many_people_is_not_read_without_end(server, slack):
    server.people, server.people_page = [person(f"U{number}") for number in range(100)], 2
    assert await slack.stewards(PLACE) == ()
    assert len(server.made("users.list")) == 10


async def test_a_person_has_no_stewards(server, slack):
    server.people = PEOPLE
    assert await slack.stewards(f"slack:T1/{ALICE}") == ()
    assert server.calls == []


async def test_without_the_scope_nobody_is_known_and_mending_it_needs_no_hour(server, slack):
    server.people, scopes = PEOPLE, server.scopes
    server.scopes = "chat:write"
    assert await slack.stewards(PLACE) == ()
    server.scopes = scopes
    assert len(await slack.stewards(PLACE)) == 3


# Refusals that only posting shows


async def refused(slack):
    with pytest.raises(DeliveryError) as raised:
        await slack.deliver(PLACE, SHORT, key=KEY)
    return raised.value


async def test_a_refusal_that_looking_does_not_show_holds_for_most_of_a_day(server, slack, waits):
    server.channels[MEMBER].refuses = "restricted_action_read_only_channel"
    failure = await refused(slack)
    assert failure.kind is DeliveryFailure.FORBIDDEN
    assert await slack.reachable(PLACE) == str(failure)
    await waits(19 * 3600)
    assert await slack.reachable(PLACE) == str(failure)
    await waits(3600)
    assert await slack.reachable(PLACE) is None


async def test_a_post_that_arrives_ends_what_was_remembered(server, slack):
    server.channels[MEMBER].refuses = "restricted_action"
    await refused(slack)
    server.channels[MEMBER].refuses = ""
    await slack.deliver(PLACE, SHORT, key=KEY)
    assert await slack.reachable(PLACE) is None


async def test_a_refusal_whose_end_can_be_seen_is_looked_at_anew_each_time(server, slack):
    server.channels[MEMBER].member = False
    await refused(slack)
    assert "/invite @paperboy" in await slack.reachable(PLACE)
    server.channels[MEMBER].member = True
    assert await slack.reachable(PLACE) is None
