"""The composition root: settings -> library, store, sources -> core. Every command and the service stand on a House."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bots.fetching import Fetcher, load_sample
from bots.state import clock_of, database_of, open_state
from bots.topics import read_topics
from core.chat.desk import Desk, Took
from core.chat.inquiries import Inquiries
from core.chat.newsroom import Newsroom
from core.chat.orders import Orders
from core.clock import Clock, system_clock
from core.delivery.sending import Sending
from core.errors import LibraryBroken, LibraryError, LibraryForeign, PaperboyError, StoreUnreachable
from core.papers.calendar import Calendar
from core.papers.library import LIBRARY_FILE, Library, set_aside
from core.papers.sources import create_sources
from core.search.apart import ReaderApart
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.obtain import CachedModels
from core.search.outside import Outside
from core.settings import Settings, config_file
from core.store import Store
from core.store.away import away_store
from core.store.figures import Count, ignore

if TYPE_CHECKING:
    from core.database import Database
    from core.http import Http
    from core.keys import Keys
    from core.search.shared_vectors import SharedVectors

log = logging.getLogger(__name__)

EXCHANGED_WITHIN = 15.0  # seconds without progress; whoever ends the service waits for it
ID_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class House:
    """Everything that is behind the platforms.

    Attributes:
        meaning: the way to what is known by meaning; None where that is switched off.
        http: shared by fetching and by searches that go outside; None where none does.
        outside: asks outside for searches; None where that is not allowed, or another process owns the folder.
        database: what processes share; None where there is one process.
        vectors: exchanges them with other machines; None where there are none, and where that is switched off.
    """

    settings: Settings
    clock: Clock
    library: Library
    store: Store
    newsroom: Newsroom
    inquiries: Inquiries
    calendar: Calendar
    meaning: Meaning | None = None
    http: Http | None = None
    outside: Outside | None = None
    vectors: SharedVectors | None = None
    database: Database | None = None

    @asynccontextmanager
    async def turn_to_read(self) -> AsyncIterator[bool]:
        """Yield whether the body is to read for meaning; not while another machine does it for all."""
        if self.vectors is None:
            yield True
            return
        async with self.vectors.turn() as mine:
            yield mine

    def has_all_vectors(self) -> bool:
        """Whether there is none to be had from other machines, as far as is known."""
        return self.vectors is None or self.vectors.settled

    def renewals(self) -> int:
        """Return how often the library or the vectors gave way to others, so that what was opened is worthless."""
        replaced = self.vectors.remade if self.vectors else 0
        return replaced + self.library.renewals

    def reader(self) -> Reader:
        """Return what reads the library for meaning, with all of the machine."""
        return Reader(self.library, CachedModels(self.settings))

    def reader_apart(self) -> ReaderApart:
        """Return what has it read by another process, with what nobody else wants of the machine."""
        return ReaderApart(self.library, CachedModels(self.settings).wanted)

    def keys(self) -> Keys:
        """Return this paperboy's keys; the first call may make its secret.

        Raises:
            StoreError: the secret cannot be read or kept.
        """
        from core.keys import open_keys  # noqa: PLC0415 - what seals and signs nothing loads no cryptography

        return open_keys(self.settings)

    def fetcher(self) -> Fetcher:
        """Return what fills the library."""
        return Fetcher(
            settings=self.settings,
            library=self.library,
            store=self.store,
            calendar=self.calendar,
            clock=self.clock,
            http=self.http,
        )

    def orders(self, reachable: Callable[[str], Awaitable[str | None]]) -> Orders:
        """Return what changes subscriptions, given a way to tell whether a place can be posted to."""
        return Orders(
            store=self.store,
            newsroom=self.newsroom,
            settings=self.settings,
            reachable=reachable,
            new_id=new_id,
            topics=read_topics(),
        )

    def desk(self, reachable: Callable[[str], Awaitable[str | None]], took: Took, count: Count = ignore) -> Desk:
        """Return the desk that answers commands, tells how long it took, and counts what it queues."""
        sending = Sending(
            store=self.store, newsroom=self.newsroom, settings=self.settings, reachable=reachable, count=count
        )
        return Desk(
            inquiries=self.inquiries,
            orders=self.orders(reachable),
            send=sending.send,
            clock=self.clock,
            took=took,
            name_request=new_request_name,
        )


def new_request_name() -> str:
    """Return a name for a request, by which its lines in the log are found: eight letters."""
    return secrets.token_hex(4)


def new_id() -> str:
    """Return a new subscription's id: six letters that cannot be mistaken for each other."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(6))


@asynccontextmanager
async def open_house(
    settings: Settings, *, owner: bool, clock: Clock = system_clock, make: bool = False
) -> AsyncIterator[House]:
    """Open library and store, and close them in the end.

    Args:
        settings: which folder, and which database where there is one.
        owner: whether the folder will be changed; only one process at a time can own a data folder. A store in a
            database can be changed without.
        clock: where the time comes from.
        make: whether an empty database is given a schema and another's copy of papers makes way, also by somebody who
            does not own the folder; whoever only reads leaves them alone.

    Raises:
        StoreBusy: another process owns the folder.
        StoreError, LibraryError: the folder or the database cannot be used.
    """
    if clock is system_clock:
        clock = clock_of(settings)
    async with AsyncExitStack() as stack:
        try:
            store = await open_state(settings, stack, owner=owner, clock=clock, make=make)
            library = await _open_library(settings, stack, owner=owner, clock=clock, replace=owner or make)
        except StoreUnreachable as error:
            if owner:
                raise
            store = away_store(error)
            library = await _open_copy(settings.home / LIBRARY_FILE, stack, error)
        if owner:
            await _follow_lost_library(library, store)
        http = None
        if owner and settings.search.ask_outside:
            from core.http import Http  # noqa: PLC0415 - what only reads loads no web client

            http = Http(settings, library, clock=clock, random=random.SystemRandom().random)
            stack.push_async_callback(http.close)
        house = make_house(settings, library=library, store=store, clock=clock, http=http)
        yield replace(house, database=database_of(store))


