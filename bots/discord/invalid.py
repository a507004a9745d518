"""Discord's limit of invalid requests, which is never approached: it bans the address of whoever passes it.

10,000 answers of 401, 403 or 429 (unless its scope is shared) in 10 minutes:
https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import aiohttp

MOST_INVALID = 5_000
WINDOW_SECONDS = 600.0
INVALID = {401, 403, 404, 429}  # 404 is not on Discord's list, and would be no surprise there
SHARED = "shared"


class InvalidRequests:
    """Counts what Discord refused, over everything that uses `trace`.

    Args:
        most: refusals in ten minutes from which on paperboy sends nothing of its own accord.
        now: seconds, from any beginning.
    """

    def __init__(self, *, most: int = MOST_INVALID, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._newest: deque[float] = deque(maxlen=most)
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_end.append(self._ended)

    async def _ended(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, ended: aiohttp.TraceRequestEndParams
    ) -> None:
        self.count(ended.response.status, ended.response.headers)

    def count(self, status: int, headers: Mapping[str, str]) -> None:
        """Count an answer, if it was a refusal that Discord counts."""
        shared = status == 429 and headers.get("X-RateLimit-Scope") == SHARED
        if status in INVALID and not shared:
            self._newest.append(self._now())

    def wait(self) -> float:
        """Return the seconds until paperboy may send again; 0 when it may now."""
        if len(self._newest) < (self._newest.maxlen or 0):
            return 0.0
        return max(0.0, self._newest[0] + WINDOW_SECONDS - self._now())
