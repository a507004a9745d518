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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

from core.clock import Clock
from core.errors import LibraryError, SourceError
from core.papers.paper import Record
from core.papers.plan import SourceState, keep_state, read_state
from core.papers.sources import Backfill, Get, Newest, Page, Source, Wanted

if TYPE_CHECKING:
    from core.http import Answer

REFUSED = 400  # one question was wrong, as for a category that does not exist; the source itself is well
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
                group.create_task(run.pursue_all())
    except ExceptionGroup as failures:
        if (unkept := failures.subgroup(LibraryError)) is not None:
            raise _first(unkept) from None
        raise
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
        self._roots = [(wish, get) for wish in wanted for get in source.ask(wish)]
        self._source = source
        self._wanted = tuple(wanted)
        self._http = http
        self._library = library
        self._clock = clock
        self._progress = progress
        self._known, self._done = len(self._roots), 0
        self._failed: set[Wanted] = set()
        self._refused: SourceError | None = None

    async def pursue_all(self) -> None:
        """Ask everything that is wanted of the source, and remember how it stands afterwards."""
        async with asyncio.TaskGroup() as group:
            for wish, get in self._roots:
                group.create_task(self._pursue(wish, get))
        if self._refused and not (self.outcome.seen or self.outcome.unchanged):
            self.outcome.failure = self.outcome.failure or self._refused
        await self._keep_state()

    async def _pursue(self, wish: Wanted, first: Get) -> None:
        """Ask one request and all that follow from it, one after the other."""
        queue = deque([first])
        answers: list[Answer] = []
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
        self._note_odd(*page.odd)
        if not page.records:
            return 0
        result = await self._library.ingest(page.records, now=self._clock())
        self.outcome.seen += result.seen
        self.outcome.new += result.new
        self.outcome.listed += result.listed
        days = [listing.day for record in page.records for listing in record.listings]
        if result.listed and days:
            self.outcome.newest_day = max(*days, self.outcome.newest_day or days[0])
        return result.listed

    def _note_odd(self, *sentences: str) -> None:
        self.outcome.odd.extend(one for one in sentences if one not in self.outcome.odd)

    def _note_failure(self, wish: Wanted, error: SourceError, *, mended: bool) -> None:
        if mended:
            self._note_odd(f"it {error.reason}; asking elsewhere.")
            return
        self._failed.add(wish)
        if error.status == REFUSED:
            self._refused = self._refused or error
            self._note_odd(f"it {error.reason}.")
        else:
            self.outcome.failure = self.outcome.failure or error

    async def _keep_state(self) -> None:
        """Remember how the source stands after a run that asked for its newest."""
        if not any(isinstance(wish, Newest) for wish in self._wanted):
            return
        old = await read_state(self._library, self._source.name)
        days = [day for day in (old.newest_day, self.outcome.newest_day) if day]
        state = replace(
            self._standing(old),
            newest_day=max(days, default=None),
            missing_since=self._missing(old),
            empty=not (self.outcome.seen or self.outcome.unchanged or self.outcome.failure),
        )
        await keep_state(self._library, state)

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


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