async def _open_library(
    settings: Settings, stack: AsyncExitStack, *, owner: bool, clock: Clock, replace: bool
) -> Library:
    """Open the library; with a database, this machine's replica of it, which an owner lets follow."""
    path, url = settings.home / LIBRARY_FILE, settings.secrets.database_url
    if url is None:
        library = await (_open_own(path, clock) if owner else Library.open(path, read_only=path.exists()))
        stack.push_async_callback(library.close)
        return library
    from core.papers.shared_library import SharedLibrary  # noqa: PLC0415 - without a database its client is not loaded
    from core.papers.shared_line import Line  # noqa: PLC0415

    try:
        shared = await SharedLibrary.join(path, Line(url.get_secret_value()), clock, _tell_copied, replace=replace)
    except LibraryError as error:
        if owner or isinstance(error, LibraryForeign):
            raise
        return await _open_copy(path, stack, error)
    stack.push_async_callback(shared.close)
    if owner:
        following = asyncio.create_task(shared.keep_following())
        stack.push_async_callback(_end, following)
    return shared


def _tell_copied(done: int, total: int) -> None:
    log.info("copied %s of %s papers from the database", f"{done:,}", f"{total:,}")


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _open_copy(path: Path, stack: AsyncExitStack, error: PaperboyError) -> Library:
    """Open this machine's replica for reading, as it is.

    Raises:
        LibraryError: there is none.
    """
    try:
        library = await Library.open(path, read_only=True)
    except LibraryError:
        raise LibraryError(f"{error} There is no copy of its papers on this machine.") from error
    stack.push_async_callback(library.close)
    log.warning("%s Papers are read from this machine's copy, as it was last.", error)
    return library


async def _open_own(path: Path, clock: Clock) -> Library:
    """Open the library as its owner: a broken one is set aside, and a new one begun."""
    try:
        return await Library.open(path)
    except LibraryBroken:
        await asyncio.to_thread(_forget_vectors, path.parent)  # they tell papers by numbers that mean others soon
        log.warning("%s", await asyncio.to_thread(set_aside, path, clock()))
        return await Library.open(path)


async def _follow_lost_library(library: Library, store: Store) -> None:
    """Let an empty library count its listings from where a lost one was, so that they are new to subscriptions."""
    if await library.newest_sequence() == 0:
        latest = await store.latest_deliveries([item.id for item in await store.subscriptions()])
        await library.number_listings_behind(max((item.upto for item in latest.values()), default=0))


def _forget_vectors(folder: Path) -> None:
    if any(folder.glob("vectors-*")):
        from core.search.vectors import remove_vectors, vector_paths  # noqa: PLC0415 - loads numpy

        for path in vector_paths(folder):
            remove_vectors(path)


def make_house(settings: Settings, *, library: Library, store: Store, clock: Clock, http: Http | None = None) -> House:
    """Put the core together over an open library and store; with `http`, searches may go outside."""
    calendar = read_calendar()
    meaning = Meaning(library.path, CachedModels(settings)) if settings.model.enabled else None
    engine = Engine(library, meaning)
    topics = read_topics()
    newsroom = Newsroom(
        library=library, engine=engine, store=store, settings=settings, calendar=calendar, topics=topics
    )
    outside = Outside(create_sources(settings), http, library, clock) if http else None
    inquiries = Inquiries(store=store, newsroom=newsroom, settings=settings, outside=outside, topics=topics)
    vectors = _share_vectors(settings, library) if meaning else None
    return House(settings, clock, library, store, newsroom, inquiries, calendar, meaning, http, outside, vectors)


def _share_vectors(settings: Settings, library: Library) -> SharedVectors | None:
    url = settings.secrets.database_url
    if url is None:
        return None
    from core.papers.shared_line import Line  # noqa: PLC0415 - without a database its client is not loaded
    from core.search.shared_vectors import SharedVectors  # noqa: PLC0415

    line = Line(url.get_secret_value(), patience=EXCHANGED_WITHIN)
    return SharedVectors(library, line, CachedModels(settings))


def read_calendar() -> Calendar:
    """Return arXiv's calendar as it ships."""
    return Calendar.from_toml(config_file("arxiv_calendar.toml").read_bytes())


@asynccontextmanager
async def open_sample(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[Newsroom]:
    """Open a newsroom that knows the bundled sample alone, so that it never mixes with real papers."""
    with TemporaryDirectory(prefix="paperboy-sample-") as folder:
        library = await Library.open(Path(folder) / LIBRARY_FILE)
        try:
            await load_sample(settings, library, clock)
            yield Newsroom(
                library=library,
                engine=Engine(library),
                store=store,
                settings=settings,
                calendar=read_calendar(),
                sample=True,
            )
        finally:
            await library.close()
