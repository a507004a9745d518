"""From the sources into the library: asks every one, keeps what comes page by page, remembers how each one stands.

What holds, whatever happens:

1. Papers and failures stand side by side; one bad source never stops the others.
2. A page is in the library before anything that depends on it is asked or remembered.
3. An empty, stale or failed answer never closes a day: `newest_day` moves only with papers that were new.
4. A batch that was missed stays wanted until it was fetched whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol, TypeAlias

import msgspec

from core.clock import Clock
from core.errors import LibraryError, SourceError
from core.http import Answer
from core.papers.calendar import Calendar
from core.papers.paper import Record
from core.papers.sources import SOURCES, Backfill, Get, Newest, Page, Source, Wanted
from core.settings import Settings

MAX_GAP = timedelta(days=31)
log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told after each request: name of the source, requests answered so far, requests known so far."""


class Ingested(Protocol):
    """What the library made of records."""

    @property
    def seen(self) -> int:
        """How many works they were."""

    @property
    def new(self) -> int:
        """How many of them the library did not hold."""

    @property
    def listed(self) -> int:
        """How many of them this source listed for the first time."""


class Shelf(Protocol):
    """What is needed of the library."""

    async def ingest(self, records: Sequence[Record], *, now: datetime) -> Ingested:
        """Merge records into the library."""

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""


class Retriever(Protocol):
    """What is needed of `core.http.Http`."""

    async def get(self, get: Get) -> Answer:
        """Ask; SourceError."""

    async def remember(self, answer: Answer) -> None:
        """Keep an answer's validators."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source stands, kept over restarts. Instants are aware and in UTC.

    Attributes:
        source: its name.
        ok_at: when everything that was asked of it was last answered.
        failing_since: since when that has not been so; None when it is.
        reason: a clause that fits behind its name, as "has answered 429".
        retry_at: when it may be asked again, where that is known.
        newest_day: the newest day of which it listed a paper that was new.
        missing_since: the first day whose batch was missed and has not been fetched yet.
        empty: the last time it answered, and listed nothing at all.
    """

    source: str
    ok_at: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""
    retry_at: datetime | None = None
    newest_day: date | None = None
    missing_since: date | None = None
    empty: bool = False


@dataclass(slots=True)
class Outcome:
    """What one run brought from one source.

    Attributes:
        source: its name.
        seen: records that were read.
        new: works that the library did not hold.
        listed: works that this source listed for the first time.
        unchanged: answers that said that nothing changed.
        failure: the first failure for which there was no other way.
        odd: what looked wrong and did no harm, one sentence each.
        newest_day: the newest day of which it listed a paper that was new.
    """

    source: str
    seen: int = 0
    new: int = 0
    listed: int = 0
    unchanged: int = 0
    failure: SourceError | None = None
    odd: list[str] = field(default_factory=list)
    newest_day: date | None = None


async def source_states(library: Shelf) -> Mapping[str, SourceState]:
    """Return how each registered source stands."""
    return {name: await _read_state(library, name) for name in SOURCES}


def plan_fetch(
    settings: Settings,
    categories: Iterable[str],
    states: Mapping[str, SourceState],
    calendar: Calendar,
    *,
    now: datetime,
    since: date | None = None,
) -> Mapping[str, tuple[Wanted, ...]]:
    """Return what is wanted of each registered source.

    The first time, as far back as `huggingface.days_back` says; afterwards from the day before its last success, so
    that readings of yesterday's papers go on and gaps are closed. arXiv's feeds hold one batch only: batches missed in
    between are wanted besides.

    Args:
        settings: for the categories and how far to go back.
        categories: arXiv categories that subscriptions name besides.
        states: how the sources stand.
        calendar: arXiv's.
        now: the instant.
        since: fetch from this day on, whatever is held already.
    """
    wanted = tuple(dict.fromkeys((*settings.arxiv.categories, *categories)))
    today = now.date()
    plan: dict[str, tuple[Wanted, ...]] = {}
    for name in SOURCES:
        state = states.get(name, SourceState(name))
        if name == "arxiv":
            plan[name] = _plan_arxiv(wanted, state, calendar, now, since)
        else:
            plan[name] = (Newest(today, since or _reach_back(state, settings.huggingface.days_back, today), wanted),)
    return plan


def _reach_back(state: SourceState, days_back: int, today: date) -> date:
    if state.ok_at is None:
        return today - timedelta(days=days_back)
    return max(state.ok_at.date() - timedelta(days=1), today - MAX_GAP)


def _plan_arxiv(
    categories: tuple[str, ...], state: SourceState, calendar: Calendar, now: datetime, since: date | None
) -> tuple[Wanted, ...]:
    today, batch = now.date(), calendar.newest_batch(now)
    held = state.newest_day or today - timedelta(days=7)
    newest = Newest(today, today if held >= batch else held, categories)
    missed = since or state.missing_since
    if missed is None and state.newest_day is not None and calendar.batches_between(state.newest_day, batch):
        missed = state.newest_day + timedelta(days=1)
    if missed is None or missed >= batch:
        return (newest,)
    return (newest, Backfill(since or max(missed, today - MAX_GAP), today, categories))


