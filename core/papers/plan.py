"""What to ask each source for, and how each one stands: remembered over restarts, told in digests.

The first time, lists are read as far back as `huggingface.days_back` says; afterwards from the day before the last
success, so that readings of yesterday's papers go on and gaps are closed. arXiv's feeds hold one batch only: batches
that were missed in between are wanted besides, from the calendar's count of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

import msgspec

from core.papers.calendar import Calendar
from core.papers.sources import SOURCES, Backfill, Newest, Wanted
from core.settings import Settings

MAX_GAP = timedelta(days=31)
FIRST_REACH = timedelta(days=7)  # arXiv's newest batch is never older, closures included


class Facts(Protocol):
    """Where small named texts are kept; the library is one."""

    async def fact(self, name: str) -> str | None:
        """Return a fact, or None."""

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a fact."""


class SeveralFacts(Protocol):
    """The same, asked once for several; the library is one."""

    async def facts_named(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return those that are kept of some facts, by name."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source stands, kept over restarts. Instants are aware and in UTC.

    Attributes:
        source: its name.
        ok_at: when everything that was asked of it was last answered.
        failing_since: since when that has not been so; None when it is.
        reason: a clause that fits behind its name, as "has answered 429".
        retry_at: when it may be asked again, where that is known.
        newest_day: the newest day of which it listed a paper that was new.
        missing_since: the first day whose batch was missed and has not been fetched yet.
        empty: the last time it answered, and told of no work at all.
    """

    source: str
    ok_at: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""
    retry_at: datetime | None = None
    newest_day: date | None = None
    missing_since: date | None = None
    empty: bool = False


async def source_states(facts: SeveralFacts) -> Mapping[str, SourceState]:
    """Return how each registered source stands."""
    kept = await facts.facts_named([_fact_name(name) for name in SOURCES])
    return {name: _state_of(name, kept.get(_fact_name(name))) for name in SOURCES}


def plan_fetch(
    settings: Settings,
    categories: Iterable[str],
    states: Mapping[str, SourceState],
    calendar: Calendar,
    *,
    now: datetime,
    since: date | None = None,
) -> Mapping[str, tuple[Wanted, ...]]:
    """Return what is wanted of each registered source.

    Args:
        settings: for the categories and how far to go back.
        categories: arXiv categories that subscriptions name besides.
        states: how the sources stand.
        calendar: arXiv's.
        now: the instant.
        since: fetch from this day on, whatever is held already.
    """
    wanted = tuple(dict.fromkeys((*settings.arxiv.categories, *categories)))
    today = now.date()
    plan: dict[str, tuple[Wanted, ...]] = {}
    for name in SOURCES:
        state = states.get(name, SourceState(name))
        if name == "arxiv":
            plan[name] = _plan_arxiv(wanted, state, calendar, now, since)
        else:
            plan[name] = (Newest(today, since or _reach_back(state, settings.huggingface.days_back, today), wanted),)
    return plan


def _reach_back(state: SourceState, days_back: int, today: date) -> date:
    if state.ok_at is None:
        return today - timedelta(days=days_back)
    return max(state.ok_at.date() - timedelta(days=1), today - MAX_GAP)


def _plan_arxiv(
    categories: tuple[str, ...], state: SourceState, calendar: Calendar, now: datetime, since: date | None
) -> tuple[Wanted, ...]:
    today, batch = now.date(), calendar.newest_batch(now)
    held = state.newest_day or today - FIRST_REACH
    newest = Newest(today, today if held >= batch else held, categories)
    missed = since or state.missing_since
    if missed is None and state.newest_day is not None and calendar.batches_between(state.newest_day, batch):
        missed = state.newest_day + timedelta(days=1)
    if missed is None or missed >= batch:
        return (newest,)
    return (newest, Backfill(since or max(missed, today - MAX_GAP), today, categories))


async def read_state(facts: Facts, name: str) -> SourceState:
    """Return how a source stands; nothing is known of one that was never asked."""
    return _state_of(name, await facts.fact(_fact_name(name)))


def _state_of(name: str, kept: str | None) -> SourceState:
    try:
        return msgspec.json.decode(kept, type=SourceState) if kept else SourceState(name)
    except msgspec.DecodeError:  # written by another version; the sources tell it again
        return SourceState(name)


async def keep_state(facts: Facts, state: SourceState) -> None:
    """Remember how a source stands."""
    await facts.set_fact(_fact_name(state.source), msgspec.json.encode(state).decode())


def _fact_name(name: str) -> str:
    return f"source {name}"
