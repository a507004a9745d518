"""Rate limits for the servers, and a time that passes only when nothing else happens."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

QUIET_TURNS = 200
REST = 50


@dataclass
class RateLimit:
    """A bucket of `burst` calls that fills by `per_second`; refuses like Slack, in whole seconds to wait.

    Attributes:
        taken: moments of the calls that were taken.
        refused: how many were refused.
        pushy: numbers (0-based, over all calls) of those that came although a wait had been asked for.
    """

    per_second: float
    burst: int
    now: Callable[[], float]
    taken: list[float] = field(default_factory=list)
    refused: int = 0
    pushy: list[int] = field(default_factory=list)
    _left: float = math.nan
    _at: float = 0.0
    _closed_until: float = 0.0

    def admit(self) -> int:
        """Return 0 for a call that is taken, else the seconds to wait."""
        now = self.now()
        left = self.burst if math.isnan(self._left) else self._left + (now - self._at) * self.per_second
        self._left, self._at = min(float(self.burst), left), now
        if now < self._closed_until:
            self.pushy.append(len(self.taken) + self.refused)
        if self._left < 1 or now < self._closed_until:
            wait = max(math.ceil((1 - self._left) / self.per_second), math.ceil(self._closed_until - now), 1)
            self._closed_until = max(self._closed_until, now + wait)
            self.refused += 1
            return wait
        self._left -= 1
        self.taken.append(now)
        return 0

    def allowed(self, seconds: float) -> float:
        """Return how many calls anybody could have made in that time."""
        return self.burst + self.per_second * seconds


class VirtualTime:
    """Seconds that pass when everybody waits for them: a day takes as long as what happens in it.

    Args:
        activity: anything that changes while somebody still works, as the counts of calls and answers.
    """

    def __init__(self, activity: Callable[[], object] = int) -> None:
        self.seconds = 0.0
        self._activity = activity
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.seconds

    def clock(self) -> datetime:
        return datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + max(0.0, seconds), next(self._numbers), waiting))
        await waiting

    async def run(self, *work: Awaitable[object]) -> list[object]:
        """Do all of this, letting time pass wherever all of it waits for that."""
        doing = asyncio.gather(*work)
        while not doing.done():
            await self._quiet(doing)
            if self._sleepers and not doing.done():
                self.seconds, _, waiting = heapq.heappop(self._sleepers)
                if not waiting.done():
                    waiting.set_result(None)
        return await doing

    async def _quiet(self, doing: asyncio.Future[list[object]]) -> None:
        seen, turns = None, 0
        while turns < QUIET_TURNS and not doing.done():
            # Now and then really, so that a busy machine gets to what is still on its way through a socket.
            await asyncio.sleep(0 if turns % REST else 0.001)
            state = (self._activity(), len(self._sleepers))
            turns = turns + 1 if state == seen else 0
            seen = state
