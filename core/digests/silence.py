"""Why a digest has nothing: one clause, true and with what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeGuard

from core.clock import zone_of
from core.digests.digest import Digest
from core.papers.calendar import Calendar
from core.papers.plan import SourceState
from core.papers.sources import SOURCES

ARXIV = "arxiv"


def source_label(name: str) -> str:
    """Return a source's name as readers know it."""
    registered = SOURCES.get(name)
    return registered.label if registered else name


def failures(states: Mapping[str, SourceState], timezone: str, now: datetime | None = None) -> list[str]:
    """Return one clause for each source that does not answer, with the local times since when and of the next try.

    Args:
        states: how the sources stand.
        timezone: the reader's, IANA name.
        now: a time of another day than this one's is told with its day, and no next try that is over.
    """
    return [
        f"{source_label(name)} {state.reason} since {_clock(state.failing_since, timezone, now)}"
        + (f", next try {_clock(state.retry_at, timezone, now)}" if _is_ahead(state.retry_at, now) else "")
        for name, state in sorted(states.items())
        if state.failing_since is not None
    ]


def explain_silence(  # noqa: PLR0913 - one sentence is made of all of these
    digest: Digest,
    states: Mapping[str, SourceState],
    calendar: Calendar,
    *,
    now: datetime,
    timezone: str,
    nearest: str = "",
    empty: str = "no new papers since the last digest",
    seen_by: str = "this place",
) -> str:
    """Return why nothing was chosen, as one sentence without its end mark.

    Args:
        digest: the counts.
        states: how the sources stand.
        calendar: arXiv's.
        now: the instant.
        timezone: the reader's, IANA name.
        nearest: the title that came nearest to the interests, where words matched partly.
        seen_by: who was shown before what was left out.
        empty: what is said when there were no papers and no source or calendar explains it.
    """
    reasons = failures(states, timezone, now)
    if not reasons and ARXIV in states and (closed := calendar.explain(now, zone_of(timezone))):
        reasons = [f"no announcement on arXiv today because {closed}"]
    if not digest.considered:
        return "; ".join(["no new papers", *reasons]) if reasons else empty
    if digest.seen:
        them = "them" if digest.seen > 1 else "it"
        counted = f"{digest.considered:,} new, {digest.matched:,} matched, and {seen_by} has seen {them} before"
    else:
        counted = f"{digest.considered:,} new, none matched"
        if nearest:
            counted += f" (nearest: {nearest})"
    return "; ".join([counted, *reasons])


def _is_ahead(moment: datetime | None, now: datetime | None) -> TypeGuard[datetime]:
    return moment is not None and (now is None or moment > now)


def _clock(moment: datetime, timezone: str, now: datetime | None) -> str:
    local = moment.astimezone(zone_of(timezone))
    if now is None or local.date() == now.astimezone(zone_of(timezone)).date():
        return f"{local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b %H:%M}"
