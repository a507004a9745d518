"""The bundled sample: a few real papers, told in our own words, for when no source can be reached.

Titles, authors, identifiers and dates are facts; the summaries were written for paperboy. Whoever shows it marks it
SAMPLE. It is asked for by name only and is never fetched along with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from core.errors import SourceError
from core.papers.paper import Listing, Record, Signal
from core.papers.sources import BUNDLED, Get, Lane, Newest, Page, Wanted
from core.papers.sources.reading import read_instant
from core.settings import Settings

NAME = "sample"
LANE = Lane("bundled")


class _Paper(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: str
    abstract: str
    upvotes: int
    code_url: str = ""
    stars: int | None = None


class _Sample(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    day: date
    papers: tuple[_Paper, ...]


class Sample:
    """The source `sample`."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        del settings

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        """Return the request for the bundled file."""
        if not isinstance(wanted, Newest):
            return ()
        return (Get(self.name, "sample", f"{BUNDLED}sample.json", LANE, ("application/json",)),)

    def parse(self, get: Get, body: bytes, *, now: datetime) -> Page:
        """Read the sample; it is the same at any time, so its readings carry its own day."""
        del get, now
        try:
            sample = msgspec.json.decode(body, type=_Sample)
        except msgspec.DecodeError as error:
            raise SourceError(self.name, f"cannot be read ({error})") from None
        return Page(tuple(_record(paper, sample.day) for paper in sample.papers))

    def instead(self, get: Get, failure: SourceError | None) -> Sequence[Get]:
        """Return nothing: there is no second place to ask."""
        del get, failure
        return ()


def _record(paper: _Paper, day: date) -> Record:
    at = read_instant(day.isoformat())
    assert at is not None
    readings = (("upvotes", paper.upvotes), ("stars", paper.stars))
    return Record(
        id=paper.id,
        source=NAME,
        title=paper.title,
        abstract=paper.abstract,
        authors=paper.authors,
        categories=paper.categories,
        published=read_instant(paper.published),
        code_url=paper.code_url,
        signals=tuple(Signal(name, value, at, NAME) for name, value in readings if value is not None),
        listings=(Listing(NAME, day, "daily"),),
    )
