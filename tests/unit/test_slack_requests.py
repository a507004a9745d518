"""What Slack sends becomes the Request that was meant."""

from __future__ import annotations

import pytest

from bots.slack.requests import (
    concerns_person,
    holds_for_asker_alone,
    mention_request,
    plain_words,
    press_request,
    reply_thread,
    shortcut_request,
    slash_request,
    team_of,
)
from core.chat.commands import Press, Request, Search, Similar

COMMAND = {"team_id": "T1", "channel_id": "C1", "channel_name": "general", "user_id": "U1", "text": "search a &amp; b"}
PRESS = {
    "team": {"id": "T1"},
    "user": {"id": "U1"},
    "channel": {"id": "C1", "name": "general"},
    "container": {"channel_id": "C1", "is_ephemeral": True, "message_ts": "1.0"},
    "actions": [{"action_id": "paperboy:up", "value": "2310.01234"}],
}


def test_a_command_in_a_channel_is_for_the_channel_and_nobody_knows_who_manages_it():
    assert slash_request(COMMAND) == Request(
        "search a & b", person="slack:T1/U1", place="slack:T1/C1", private=False, may_manage=None
    )


@pytest.mark.parametrize(
    "where",
    [
        {"channel_id": "D9", "channel_name": "directmessage"},
        {"channel_id": "D9", "channel_name": "renamed"},
        {"channel_id": "G9", "channel_name": "directmessage"},
    ],
)
def test_a_command_in_a_direct_message_is_for_the_person_who_manages_it(where):
    request = slash_request(COMMAND | where)
    assert (request.place, request.private, request.may_manage) == ("slack:T1/U1", True, True)


def test_a_command_without_words_is_an_empty_one():
    assert slash_request(COMMAND | {"text": ""}).command == ""


def test_a_workspace_of_an_organization_may_send_its_id_alone():
    assert slash_request(COMMAND | {"team_id": None, "enterprise_id": "E1"}).person == "slack:E1/U1"


def test_a_press_carries_all_it_needs():
    assert press_request(PRESS) == Request(
        Press("up", "2310.01234"), person="slack:T1/U1", place="slack:T1/C1", private=False, may_manage=None
    )


def test_the_number_that_makes_an_action_unique_is_no_part_of_it():
    pressed = PRESS | {"actions": [{"action_id": "paperboy:page:2", "value": "5 a: b"}]}
    assert press_request(pressed).command == Press("page", "5 a: b")


def test_a_button_without_a_value_presses_with_none():
    assert press_request(PRESS | {"actions": [{"action_id": "paperboy:help"}]}).command == Press("help", "")


def test_a_press_whose_channel_stands_in_its_container_alone_is_placed():
    assert press_request({**PRESS, "channel": None}).place == "slack:T1/C1"


def test_a_press_in_a_direct_message_is_private():
    pressed = {**PRESS, "channel": {"id": "D1", "name": "directmessage"}}
    assert press_request(pressed).place == "slack:T1/U1"


@pytest.mark.parametrize(
    ("words", "needed"),
    [("subscribe x", True), ("Edit 1 at 9", True), ("search subscribe", False), ("today", False), ("", False)],
)
def test_the_time_zone_is_asked_for_only_where_it_matters(words, needed):
    assert concerns_person(slash_request(COMMAND | {"text": words}).command) is needed


def test_a_press_needs_no_time_zone():
    assert not concerns_person(press_request(PRESS).command)


def test_an_answer_goes_to_the_thread_of_its_button():
    assert reply_thread({"container": {"thread_ts": "7.0"}}) == "7.0"
    assert reply_thread(PRESS) == ""
    assert reply_thread(COMMAND) == ""


def test_only_a_message_that_the_presser_alone_sees_counts_as_such():
    assert holds_for_asker_alone(PRESS)
    assert not holds_for_asker_alone({"container": {"is_ephemeral": False}})
    assert not holds_for_asker_alone(COMMAND)


def test_a_mention_is_what_stands_beside_the_name():
    event = {"type": "app_mention", "user": "U1", "channel": "C1", "text": "<@U0BOT> search a &amp; b"}
    request = mention_request({"team_id": "T1", "event": event})
    assert (request.command, request.place, request.person) == ("search a & b", "slack:T1/C1", "slack:T1/U1")


SHORTCUT = {"team": {"id": "T1"}, "user": {"id": "U1"}, "channel": {"id": "C1", "name": "general"}}


def test_a_shortcut_searches_for_the_words_of_a_message_and_none_of_them_is_a_sign():
    words = 'Look: <@U7> thinks *"state-space"* models OR cat:cs.LG :tada: (beat) -transformers!'
    request = shortcut_request(SHORTCUT | {"message": {"text": words}})
    assert request.command == Search("look thinks state-space models or cat cs.lg beat transformers")


def test_a_shortcut_on_a_message_with_a_paper_finds_papers_near_it():
    words = "see <https://arxiv.org/abs/2310.01234v2|this> &amp; <https://example.org/x>"
    assert shortcut_request(SHORTCUT | {"message": {"text": words}}).command == Similar("2310.01234")


@pytest.mark.parametrize("words", ["", ":tada:", "<@U1>", "!!"])
def test_a_message_without_words_is_an_empty_query(words):
    assert plain_words(words) == ""


@pytest.mark.parametrize(
    "body", [{"team_id": "T1"}, {"team": {"id": "T1"}, "team_id": "T2"}, {"team": None, "enterprise": {"id": "T1"}}]
)
def test_the_workspace_stands_in_one_of_several_places(body):
    assert team_of(body) == "T1"
