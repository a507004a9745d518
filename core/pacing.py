"""How long to leave a host alone: what its headers ask for, and what to do when it only says no. Pure.

The rules, in the order in which they hold:

1. A 429 or 503 stops its lane: for as long as `Retry-After` or `RateLimit` say, else for the lane's own pause, which
   doubles with each refusal in a row, twice at most.
2. An answer that says that nothing is left of the quota stops its lane until the quota is renewed.
3. While a lane is stopped nobody asks. Any other answer afterwards ends the row of refusals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from core.papers.sources import Lane

REFUSALS = frozenset({429, 503})
MAX_DOUBLINGS = 2
MAX_PAUSE = 24 * 3600.0
_LIMIT = re.compile(r'"[^"]*"\s*;\s*r=(?P<left>\d{1,9})\s*;\s*t=(?P<reset>\d{1,9})')


@dataclass(frozen=True, slots=True)
class Pause:
    """How a lane stands.

    Attributes:
        until: nobody asks before this (aware, UTC).
        refusals: how many requests in a row were refused without a word on how long.
        reason: a clause that fits behind the name of the source.
        status: the HTTP status that stopped it; None when its quota was used up.
    """

    until: datetime
    refusals: int = 0
    reason: str = ""
    status: int | None = None


def next_pause(lane: Lane, pause: Pause | None, status: int, headers: Mapping[str, str], now: datetime) -> Pause | None:
    """Return how a lane stands after an answer; None when it is free and has no row of refusals to remember."""
    asked = retry_after(headers, now)
    left, reset = quota(headers)
    if status in REFUSALS:
        refusals = pause.refusals if pause else 0
        if asked is None and reset is not None and left == 0:
            asked = reset
        seconds = asked if asked is not None else lane.pause * 2 ** min(refusals, MAX_DOUBLINGS)
        counted = refusals if asked is not None else refusals + 1
        return Pause(now + timedelta(seconds=min(seconds, MAX_PAUSE)), counted, f"has answered {status}", status)
    if left == 0 and reset:
        return Pause(now + timedelta(seconds=min(reset, MAX_PAUSE)), 0, "allows no more requests for now")
    if pause is not None and pause.until > now:  # stopped by another request while this one was under way
        return replace(pause)
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for (a number, or an HTTP date); None when it asks for nothing.

    `Retry-After: 0` comes with answers that took three minutes to fail, and is no invitation.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value) or None
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    seconds = (when - now).total_seconds()
    return seconds if seconds > 0 else None


def quota(headers: Mapping[str, str]) -> tuple[int | None, float | None]:
    """Return what is left of the quota and the seconds until it is renewed, as `RateLimit: "api";r=0;t=55` says it."""
    found = [(int(match["left"]), float(match["reset"])) for match in _LIMIT.finditer(headers.get("ratelimit", ""))]
    return min(found) if found else (None, None)
