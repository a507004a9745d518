"""EDGE. Calls to Discord's REST API through discord.py, which knows its rate limits, and what discord.py leaves to us.

discord.py repeats 500, 502, 504 and 524 and waits out a 429 that carries a `Via` header; it does not repeat a 503, a
lost connection, or a 429 without that header. What may have been taken is repeated only where repeating is harmless.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from bots.allowance import Allowance
from bots.discord.failures import NETWORK_ERRORS, explain
from bots.discord.invalid import InvalidRequests
from core.errors import DeliveryError, DeliveryFailure

_OWN_API, _OWN_GATEWAY = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
_DEADLINE = 75.0  # seconds for a call, the waits for rate limits included
_LONGEST_WAIT = 30.0  # seconds that discord.py may wait out a 429 by itself, the least that it allows
# discord.py knows the limit of each route, and nothing of the one for all of them together, 50 calls a second:
# https://docs.discord.com/developers/topics/rate-limits#global-rate-limit
_CALLS_PER_SECOND, _CALLS_AT_ONCE = 45.0, 5
_FOR_PEOPLE = ("/webhooks/", "/interactions/")  # answers to people who wait for them, which are exempt from that limit
DELAYS = (0.5, 2.0, 5.0)
"""Seconds before each repetition of a call."""


def point_at(api_url: str, gateway_url: str) -> None:
    """Direct discord.py, which has no setting for it, at these addresses; empty means Discord's own."""
    Route.BASE = api_url or _OWN_API
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url) if gateway_url else _OWN_GATEWAY


class Rest:
    """A session with Discord's REST API; signs in with the first call.

    Args:
        token: the bot's.
        delays: seconds before each repetition of a call.
        invalid: counts what Discord refuses.
    """

    def __init__(self, token: str, *, delays: Sequence[float] = DELAYS, invalid: InvalidRequests | None = None) -> None:
        self._token = token
        self.invalid = InvalidRequests() if invalid is None else invalid
        self._allowance = Allowance(_CALLS_PER_SECOND, _CALLS_AT_ONCE)
        self._delays = tuple(delays)
        self._http: HTTPClient | None = None
        self._signing_in = asyncio.Lock()
        self._closed = False
        self.me: Mapping[str, Any] = {}

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        repeatable: bool = True,
        **places: Any,
    ) -> Any:
        """Call the API and return its JSON.

        Args:
            method: of HTTP.
            path: below the API's address, with `{names}`.
            json: the body.
            params: the query.
            repeatable: a second call after one that may have been taken does no harm.
            places: what the names in the path stand for; discord.py tells its rate limits apart by them.

        Raises:
            DeliveryError: by kind; UNKNOWN when any of the tries may have been taken; RETRY, without a call, while
                Discord has refused too much of late.
        """
        # Route reads its address from the class, so that a Route made earlier would still point at an earlier one.
        options = {key: value for key, value in (("json", json), ("params", params)) if value is not None}
        doubt: DeliveryError | None = None
        for delay in (*self._delays, None):
            try:
                if not path.startswith(_FOR_PEOPLE):
                    await self._take_turn()
                return await self._try(Route(method, path, **places), options)
            except DeliveryError as error:
                failure = error
            if failure.kind is DeliveryFailure.UNKNOWN:
                doubt = failure
            if delay is None or not _worth_repeating(failure, repeatable=repeatable):
                break
            await asyncio.sleep(delay)
        raise doubt if doubt is not None and failure.kind is DeliveryFailure.RETRY else failure

    async def _take_turn(self) -> None:
        if wait := self.invalid.wait():
            words = f"Discord has refused too many calls of late; paperboy holds back for {math.ceil(wait)} s."
            raise DeliveryError(DeliveryFailure.RETRY, words, retry_after=wait)
        if pause := self._allowance.reserve(asyncio.get_running_loop().time()):
            await asyncio.sleep(pause)

    async def _try(self, route: Route, options: Mapping[str, Any]) -> Any:
        http = await self.sign_in()
        try:
            async with asyncio.timeout(_DEADLINE):
                return await http.request(route, **options)
        except (discord.DiscordException, *NETWORK_ERRORS) as error:
            raise explain(error) from error

    async def sign_in(self) -> HTTPClient:
        """Return a client that is signed in.

        Raises:
            DeliveryError: REVOKED when the token is not accepted, RETRY for everything else: nothing was sent yet.
        """
        async with self._signing_in:
            if self._closed:
                raise DeliveryError(DeliveryFailure.RETRY, "The connection to Discord is closed.")
            if self._http is None:
                self._http = await self._new_session()
            return self._http

    async def _new_session(self) -> HTTPClient:
        loop = asyncio.get_running_loop()
        http = HTTPClient(loop, max_ratelimit_timeout=_LONGEST_WAIT, http_trace=self.invalid.trace)
        try:
            async with asyncio.timeout(_DEADLINE):
                self.me = dict(await http.static_login(self._token))
        except (discord.DiscordException, *NETWORK_ERRORS) as error:
            await http.close()
            failure = explain(error)
            if failure.kind is DeliveryFailure.REVOKED:
                raise failure from error
            raise DeliveryError(DeliveryFailure.RETRY, str(failure), retry_after=failure.retry_after) from error
        except asyncio.CancelledError:
            await http.close()
            raise
        return http

    async def close(self) -> None:
        """End the session; calls made afterwards are refused."""
        self._closed = True
        if self._http is not None:
            await self._http.close()
            self._http = None


def _worth_repeating(failure: DeliveryError, *, repeatable: bool) -> bool:
    if failure.kind is DeliveryFailure.RETRY:
        return failure.retry_after is None
    return failure.kind is DeliveryFailure.UNKNOWN and repeatable
