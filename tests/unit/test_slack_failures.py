"""Slack's error codes and what follows from each."""

from __future__ import annotations

import pytest

from bots.slack.failures import KINDS, failure_of
from core.errors import DeliveryFailure

MEANING = {
    DeliveryFailure.GONE: ["channel_not_found", "is_archived", "user_not_found", "user_disabled"],
    DeliveryFailure.FORBIDDEN: ["not_in_channel", "restricted_action", "missing_scope", "no_permission"],
    DeliveryFailure.REVOKED: ["invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"],
    DeliveryFailure.RETRY: ["ratelimited", "team_added_to_org"],
    DeliveryFailure.UNKNOWN: ["internal_error", "fatal_error", "service_unavailable"],
    DeliveryFailure.REJECTED: ["msg_too_long", "msg_blocks_too_long", "invalid_blocks", "no_text", "unheard_of"],
}


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in MEANING.items() for code in codes])
def test_each_code_says_what_follows_from_it(kind, code):
    failure = failure_of(code, token="SLACK_BOT_TOKEN")
    assert failure.kind is kind
    assert failure.code == code


def test_no_code_stands_for_two_things():
    codes = [code for _, sentences in KINDS for code in sentences]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("code", [code for _, sentences in KINDS for code in sentences])
def test_each_code_has_one_whole_sentence_on_one_line(code):
    words = str(failure_of(code, token="SLACK_BOT_TOKEN", needed="chat:write"))
    assert words.endswith(f". ({code})")
    assert "\n" not in words
    assert "{" not in words


def test_not_being_in_a_channel_names_the_mend():
    assert "/invite @paperboy" in str(failure_of("not_in_channel", token=""))


def test_a_missing_scope_is_named():
    assert "im:write" in str(failure_of("missing_scope", token="", needed="im:write"))


def test_a_refused_token_is_named_by_its_setting():
    assert str(failure_of("invalid_auth", token="SLACK_APP_TOKEN")).count("SLACK_APP_TOKEN") == 1


def test_a_limit_keeps_the_wait_that_slack_asks_for():
    assert failure_of("ratelimited", token="", retry_after=30).retry_after == 30
