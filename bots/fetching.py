"""Fetching as the commands and the service do it: which sources, what is wanted, what is said afterwards."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.clock import Clock
from core.digests.silence import failures, source_label
from core.errors import QueryError, UsageError
from core.papers.calendar import Calendar
from core.papers.completing import note_completion, plan_completion
from core.papers.following import note_following, plan_following
from core.papers.ingest import Outcome, Progress, fetch
from core.papers.library import Library
from core.papers.plan import plan_fetch, source_states
from core.papers.sources import Newest, Source, create_source, create_sources, enabled_sources
from core.search.query import parse
from core.settings import Settings
from core.store import Store

if TYPE_CHECKING:
    from core.http import Http

SAMPLE = "sample"
COMPLETES = "arxiv"
FOLLOWS = ("arxiv", "huggingface")


class Fetcher:
    """Asks the sources for what the library lacks. Only the owner of the data folder fetches, so that arXiv sees one.

    Attributes:
        runs: how many runs have ended.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        library: Library,
        store: Store,
        calendar: Calendar,
        clock: Clock,
        http: Http | None = None,
    ) -> None:
        self._shared = http
        self._settings = settings
        self._library = library
        self._store = store
        self._calendar = calendar
        self._clock = clock
        self.runs = 0
        self._begun_at: datetime | None = None

    async def fetch(
        self, *, only: str | None = None, since: date | None = None, progress: Progress = lambda *_: None
    ) -> tuple[Outcome, ...]:
        """Ask every source that is switched on, or one.

        Raises:
            UsageError: there is no such source, or it is switched off.
            LibraryError: the library cannot keep what came.
        """
        self._begun_at = self._clock()
        sources = create_sources(self._settings)
        if only is not None:
            sources = tuple(source for source in sources if source.name == only)
            if not sources:
                raise UsageError(f"{only!r} is not a source that is switched on.", hint=_known_sources(self._settings))
        plan = plan_fetch(
            self._settings,
            await self._categories(),
            await source_states(self._library),
            self._calendar,
            now=self._clock(),
            since=since,
        )
        from core.http import Http  # noqa: PLC0415 - what only reads loads no web client

        http = self._shared or Http(
            self._settings, self._library, clock=self._clock, random=random.SystemRandom().random
        )
        try:
            outcomes = await fetch(
                sources, plan, http=http, library=self._library, clock=self._clock, progress=progress
            )
            await self._complete([source for source in sources if source.name == COMPLETES], http)
            if only is None:
                await self._follow([source for source in sources if source.name in FOLLOWS], http)
        finally:
            self.runs += 1
            if http is not self._shared:
                await http.close()
        return outcomes

    async def _complete(self, sources: Sequence[Source], http: Http) -> None:
        """Ask for the categories of papers that a list named without them."""
        states = await source_states(self._library)
        lookup = await plan_completion(self._library, self._clock())
        if lookup is None or not sources or states[COMPLETES].failing_since is not None:
            return
        (outcome,) = await fetch(sources, {COMPLETES: (lookup,)}, http=http, library=self._library, clock=self._clock)
        if outcome.failure is None:
            await note_completion(self._library, lookup, self._clock())

    async def _follow(self, sources: Sequence[Source], http: Http) -> None:
        """Ask what became of papers that somebody saved or liked."""
        states = await source_states(self._library)
        answering = [source for source in sources if states[source.name].failing_since is None]
        kept = [(mark.paper, mark.at) for mark in await self._store.marks() if mark.kind != "down"]
        lookup = await plan_following(self._library, kept, self._clock())
        if lookup is None or not answering:
            return
        wanted = {source.name: (lookup,) for source in answering}
        outcomes = await fetch(answering, wanted, http=http, library=self._library, clock=self._clock)
        if all(outcome.failure is None for outcome in outcomes):
            await note_following(self._library, lookup, self._clock())

    def is_older_than(self, age: timedelta) -> bool:
        """Whether the last run of this process began longer ago than that, or there was none."""
        return _is_older(self._begun_at, self._clock() - age)

    async def is_stale(self) -> bool:
        """Whether some source has not been asked for as long as the service would wait."""
        oldest = self._clock() - timedelta(minutes=self._settings.fetch.every_minutes)
        states = await source_states(self._library)
        asked = [(states[name].ok_at, states[name].retry_at) for name in enabled_sources(self._settings)]
        return any(_is_older(ok_at, oldest) and not _is_later(retry_at, self._clock()) for ok_at, retry_at in asked)

    async def _categories(self) -> Collection[str]:
        """Return the arXiv categories that subscriptions name: they are fetched besides those of the settings."""
        named: dict[str, None] = {}
        for subscription in await self._store.subscriptions():
            with suppress(QueryError):
                named |= dict.fromkeys(parse(subscription.interests).categories)
        return named


def _is_older(moment: datetime | None, than: datetime) -> bool:
    return moment is None or moment < than


def _is_later(moment: datetime | None, than: datetime) -> bool:
    return moment is not None and moment > than


def _known_sources(settings: Settings) -> str:
    return "There are: " + ", ".join(enabled_sources(settings)) + "."


async def current_failures(library: Library, settings: Settings) -> Sequence[str]:
    """Return one clause for each source that is switched on and does not answer now."""
    states = await source_states(library)
    enabled = {name: states[name] for name in enabled_sources(settings)}
    return failures(enabled, settings.digest.timezone)


async def load_sample(settings: Settings, library: Library, clock: Clock) -> None:
    """Put the bundled sample into a library of its own."""
    now = clock()
    from core.http import Http  # noqa: PLC0415 - what only reads loads no web client

    http = Http(settings, library, clock=clock, random=random.SystemRandom().random)
    try:
        wanted = {SAMPLE: (Newest(now.date(), now.date()),)}
        await fetch([create_source(SAMPLE, settings)], wanted, http=http, library=library, clock=clock)
    finally:
        await http.close()


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as `1 paper` or `1,200 papers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def outcome_line(outcome: Outcome, settings: Settings) -> str:
    """Return one line: what a source brought, or why nothing."""
    label = source_label(outcome.source)
    counts = f"{counted(outcome.seen, 'paper')} read, {outcome.new:,} new, {outcome.listed:,} newly listed"
    if outcome.failure is None:
        return f"{label}: {counts}" + (", nothing changed since the last time" * (not outcome.seen))
    retry = outcome.failure.retry_at
    again = f"; next try after {retry.astimezone(ZoneInfo(settings.digest.timezone)):%H:%M}" if retry else ""
    return f"{label} {outcome.failure.reason}{again} ({counts})"


def odd_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what looked wrong and did no harm."""
    return (f"{source_label(outcome.source)}: {sentence}" for sentence in outcome.odd)
