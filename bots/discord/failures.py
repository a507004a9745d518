"""What went wrong between us and Discord -> DeliveryError: what it means, and how it is mended.

Codes: https://docs.discord.com/developers/topics/opcodes-and-status-codes
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import aiohttp
import discord

from bots.discord.markdown import one_line, shorten
from core.errors import DeliveryError, DeliveryFailure

REFUSED_SIGN_IN = (
    "Discord does not accept DISCORD_TOKEN; make a new one in the developer portal (Bot, Reset Token), "
    "set it and start paperboy again."
)
MEND_PLACE = "(channel settings, Permissions, add paperboy)"
MISSING_ACCESS, UNKNOWN_MESSAGE, ALREADY_ACKNOWLEDGED = 50001, 10008, 40060
SHOWN = {10003, 10004, MISSING_ACCESS, 50013, 50083}
"""Codes of refusals whose causes looking at a channel shows as well, so that looking tells when they are gone."""
GONE_MESSAGE = "The message is not there any more."
LOCKED = "The thread is archived and locked; unlock it, or subscribe its channel instead."
_BLOCKED = 600.0  # seconds to leave Discord alone after its guard, not its API, has refused us

_CODES: Mapping[int, tuple[DeliveryFailure, str]] = {
    10003: (DeliveryFailure.GONE, "The channel does not exist any more; subscribe in another one."),
    10004: (DeliveryFailure.GONE, "The server is gone, or paperboy was removed from it; invite it again."),
    UNKNOWN_MESSAGE: (DeliveryFailure.REJECTED, GONE_MESSAGE),
    10013: (DeliveryFailure.GONE, "There is no such person on Discord any more."),
    MISSING_ACCESS: (
        DeliveryFailure.FORBIDDEN,
        f"paperboy cannot see this channel; allow it View Channel and Send Messages there {MEND_PLACE}.",
    ),
    50013: (
        DeliveryFailure.FORBIDDEN,
        f"paperboy may not post in this channel; allow it Send Messages there {MEND_PLACE}.",
    ),
    50007: (
        DeliveryFailure.FORBIDDEN,
        "This person takes no direct messages from paperboy; a server that both are in has a privacy setting for it.",
    ),
    50278: (
        DeliveryFailure.FORBIDDEN,
        "This person shares no server with paperboy any more; direct messages need one in common.",
    ),
    50083: (DeliveryFailure.FORBIDDEN, LOCKED),
}

NETWORK_ERRORS = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What discord.py lets through besides its own; ValueError is a body that is not the JSON it claims to be."""


class DiscordError(DeliveryError):
    """A call that Discord refused; `code` is its number for why, 0 where it gave none."""

    def __init__(self, kind: DeliveryFailure, message: str, *, code: int = 0) -> None:
        super().__init__(kind, message)
        self.code = code


def explain(error: Exception) -> DeliveryError:
    """Return what an exception of discord.py or of the network means for a call that was under way."""
    if isinstance(error, discord.RateLimited):
        return _wait(error.retry_after)
    if isinstance(error, discord.LoginFailure):
        return DeliveryError(DeliveryFailure.REVOKED, REFUSED_SIGN_IN)
    if isinstance(error, discord.HTTPException):
        return _explain_answer(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return DeliveryError(DeliveryFailure.RETRY, "Discord cannot be reached.")
    if isinstance(error, TimeoutError):
        return DeliveryError(DeliveryFailure.UNKNOWN, "Discord did not answer in time.")
    return DeliveryError(DeliveryFailure.UNKNOWN, "The connection to Discord broke before it answered.")


def _explain_answer(error: discord.HTTPException) -> DeliveryError:
    if error.status == 401:
        return DeliveryError(DeliveryFailure.REVOKED, REFUSED_SIGN_IN)
    if error.status == 429:
        return _wait(_retry_after(error))
    if error.status >= 500:
        return DeliveryError(DeliveryFailure.UNKNOWN, f"Discord has answered {error.status}.")
    if error.code in _CODES:
        kind, words = _CODES[error.code]
        return DiscordError(kind, words, code=error.code)
    if error.status == 403 and not error.code:
        # Discord's API always gives a code; a bare 403 is the guard before it, and says nothing about the channel.
        return DeliveryError(DeliveryFailure.RETRY, "Discord's network guard refused us.", retry_after=_BLOCKED)
    kind = DeliveryFailure.FORBIDDEN if error.status == 403 else DeliveryFailure.REJECTED
    words = shorten(one_line(error.text), 200)
    return DiscordError(kind, f"Discord refused it ({error.status}, code {error.code}): {words}", code=error.code)


def _wait(seconds: float) -> DeliveryError:
    return DeliveryError(
        DeliveryFailure.RETRY, f"Discord asks us to wait {math.ceil(seconds)} s.", retry_after=float(seconds)
    )


def _retry_after(error: discord.HTTPException) -> float:
    """Return the seconds of a 429 that discord.py would not wait for: it had no `Via` header, or no JSON."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return 60.0
