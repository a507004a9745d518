"""Hacker News, through Algolia's index of it: the points and comments that stories about papers got.

One query covers every paper of the last days (https://hn.algolia.com/api); none is ever sent for a single paper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import msgspec

from core.errors import SourceError
from core.papers.paper import Record, Signal, arxiv_id
from core.papers.sources import Get, Lane, Newest, Page, Wanted
from core.papers.sources.reading import read_json
from core.settings import Settings

NAME = "hackernews"
LANE = Lane("hackernews", connections=1)
DAYS = 7  # stories gather points for days
MAX_HITS = 1000  # what lies beyond cannot be reached: https://github.com/algolia/hn-search/issues/230
_ARXIV_HOST = re.compile(r"(?i)(https?://)(?:[a-z]+\.)?(arxiv\.org/)")


class _Hit(msgspec.Struct):
    url: str | None = None
    points: float | None = None
    num_comments: float | None = None


class HackerNews:
    """The source `hackernews`: readings only, never a paper of its own."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._url = settings.hackernews.url

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        """Return the one request for the stories of the last days."""
        if not isinstance(wanted, Newest):
            return ()
        since = datetime.combine(wanted.today - timedelta(days=DAYS), time(), UTC)
        params = (
            ("tags", "story"),
            ("query", "arxiv.org"),
            ("restrictSearchableAttributes", "url"),
            ("numericFilters", f"created_at_i>{int(since.timestamp())}"),
            ("hitsPerPage", str(MAX_HITS)),
        )
        return (Get(self.name, "stories", f"{self._url}/search_by_date", LANE, ("application/json",), params),)

    def parse(self, get: Get, body: bytes, *, now: datetime) -> Page:
        """Read the stories; of several about one paper the one with the most points counts."""
        del get
        document = read_json(self.name, body)
        items = document.get("hits") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise SourceError(self.name, "has answered with JSON that holds no stories")
        best: dict[str, _Hit] = {}
        odd: list[str] = []
        for index, item in enumerate(items):
            try:
                hit = msgspec.convert(item, _Hit, strict=False)
            except msgspec.ValidationError as error:
                odd.append(f"Story {index + 1} of Hacker News was left out: {error}.")
                continue
            # The match is fuzzy: only an address that is a paper's counts.
            identifier = arxiv_id(_ARXIV_HOST.sub(r"\1\2", hit.url or ""))
            if identifier and (hit.points or 0) >= (best[identifier].points or 0 if identifier in best else 0):
                best[identifier] = hit
        if len(items) >= MAX_HITS:
            odd.append(f"Hacker News has more than {MAX_HITS} stories about papers; the oldest were not read.")
        return Page(tuple(_record(one, hit, now) for one, hit in best.items()), odd=tuple(odd))

    def instead(self, get: Get, failure: SourceError | None) -> Sequence[Get]:
        """Return nothing: there is no second place to ask."""
        del get, failure
        return ()


def _record(identifier: str, hit: _Hit, now: datetime) -> Record:
    readings = (("points", hit.points), ("comments", hit.num_comments))
    signals = tuple(Signal(name, value, now, NAME) for name, value in readings if value is not None and value >= 0)
    return Record(id=identifier, source=NAME, signals=signals)
