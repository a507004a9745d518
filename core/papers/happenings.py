"""What happens to a work after it is known: a new version, withdrawn, published somewhere, code released.

Only what a source says anew counts: it had spoken of the work before, without this, and the work has been known for a
day. What a second source, or a look-up in the first hours, adds to a description was there all along.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from core.papers.paper import Record

KNOWN_FOR = timedelta(days=1)
LONGEST_DETAIL = 80
# How authors tell it in arXiv's comments: "Accepted at ICML 2026 (oral), 12 pages", "To appear in JMLR".
_ACCEPTED = re.compile(r"\b(?:accepted|to appear|published|camera[- ]ready)\b[^.;,()]*", re.IGNORECASE)


class Kind(StrEnum):
    """What can happen."""

    WITHDRAWN = "withdrawn"
    VERSION = "version"
    PUBLISHED = "published"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Happening:
    """That something happened to a work.

    Attributes:
        paper: its id.
        kind: what.
        detail: the number of the version, the journal, DOI or clause about acceptance, the address of the code.
        at: when the library learned of it (aware, UTC).
    """

    paper: str
    kind: Kind
    detail: str
    at: datetime

    @property
    def name(self) -> str:
        """What tells it from all others of its work, so that it is told once."""
        return f"{self.paper} {self.kind} {self.detail}"


def find_happenings(held: Mapping[str, Record], fresh: Mapping[str, Record]) -> Iterator[tuple[Kind, str]]:
    """Yield what happened between what the sources said of a work before and what they say now, each by source name."""
    found = dict.fromkeys(
        one for source, now in fresh.items() if source in held for one in _in_record(held[source], now, held)
    )
    kinds = {kind for kind, _ in found}
    # A work is withdrawn by a new version that says so, and that is one piece of news.
    return (one for one in found if not (one[0] is Kind.VERSION and Kind.WITHDRAWN in kinds))


def _in_record(before: Record, now: Record, held: Mapping[str, Record]) -> Iterator[tuple[Kind, str]]:
    if now.withdrawn and not any(record.withdrawn for record in held.values()):
        yield Kind.WITHDRAWN, ""
    if before.version and now.version and now.version > before.version:
        yield Kind.VERSION, str(now.version)
    if place := _published(before, now, held):
        yield Kind.PUBLISHED, place
    if now.code_url and not any(record.code_url for record in held.values()):
        yield Kind.CODE, now.code_url


def _published(before: Record, now: Record, held: Mapping[str, Record]) -> str:
    """Return where a work is published now, where nobody said that before."""
    known = any(record.journal_ref or record.doi for record in held.values())
    told = [place for place in (now.journal_ref, now.doi) if place and not known]
    if not told and _accepted(now.comment) and not _accepted(before.comment) and not known:
        told = [_accepted(now.comment)]
    return told[0][:LONGEST_DETAIL] if told else ""


def _accepted(comment: str) -> str:
    found = _ACCEPTED.search(comment)
    return " ".join(found[0].split()) if found else ""


def write_happenings(
    connection: sqlite3.Connection, number: int, happened: Iterable[tuple[Kind, str]], now: datetime
) -> None:
    """Note what happened to a paper of the library that has been known for a day; each once."""
    rows = list(happened)
    if not rows:
        return
    (seen,) = connection.execute("SELECT first_seen FROM papers WHERE number = ?", (number,)).fetchone()
    if now - datetime.fromisoformat(seen) >= KNOWN_FOR:
        at = now.astimezone(UTC).isoformat(timespec="seconds")
        connection.executemany(
            "INSERT INTO happenings (paper, kind, detail, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [(number, kind.value, detail, at) for kind, detail in rows],
        )


def read_happenings(
    connection: sqlite3.Connection, *, since: datetime, papers: Sequence[str] | None = None
) -> tuple[Happening, ...]:
    """Return what happened since then, oldest first; to these papers, or to any."""
    query = (
        "SELECT p.id, h.kind, h.detail, h.at FROM happenings h JOIN papers p ON p.number = h.paper WHERE h.at >= ?1"
        " AND (?2 IS NULL OR p.id IN (SELECT value FROM json_each(?2))) ORDER BY h.at, h.rowid"
    )
    wanted = None if papers is None else json.dumps(list(papers))
    rows = connection.execute(query, (since.astimezone(UTC).isoformat(timespec="seconds"), wanted))
    return tuple(Happening(paper, Kind(kind), detail, datetime.fromisoformat(at)) for paper, kind, detail, at in rows)
