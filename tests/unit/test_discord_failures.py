from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp
import discord
import pytest

from bots.discord.failures import explain
from core.errors import DeliveryFailure


@dataclass
class Answered:
    """What discord.py keeps of a response in its exceptions."""

    status: int
    reason: str = "reason"
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status, code=0, message="words of Discord", headers=None):
    body = {"code": code, "message": message} if code or message else "error code: 1015"
    return discord.HTTPException(Answered(status, headers=headers or {}), body)


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (404, 10003, DeliveryFailure.GONE, "channel does not exist"),
        (404, 10004, DeliveryFailure.GONE, "invite it again"),
        (404, 10013, DeliveryFailure.GONE, "no such person"),
        (403, 50001, DeliveryFailure.FORBIDDEN, "View Channel"),
        (403, 50013, DeliveryFailure.FORBIDDEN, "Send Messages"),
        (403, 50007, DeliveryFailure.FORBIDDEN, "privacy setting"),
        (403, 50278, DeliveryFailure.FORBIDDEN, "shares no server"),
        (400, 50083, DeliveryFailure.FORBIDDEN, "unlock it"),
        (403, 20012, DeliveryFailure.FORBIDDEN, "words of Discord"),
        (400, 50035, DeliveryFailure.REJECTED, "words of Discord"),
        (404, 10008, DeliveryFailure.REJECTED, "not there any more"),
        (401, 0, DeliveryFailure.REVOKED, "DISCORD_TOKEN"),
        (500, 0, DeliveryFailure.UNKNOWN, "500"),
        (503, 0, DeliveryFailure.UNKNOWN, "503"),
    ],
)
def test_what_discord_answers_says_what_follows_and_how_to_mend_it(status, code, kind, told):
    failure = explain(refusal(status, code))
    assert failure.kind is kind
    assert told in str(failure)
    assert "\n" not in str(failure)


def test_a_wait_that_discord_asks_for_is_passed_on():
    assert explain(refusal(429, headers={"Retry-After": "7"})).retry_after == 7
    assert explain(discord.RateLimited(41.5)).retry_after == 41.5
    assert explain(discord.RateLimited(41.5)).kind is DeliveryFailure.RETRY


def test_a_429_that_does_not_say_how_long_is_left_alone_for_a_minute():
    failure = explain(refusal(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    assert (failure.kind, failure.retry_after) == (DeliveryFailure.RETRY, 60)


def test_a_bare_403_comes_from_the_guard_before_the_api_and_blames_no_channel():
    failure = explain(refusal(403, 0, ""))
    assert failure.kind is DeliveryFailure.RETRY
    assert failure.retry_after is not None


def test_a_bad_token_is_revoked():
    assert explain(discord.LoginFailure("Improper token has been passed.")).kind is DeliveryFailure.REVOKED


def test_a_refused_connection_took_nothing():
    key = aiohttp.client_reqrep.ConnectionKey("127.0.0.1", 9, False, True, None, None, None)  # noqa: FBT003 - theirs
    failure = explain(aiohttp.ClientConnectorError(key, OSError(111, "refused")))
    assert failure.kind is DeliveryFailure.RETRY


@pytest.mark.parametrize(
    "error",
    [aiohttp.ServerDisconnectedError(), ConnectionResetError(104, "reset"), TimeoutError(), ValueError("not JSON")],
)
def test_whatever_breaks_after_the_request_left_may_have_been_taken(error):
    assert explain(error).kind is DeliveryFailure.UNKNOWN


def test_a_long_refusal_of_several_lines_becomes_one_short_sentence():
    failure = explain(refusal(400, 50035, "Invalid Form Body\n" + "In components.0.content: too long\n" * 50))
    assert "\n" not in str(failure)
    assert len(str(failure)) < 300
