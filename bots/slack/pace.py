"""When Slack may be asked, in one workspace: its 429s hold for every call of the method, not for the one that got it.

Slack allows about one post a second in a channel, with short bursts, and limits each method for the workspace as a
whole; how much it allows it says only by refusing. https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from bots.allowance import Allowance
from bots.slack.failures import SlackError, failure_of

Answer = TypeVar("Answer")
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

POSTS_PER_SECOND = 1.0
POSTS_AT_ONCE = 3
MOST_CHANNELS = 1_000
CALM_SECONDS = 60.0
TURN_SECONDS = 1.0


@dataclass(slots=True)
class _Limit:
    """A method that Slack has limited: from when until when (by the clock), and whose turn it is to ask next."""

    since: float
    until: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def left(self, now: float) -> float:
        """Return the seconds that are left; none when the clock was put back, so that this holds up nobody."""
        return self.until - now if now >= self.since else 0.0


class Pace:
    """The pace of one workspace.

    Args:
        now: seconds, from any beginning.
        sleep: waits.
    """

    def __init__(self, *, now: Callable[[], float], sleep: Sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._limits: dict[str, _Limit] = {}
        self._channels: dict[str, Allowance] = {}

    async def wait_to_post(self, channel: str) -> None:
        """Wait until another post fits into a channel."""
        now = self._now()
        if len(self._channels) >= MOST_CHANNELS:
            self._channels = {name: used for name, used in self._channels.items() if not used.idle(now)}
        allowance = self._channels.setdefault(channel, Allowance(POSTS_PER_SECOND, POSTS_AT_ONCE))
        if wait := allowance.reserve(now):
            await self._sleep(wait)

    async def ask(self, method: str, call: Callable[[], Awaitable[Answer]], *, patience: float) -> Answer:
        """Call a method, when Slack allows it.

        From a 429 until a minute without one, calls of the method go one after the other, so that the end of a wait
        does not bring the next 429 to everybody who waited. One that is not answered within a second keeps nobody.

        Args:
            method: its name; limits are told apart by it.
            call: makes the call.
            patience: the longest wait, in seconds, before it is given up.

        Raises:
            SlackError: what the call raises; RETRY, without a call, when the wait would be longer.
        """
        limit = self._limits.get(method)
        if limit is None or self._now() - limit.until > CALM_SECONDS:
            self._limits.pop(method, None)
            return await self._heed(method, call)
        async with limit.turn:
            await self._wait(limit, patience)
            asking = asyncio.ensure_future(self._heed(method, call))
            try:
                await asyncio.wait({asking}, timeout=TURN_SECONDS)
            except asyncio.CancelledError:
                asking.cancel()
                raise
        return await asking

    async def _wait(self, limit: _Limit, patience: float) -> None:
        waited_for = None
        while waited_for != limit.until and (left := limit.left(self._now())) > 0:
            if left > patience:
                raise failure_of("ratelimited", token="", retry_after=left)
            waited_for = limit.until
            await self._sleep(left)

    async def _heed(self, method: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            return await call()
        except SlackError as failure:
            if failure.retry_after is not None:
                self._note(method, failure.retry_after)
            raise

    def _note(self, method: str, asked: float) -> None:
        now = self._now()
        limit = self._limits.setdefault(method, _Limit(now, now))
        if now + asked > limit.until or now < limit.since:
            limit.since, limit.until = now, now + asked