async def fetch(
    sources: Sequence[Source],
    wanted: Mapping[str, Sequence[Wanted]],
    *,
    http: Retriever,
    library: Shelf,
    clock: Clock,
    progress: Progress = lambda *_: None,
) -> tuple[Outcome, ...]:
    """Ask every source what is wanted of it, all at once (each lane orders itself), and keep what comes.

    Raises:
        LibraryError: the library cannot keep it; everything else that goes wrong is in the outcomes.
    """
    runs = [_Run(source, wanted.get(source.name, ()), http, library, clock, progress) for source in sources]
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                for wish, get in run.roots:
                    group.create_task(run.pursue(wish, get))
    except ExceptionGroup as failures:
        if (unkept := failures.subgroup(LibraryError)) is not None:
            raise unkept.exceptions[0] from None
        raise
    for run in runs:
        await run.keep_state()
    return tuple(run.outcome for run in runs)


class _Run:
    """One source in one run: its requests, what they brought, what that means for its state."""

    def __init__(
        self,
        source: Source,
        wanted: Sequence[Wanted],
        http: Retriever,
        library: Shelf,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self.outcome = Outcome(source.name)
        self.roots = [(wish, get) for wish in wanted for get in source.ask(wish)]
        self._source = source
        self._wanted = tuple(wanted)
        self._http = http
        self._library = library
        self._clock = clock
        self._progress = progress
        self._known, self._done = len(self.roots), 0
        self._failed: set[Wanted] = set()
        self._on_lists = 0

    async def pursue(self, wish: Wanted, first: Get) -> None:
        """Ask one request and all that follow from it, one after the other."""
        queue, answers = deque([first]), list[Answer]()
        whole = True
        while queue:
            get = queue.popleft()
            try:
                answer = await self._http.get(get)
                more = await self._take(answer)
                answers.append(answer)
            except SourceError as error:
                more = tuple(self._source.instead(get, error))
                self._note_failure(wish, error, mended=bool(more))
                whole = whole and bool(more)
            queue.extend(more)
            self._known += len(more)
            self._done += 1
            self._progress(self._source.name, self._done, self._known)
        # A list whose look-ups failed has to be read again.
        for answer in answers if whole else ():
            await self._http.remember(answer)

    async def _take(self, answer: Answer) -> tuple[Get, ...]:
        """Read an answer and keep its records; returns what to ask next."""
        get, listed = answer.get, 0
        page = Page()
        if answer.not_modified:
            self.outcome.unchanged += 1
        else:
            page = await asyncio.to_thread(self._parse, get, answer.body)
            listed = await self._keep(page)
        return page.follow if listed else (*page.follow, *self._source.instead(get, None))

    def _parse(self, get: Get, body: bytes) -> Page:
        try:
            return self._source.parse(get, body, now=self._clock())
        except SourceError:
            raise
        except Exception as error:  # a body nobody foresaw costs this answer, never the run; the log has it whole
            log.exception("%s: the answer to %r cannot be read", self._source.name, get.what)
            raise SourceError(self._source.name, "has sent something that paperboy cannot read") from error

    async def _keep(self, page: Page) -> int:
        self.outcome.odd.extend(page.odd)
        if not page.records:
            return 0
        result = await self._library.ingest(page.records, now=self._clock())
        self.outcome.seen += result.seen
        self.outcome.new += result.new
        self.outcome.listed += result.listed
        days = [listing.day for record in page.records for listing in record.listings]
        self._on_lists += len(days)
        if result.listed and days:
            self.outcome.newest_day = max(*days, self.outcome.newest_day or days[0])
        return result.listed

    def _note_failure(self, wish: Wanted, error: SourceError, *, mended: bool) -> None:
        if mended:
            self.outcome.odd.append(f"{error}; asking elsewhere.")
            return
        self._failed.add(wish)
        self.outcome.failure = self.outcome.failure or error

    async def keep_state(self) -> None:
        """Remember how the source stands after a run that asked for its newest."""
        if not any(isinstance(wish, Newest) for wish in self._wanted):
            return
        old = await _read_state(self._library, self._source.name)
        days = [day for day in (old.newest_day, self.outcome.newest_day) if day]
        state = replace(
            self._standing(old),
            newest_day=max(days, default=None),
            missing_since=self._missing(old),
            empty=not (self._on_lists or self.outcome.unchanged or self.outcome.failure),
        )
        await self._library.set_fact(_fact_name(self._source.name), msgspec.json.encode(state).decode())

    def _standing(self, old: SourceState) -> SourceState:
        failure, now = self.outcome.failure, self._clock()
        if failure is None:
            return replace(old, ok_at=now, failing_since=None, reason="", retry_at=None)
        since = old.failing_since or now
        return replace(old, failing_since=since, reason=failure.reason, retry_at=failure.retry_at)

    def _missing(self, old: SourceState) -> date | None:
        gaps = [wish for wish in self._wanted if isinstance(wish, Backfill)]
        if not gaps:
            return old.missing_since
        return min((gap.since for gap in gaps if gap in self._failed), default=None)


async def _read_state(library: Shelf, name: str) -> SourceState:
    kept = await library.fact(_fact_name(name))
    return msgspec.json.decode(kept, type=SourceState) if kept else SourceState(name)


def _fact_name(name: str) -> str:
    return f"source {name}"
