"""Papers that somebody saved or liked: the sources are asked about each once a week, for a year.

Lists tell of new papers only. That one was withdrawn, was published in a journal or has code now is known to whoever
asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from core.papers.paper import arxiv_id
from core.papers.sources import Lookup

ASKED_EVERY = timedelta(days=7)
FOLLOWED_FOR = timedelta(days=365)
AT_ONCE = 50
_FACT = "asked_what_became_of"


class Facts(Protocol):
    """Where small named texts are kept; the library is one."""

    async def fact(self, name: str) -> str | None:
        """Return a fact, or None."""

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a fact."""


async def plan_following(facts: Facts, kept: Iterable[tuple[str, datetime]], now: datetime) -> Lookup | None:
    """Return the look-up of kept papers that were not asked for this week, longest kept first, or None.

    Args:
        facts: what was asked before.
        kept: (id, since when) of the papers that are followed.
        now: the instant.
    """
    asked = await _asked(facts, now)
    young = sorted((at, paper) for paper, at in kept if at > now - FOLLOWED_FOR and arxiv_id(paper))
    wanted = [paper for paper in dict.fromkeys(paper for _, paper in young) if paper not in asked]
    return Lookup(tuple(wanted[:AT_ONCE])) if wanted else None


async def note_following(facts: Facts, lookup: Lookup, now: datetime) -> None:
    """Remember that a look-up was answered."""
    kept = {**await _asked(facts, now), **dict.fromkeys(lookup.ids, now.date().isoformat())}
    await facts.set_fact(_FACT, msgspec.json.encode(kept).decode())


async def _asked(facts: Facts, now: datetime) -> Mapping[str, str]:
    """Return the papers that were asked for in the last week, each with the day."""
    kept = await facts.fact(_FACT)
    oldest = (now - ASKED_EVERY).date().isoformat()
    asked = msgspec.json.decode(kept, type=dict[str, str]) if kept else {}
    return {paper: day for paper, day in asked.items() if day > oldest}
