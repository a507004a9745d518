"""Which listings a digest chooses from, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

NEWEST = "(l.source, l.day) IN (SELECT source, max(day) FROM listings GROUP BY source)"

SOURCES = """
    WITH RECURSIVE names(source) AS (
        SELECT min(source) FROM listings
        UNION ALL SELECT (SELECT min(l.source) FROM listings l WHERE l.source > names.source) FROM names
        WHERE names.source IS NOT NULL
    ) SELECT source FROM names WHERE source IS NOT NULL
"""
"""The sources that listed anything, each found in the index (source, day) at once; a few days are found there, too."""


@dataclass(frozen=True, slots=True)
class Newest:
    """Each source's newest batch: what it listed on its newest day; and, with `since`, on any day from then on."""

    since: date | None = None


@dataclass(frozen=True, slots=True)
class After:
    """What was listed behind a number of the listing log."""

    sequence: int


@dataclass(frozen=True, slots=True)
class OnDay:
    """What was listed for one day, as the sources count days."""

    day: date


@dataclass(frozen=True, slots=True)
class Between:
    """What was listed for the days from the first to the last, both of them included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class LastDays:
    """What was listed on the last so many days up to `now`; and, with `after`, what came in behind that number."""

    days: int
    now: datetime
    after: int | None = None


@dataclass(frozen=True, slots=True)
class All:
    """Every paper of the library, listed or not."""


@dataclass(frozen=True, slots=True)
class These:
    """Some papers by id, listed or not."""

    ids: tuple[str, ...]


Window: TypeAlias = Newest | After | OnDay | Between | LastDays | All | These


@dataclass(frozen=True, slots=True)
class Candidates:
    """How much a window holds.

    Attributes:
        count: papers that are not withdrawn.
        upto: the newest number of the listing log; the next window begins behind it.
        days_by_source: the days on which each source listed them, ascending.
    """

    count: int
    upto: int
    days_by_source: Mapping[str, tuple[date, ...]] = field(default_factory=dict)


def listing_condition(window: Window) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL condition on a row `l` of `listings` that a window means, and its parameters."""
    match window:
        case Newest(since):
            return (f"({NEWEST} OR l.day >= ?)", (since.isoformat(),)) if since else (NEWEST, ())
        case After(sequence):
            return "l.sequence > ?", (sequence,)
        case OnDay(day):
            return "l.day = ?", (day.isoformat(),)
        case Between(first, last):
            return f"l.source IN ({SOURCES}) AND l.day BETWEEN ? AND ?", (first.isoformat(), last.isoformat())
        case LastDays(days, now, after):
            begin = (now.date() - timedelta(days=days)).isoformat()
            return ("l.day > ?", (begin,)) if after is None else ("(l.day > ? OR l.sequence > ?)", (begin, after))
        case All() | These():
            return "1", ()


def paper_condition(window: Window) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL condition on a row `p` of `papers` that a window means, and its parameters."""
    if isinstance(window, All):
        return "NOT p.withdrawn", ()
    if isinstance(window, These):
        return "NOT p.withdrawn AND p.id IN (SELECT value FROM json_each(?))", (json.dumps(window.ids),)
    where, values = listing_condition(window)
    listed = f"SELECT l.paper FROM listings l WHERE {where}"  # noqa: S608 - one of the constants above
    return f"NOT p.withdrawn AND p.number IN ({listed})", values
