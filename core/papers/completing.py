"""Papers that a list named without their categories: arXiv is asked for them once, many at a time.

Hugging Face's lists carry no categories, so `cat:` could not match a paper that arXiv's feeds have not brought (it was
announced before paperboy began, or in a category that is not fetched).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

import msgspec

from core.papers.paper import arxiv_id
from core.papers.sources import Lookup

LISTED_WITHIN = timedelta(days=7)
AT_ONCE = 200
_FACT = "asked_for_categories"


class Lists(Protocol):
    """What is needed of the library."""

    async def without_categories(self, since: date) -> Sequence[str]:
        """Return ids of papers listed since a day whose categories are not known."""

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""


async def plan_completion(library: Lists, now: datetime) -> Lookup | None:
    """Return the look-up of papers without categories that was not made yet, or None; call `note_completion` after."""
    known = await _asked(library)
    missing = await library.without_categories((now - LISTED_WITHIN).date())
    wanted = tuple(identifier for identifier in missing if identifier not in known and arxiv_id(identifier))
    return Lookup(wanted[:AT_ONCE]) if wanted else None


async def note_completion(library: Lists, lookup: Lookup, now: datetime) -> None:
    """Remember that a look-up was answered: what arXiv did not know today is not asked for again this week."""
    oldest = (now - LISTED_WITHIN).date().isoformat()
    kept = {identifier: day for identifier, day in (await _asked(library)).items() if day >= oldest}
    kept |= dict.fromkeys(lookup.ids, now.date().isoformat())
    await library.set_fact(_FACT, msgspec.json.encode(kept).decode())


async def _asked(library: Lists) -> Mapping[str, str]:
    kept = await library.fact(_FACT)
    return msgspec.json.decode(kept, type=dict[str, str]) if kept else {}
