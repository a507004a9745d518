"""Why a digest has nothing: one clause, true and with what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from core.clock import zone_of
from core.digests.digest import Digest
from core.papers.calendar import Calendar
from core.papers.plan import SourceState
from core.papers.sources import SOURCES


def source_label(name: str) -> str:
    """Return a source's name as readers know it."""
    registered = SOURCES.get(name)
    return registered.label if registered else name


def failures(states: Mapping[str, SourceState], timezone: str) -> list[str]:
    """Return one clause for each source that does not answer, with the local times since when and of the next try."""
    zone = zone_of(timezone)
    return [
        f"{source_label(name)} {state.reason} since {_clock(state.failing_since, zone)}"
        + (f", next try {_clock(state.retry_at, zone)}" if state.retry_at else "")
        for name, state in sorted(states.items())
        if state.failing_since is not None
    ]


def explain_silence(
    digest: Digest, states: Mapping[str, SourceState], calendar: Calendar, *, now: datetime, timezone: str
) -> str:
    """Return why nothing was chosen, as one sentence without its end mark."""
    reasons = failures(states, timezone)
    if digest.considered:
        counted = f"{digest.considered:,} new, "
        if digest.seen:
            counted += (
                f"{digest.matched:,} matched, and this place has seen {'all' if digest.seen > 1 else 'it'} before"
            )
        else:
            counted += "none matched"
        return "; ".join([counted, *reasons])
    if not reasons and (expected := calendar.explain(now)):
        return f"no new papers, and no announcement on arXiv today because {expected}"
    return "; ".join(["no new papers", *reasons]) if reasons else "no new papers since the last digest"


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    return "an unknown time" if moment is None else moment.astimezone(zone).strftime("%H:%M")
