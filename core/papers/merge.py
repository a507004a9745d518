"""Several records of one work -> one Paper.

Within one source the newer record's values win, and an empty value erases nothing: a feed that carries no comment keeps
the one that the API gave, and a record of an older version fills gaps only. Between sources the table below decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from core.papers.paper import Listing, Paper, Record, Signal

_ARXIV_FIRST = ("arxiv", "huggingface", "import")
_COMMUNITY_FIRST = ("huggingface", "import", "arxiv")

# Which source wins which field; sources that a row does not name follow in order of first sight.
PRECEDENCE: Mapping[str, Sequence[str]] = {
    "title": _ARXIV_FIRST,
    "abstract": _ARXIV_FIRST,
    "authors": _ARXIV_FIRST,
    "categories": _ARXIV_FIRST,
    "published": _ARXIV_FIRST,
    "updated": _ARXIV_FIRST,
    "version": _ARXIV_FIRST,
    "comment": _ARXIV_FIRST,
    "journal_ref": _ARXIV_FIRST,
    "doi": _ARXIV_FIRST,
    "license": _ARXIV_FIRST,
    "code_url": _COMMUNITY_FIRST,
    "project_url": _COMMUNITY_FIRST,
    "ai_summary": _COMMUNITY_FIRST,
    "keywords": _COMMUNITY_FIRST,
}
_REPLACEMENTS = ("replace", "replace-cross")
_SAID = [
    field.name for field in fields(Record) if field.name not in {"id", "source", "withdrawn", "signals", "listings"}
]


def merge_same_source(held: Record, fresh: Record) -> Record:
    """Merge what a source said before with what it says now; signals and listings of both are kept."""
    first, second = (held, fresh) if is_older(fresh, held) else (fresh, held)
    values: dict[str, Any] = {name: getattr(first, name) or getattr(second, name) for name in _SAID}
    return replace(
        held,
        **values,
        withdrawn=first.withdrawn or (second.withdrawn and not _is_later_version(first, second)),
        signals=tuple(dict.fromkeys((*held.signals, *fresh.signals))),
        listings=tuple(dict.fromkeys((*held.listings, *fresh.listings))),
    )


def is_older(one: Record, other: Record) -> bool:
    """Whether `one` speaks of an earlier version than `other`, as far as both say."""
    if one.version and other.version and one.version != other.version:
        return one.version < other.version
    return bool(one.updated and other.updated and one.updated < other.updated)


def _is_later_version(one: Record, other: Record) -> bool:
    return bool(one.version and other.version and one.version > other.version)


def merge_records(records: Iterable[Record], *, first_seen: datetime | None = None) -> Paper:
    """Merge all records of one work, given in order of first sight, into its Paper.

    Raises:
        ValueError: there are no records, or they are of different works.
    """
    by_source: dict[str, Record] = {}
    for record in records:
        held = by_source.get(record.source)
        by_source[record.source] = merge_same_source(held, record) if held else record
    if len({record.id for record in by_source.values()}) != 1:
        raise ValueError("records of exactly one work are needed")
    values: dict[str, Any] = {name: _winning_value(name, by_source) for name in PRECEDENCE}
    return Paper(
        id=next(iter(by_source.values())).id,
        **values,
        withdrawn=any(record.withdrawn for record in by_source.values()),
        sources=tuple(by_source),
        signals=order_signals(signal for record in by_source.values() for signal in record.signals),
        listings=order_listings(listing for record in by_source.values() for listing in record.listings),
        first_seen=first_seen,
    )


def _winning_value(name: str, by_source: Mapping[str, Record]) -> Any:
    ranked = [source for source in PRECEDENCE[name] if source in by_source]
    ranked += [source for source in by_source if source not in ranked]
    values = [getattr(by_source[source], name) for source in ranked]
    return next((value for value in values if value), values[-1])


def order_signals(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Return readings oldest first; of one source's readings of a name in one hour only the last is kept."""
    kept = {}
    for signal in sorted(signals, key=lambda signal: signal.at):
        kept[signal.name, signal.source, signal.at.replace(minute=0, second=0, microsecond=0)] = signal
    return tuple(sorted(kept.values(), key=lambda signal: signal.at))


def order_listings(listings: Iterable[Listing]) -> tuple[Listing, ...]:
    """Return each source's first listing, oldest first; replacements list nothing, `new` beats `cross` on one day."""
    kept: dict[str, Listing] = {}
    for listing in sorted(listings, key=lambda listing: (listing.day, listing.kind == "cross")):
        if listing.kind not in _REPLACEMENTS:
            kept.setdefault(listing.source, listing)
    return tuple(sorted(kept.values(), key=lambda listing: listing.day))
