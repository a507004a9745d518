"""The announced days that relevance is measured on, and a library of them through which the product is asked."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tomllib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from core.digests.digest import Order, compose
from core.digests.slate import Slates
from core.digests.taste import NOTHING, Taste
from core.papers.library import Library, migrate
from core.papers.paper import Listing, Record
from core.papers.tokens import tokens
from core.papers.windows import OnDay
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.obtain import CachedModels
from core.search.query import parse_words
from core.search.stems import is_stop_word, stem
from core.settings import read_settings

LEAST_A_DAY = 50
ENOUGH_PAPERS = 30
TOP = 10
LIBRARY = "library.sqlite3"


@dataclass(frozen=True)
class Announced:
    """One paper of a day; `category` is what methods are not told."""

    id: str
    title: str
    abstract: str
    category: str
    day: date

    @property
    def text(self) -> str:
        return f"{self.title} {self.abstract}"

    @cached_property
    def title_stems(self) -> frozenset[str]:
        return stems_of(self.title)

    @cached_property
    def stems(self) -> frozenset[str]:
        return stems_of(self.text)


def stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(token) for token in tokens(text) if len(token) > 3 and not is_stop_word(token))


def read_announced(path: Path, days: int) -> list[Announced]:
    """Return the papers of the newest days that have enough of them, oldest day first."""
    packed = path.suffix == ".gz"
    by_day: dict[date, dict[str, Announced]] = defaultdict(dict)
    with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if not record.get("list_date") or not record.get("categories") or not record.get("title"):
                continue
            day = date.fromisoformat(record["list_date"][:10])
            kinds = record["categories"]
            first = (kinds.split() if isinstance(kinds, str) else kinds)[0]
            abstract = record.get("abstract") or ""
            by_day[day][record["id"]] = Announced(record["id"], record["title"], abstract, first, day)
    chosen = sorted(day for day, papers in by_day.items() if len(papers) >= LEAST_A_DAY)[-days:]
    return [by_day[day][identifier] for day in chosen for identifier in sorted(by_day[day])]


def read_names() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "arxiv_categories.toml").read_text(encoding="utf-8"))["names"]


@dataclass
class Days:
    """The days in a library of their own.

    Attributes:
        words_only: an engine that does without meaning.
    """

    papers: Sequence[Announced]
    library: Library
    engine: Engine
    words_only: Engine
    vectors: Mapping[str, np.ndarray]
    slates: Slates = field(default_factory=Slates)

    @cached_property
    def by_day(self) -> dict[date, list[Announced]]:
        found: dict[date, list[Announced]] = defaultdict(list)
        for paper in self.papers:
            found[paper.day].append(paper)
        return dict(sorted(found.items()))

    @cached_property
    def categories(self) -> list[str]:
        """Those with enough papers, that have a name."""
        names = read_names()
        counts = Counter(paper.category for paper in self.papers)
        return sorted(category for category, count in counts.items() if count >= ENOUGH_PAPERS and category in names)

    async def digest(
        self, interests: str, day: date, *, taste: Taste = NOTHING, varied: bool = True, top: int = TOP
    ) -> list[str]:
        """Return the ids of the product's digest of a day, best first."""
        order = Order(parse_words(interests), OnDay(day), top, taste=taste, varied=varied)
        made = await compose(order, engine=self.engine, library=self.library, slates=self.slates)
        return [item.ranked.paper.id for item in made.chosen]

    async def search_by_words(self, interests: str) -> list[str]:
        """Return ids as the product's word search ranks the whole library."""
        found = await self.words_only.search(parse_words(interests), limit=len(self.papers))
        return [hit.paper.id for hit in found.hits]


@asynccontextmanager
async def open_days(papers: Sequence[Announced], folder: Path, tell) -> AsyncIterator[Days]:
    """Put the papers into a library, have it read for meaning, and open it; what `folder` holds already is used."""
    name = hashlib.sha256("\n".join(f"{p.id} {p.day}" for p in papers).encode()).hexdigest()[:12]
    home = folder / f"days-{name}"
    models = CachedModels(read_settings(os.environ))
    if (home / LIBRARY).exists():  # kept by an earlier run, perhaps of an earlier version
        migrate(home / LIBRARY)
    library = await Library.open(home / LIBRARY)
    reader = Reader(library, models)
    try:
        if await library.count() != len({paper.id for paper in papers}):
            await library.ingest([_record(paper) for paper in papers], now=datetime.now(UTC))
        await reader.read_missing(lambda done, left: tell(f"{done} of {left} papers read for meaning"))
        meaning = Meaning(library.path, models)
        vectors = await library.read(lambda connection: _vectors(connection, meaning))
        yield Days(papers, library, Engine(library, meaning), Engine(library), vectors)
    finally:
        await reader.close()
        await library.close()


def _record(paper: Announced) -> Record:
    """A paper as the product sees it here: without its categories, which are the answer."""
    published = datetime.combine(paper.day, datetime.min.time(), UTC)
    listing = Listing("arxiv", paper.day, "new")
    return Record(
        paper.id, "arxiv", title=paper.title, abstract=paper.abstract, published=published, listings=(listing,)
    )


def _vectors(connection, meaning: Meaning) -> dict[str, np.ndarray]:
    known = meaning.open()
    assert known is not None, meaning.missing
    numbers = connection.execute("SELECT number, id FROM papers").fetchall()
    return {identifier: known.matrix.vector(number) for number, identifier in numbers}
