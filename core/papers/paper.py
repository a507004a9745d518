"""What a paper is: identity, the record one source holds of it, and the one Paper that all records make.

Two records are the same work when their `id` is equal. An arXiv paper's id is the bare identifier without its version
(`2310.01234`, `math.GT/0309136`); any other work is named `prefix:rest` (`scifact:4983`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

NEW_STYLE = r"\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}"
OLD_STYLE = r"[a-z][a-z-]*(?:\.[A-Za-z]{2})?/\d{2}(?:0[1-9]|1[0-2])\d{3}"
_ARXIV_ID = re.compile(rf"(?P<id>{NEW_STYLE}|{OLD_STYLE})(?P<version>v[1-9]\d*)?")
# Addresses under which people paste a paper: abstract pages, PDFs, Hugging Face, alphaXiv, DOIs, OAI identifiers.
_WRAPPED_ID = re.compile(
    rf"(?:(?:https?://)?(?:www\.|export\.)?(?:arxiv\.org/(?:abs|pdf|html|format)/|alphaxiv\.org/abs/"
    rf"|huggingface\.co/papers/|hf\.co/papers/|(?:dx\.)?doi\.org/10\.48550/arxiv\.)"
    rf"|doi:\s*10\.48550/arxiv\.|10\.48550/arxiv\.|oai:arxiv\.org:|arxiv:\s*|arxiv\s+)?"
    rf"(?P<id>{NEW_STYLE}|{OLD_STYLE})(?:v[1-9]\d*)?(?:\.pdf)?/?(?:[?#]\S*)?",
    re.IGNORECASE,
)
_FOREIGN_ID = re.compile(r"[a-z][a-z0-9_.-]*:(?!//)\S{1,200}")


@dataclass(frozen=True, slots=True)
class Signal:
    """One dated reading of interest in a paper, never overwritten by a later one.

    Attributes:
        name: `upvotes`, `comments`, `stars`, `trending_rank` (1 is best) or `points`.
        value: the reading, a count or a rank.
        at: when it was read (aware, UTC).
        source: who was asked.
    """

    name: str
    value: float
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Listing:
    """That a source put a paper before its readers: what makes it a candidate for digests.

    Attributes:
        source: name of the source.
        day: the day of the list or batch, as the source counts days.
        kind: `new` or `cross` (arXiv announcements), `daily` (Hugging Face's list).
    """

    source: str
    day: date
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What can be said of a work; empty means that nobody said it.

    Attributes:
        categories: arXiv categories, the primary one first.
        published: when its first version was submitted (aware).
        updated: when the version at hand was submitted (aware).
        version: number of that version.
        code_url: address of its code, https.
        ai_summary: a summary written by a model; shown only as such.
        withdrawn: whether the work was withdrawn.
    """

    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    version: int | None = None
    comment: str = ""
    journal_ref: str = ""
    doi: str = ""
    license: str = ""
    code_url: str = ""
    project_url: str = ""
    ai_summary: str = ""
    keywords: tuple[str, ...] = ()
    withdrawn: bool = False
    signals: tuple[Signal, ...] = ()
    listings: tuple[Listing, ...] = ()


@dataclass(frozen=True, slots=True)
class Record(Description):
    """What one source says of one work.

    Attributes:
        id: the work's id, versionless.
        source: name of the source.
        signals: readings taken together with this record.
        listings: lists and batches on which the record was found.
    """

    id: str
    source: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Paper(Description):
    """One work as paperboy knows it, merged from all records (see `merge.py`).

    Attributes:
        sources: names of the sources that hold it, in order of first sight.
        signals: its readings, oldest first (as many as the caller asked the library for).
        listings: where it was put before readers, oldest first.
        first_seen: when the library first held it (aware, UTC).
    """

    id: str
    title: str
    sources: tuple[str, ...] = ()
    first_seen: datetime | None = None

    def latest(self, name: str) -> float | None:
        """Return the newest reading of a signal, or None where it was never read."""
        return next((signal.value for signal in reversed(self.signals) if signal.name == name), None)

    @property
    def is_arxiv(self) -> bool:
        """Whether the id is an arXiv identifier."""
        return _ARXIV_ID.fullmatch(self.id) is not None


def arxiv_id(text: str) -> str | None:
    """Return the versionless arXiv id that the whole of `text` names (id, DOI, address), or None."""
    match = _WRAPPED_ID.fullmatch(text.strip())
    return _canonical(match["id"]) if match else None


def paper_id(text: str) -> str | None:
    """Return the paper id that the whole of `text` names: an arXiv id in any wrapping, or `prefix:rest`; else None."""
    return arxiv_id(text) or (text.strip() if _FOREIGN_ID.fullmatch(text.strip()) else None)


def split_version(identifier: str) -> tuple[str, int | None]:
    """Split `2310.01234v2` into (`2310.01234`, 2); the version is None where there is none.

    Raises:
        ValueError: this is not an arXiv identifier.
    """
    match = _ARXIV_ID.fullmatch(identifier.strip())
    if match is None:
        raise ValueError(f"{identifier!r} is not an arXiv identifier")
    return match["id"], int(match["version"][1:]) if match["version"] else None


def _canonical(identifier: str) -> str:
    if "/" not in identifier:
        return identifier
    archive, number = identifier.split("/")
    archive, dot, subject = archive.partition(".")
    return f"{archive.lower()}{dot}{subject.upper()}/{number}"
