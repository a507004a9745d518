"""Where papers come from: the Source port, the data that flows through it, and the registry.

A source never talks to the network. It says what to ask as data (`Get`), reads what came back (`parse`), and knows what
to ask instead when that failed. Retrieving is `core/http.py`'s, keeping is `core/papers/ingest.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, TypeAlias

from core.errors import SourceError
from core.papers.paper import Record
from core.settings import Settings

BUNDLED = "bundled:"


@dataclass(frozen=True, slots=True)
class Lane:
    """Requests that have to keep a distance from each other, whatever hosts they go to.

    Attributes:
        name: lanes of one name are one lane.
        min_interval: seconds between the starts of any two requests.
        connections: how many requests may be under way at once.
        pause: seconds to stop after a 429 or 503 that does not say how long; doubled twice when it happens again.
    """

    name: str
    min_interval: float = 0.0
    connections: int = 2
    pause: float = 60.0


@dataclass(frozen=True, slots=True)
class Get:
    """One GET request, as data.

    Attributes:
        source: name of the source that asks.
        what: the kind of question, by which `parse` knows how to read the answer.
        url: address without the query string; `bundled:NAME` is a file that ships in `config/`.
        params: the query string.
        lane: the lane it goes through.
        accepts: content types that count as an answer; anything else, such as HTML with status 200, is a failure.
        statuses: HTTP statuses whose body `parse` can read.
        headers: request headers besides those every request carries.
        deadline: seconds for everything, retries included.
        conditional: whether to ask only for what changed since the answer that was last remembered.
        secret: name of the secret (in `Settings.secrets`) to send as bearer token to this address, and to no other.
        about: what `parse` and `instead` have to know and the far side does not.
    """

    source: str
    what: str
    url: str
    lane: Lane
    accepts: tuple[str, ...]
    params: tuple[tuple[str, str], ...] = ()
    statuses: tuple[int, ...] = (200,)
    headers: tuple[tuple[str, str], ...] = ()
    deadline: float = 20.0
    conditional: bool = False
    secret: str = ""
    about: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str:
        """Return a value of `about` or, where it is not there, of `params`; empty when it is in neither."""
        return dict((*self.params, *self.about)).get(name, "")


@dataclass(frozen=True, slots=True)
class Newest:
    """What a source put before its readers lately.

    Attributes:
        today: the day in UTC; no later day is asked for.
        since: the first day that may not be held yet.
        categories: arXiv categories, for sources that have them; `cs.*` and `cs` mean the whole archive.
    """

    today: date
    since: date
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """Works by their ids (versionless)."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """The best `limit` works for plain words."""

    text: str
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Backfill:
    """Batches that were missed, from the day `since` to the day `until`, both included."""

    since: date
    until: date
    categories: tuple[str, ...] = ()


Wanted: TypeAlias = Newest | Lookup | Find | Backfill


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer held.

    Attributes:
        records: what it says of works.
        follow: what to ask next: further pages, or what a list only names.
        odd: what looked wrong and did no harm, one sentence each.
    """

    records: tuple[Record, ...] = ()
    follow: tuple[Get, ...] = ()
    odd: tuple[str, ...] = ()


class Source(Protocol):
    """A place that knows papers. Everything here is pure."""

    @property
    def name(self) -> str:
        """The name under which it is registered."""

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        """Return the requests that answer `wanted`; none when this source cannot."""

    def parse(self, get: Get, body: bytes, *, now: datetime) -> Page:
        """Read the answer to a request, taken at `now` (aware, UTC); SourceError when it is not one."""

    def instead(self, get: Get, failure: SourceError | None) -> Sequence[Get]:
        """Return what to ask when a request failed, or (failure is None) brought nothing that was new."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A source in the registry: what people call it, and its class as `module:Class`.

    The class is made with `Settings`, of which it takes what is its own.
    """

    label: str
    place: str


SOURCES: Mapping[str, Registered] = MappingProxyType(
    {
        "huggingface": Registered("Hugging Face", "core.papers.sources.huggingface:HuggingFace"),
        "arxiv": Registered("arXiv", "core.papers.sources.arxiv:Arxiv"),
        "hackernews": Registered("Hacker News", "core.papers.sources.hackernews:HackerNews"),
        "sample": Registered("the bundled sample", "core.papers.sources.sample:Sample"),
    }
)


def create_source(name: str, settings: Settings) -> Source:
    """Make a registered source."""
    module, _, name_of_class = SOURCES[name].place.partition(":")
    source: Source = getattr(import_module(module), name_of_class)(settings)
    return source


def enabled_sources(settings: Settings) -> tuple[str, ...]:
    """Return names of the sources that are switched on (`[NAME] enabled`), in order; never the sample."""
    return tuple(name for name in SOURCES if getattr(getattr(settings, name, None), "enabled", False))


def create_sources(settings: Settings) -> tuple[Source, ...]:
    """Make the sources that are switched on."""
    return tuple(create_source(name, settings) for name in enabled_sources(settings))
