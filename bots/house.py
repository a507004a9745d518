"""The composition root: settings -> library, store, sources -> core. Every command and the service stand on a House."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bots.fetching import Fetcher, load_sample
from core.chat.desk import Desk, Took
from core.chat.inquiries import Inquiries
from core.chat.newsroom import Newsroom
from core.chat.orders import Orders
from core.clock import Clock, system_clock
from core.papers.calendar import Calendar
from core.papers.library import Library
from core.search.engine import Engine
from core.settings import Settings, config_file
from core.store import Store
from core.store.embedded import EmbeddedStore

log = logging.getLogger(__name__)

LIBRARY_FILE = "library.sqlite3"
ID_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class House:
    """Everything that is behind the platforms."""

    settings: Settings
    clock: Clock
    library: Library
    store: Store
    newsroom: Newsroom
    inquiries: Inquiries
    calendar: Calendar

    def fetcher(self) -> Fetcher:
        """Return what fills the library."""
        return Fetcher(
            settings=self.settings,
            library=self.library,
            store=self.store,
            calendar=self.calendar,
            clock=self.clock,
        )

    def orders(self, reachable: Callable[[str], Awaitable[str | None]]) -> Orders:
        """Return what changes subscriptions, given a way to tell whether a place can be posted to."""
        return Orders(
            store=self.store,
            newsroom=self.newsroom,
            settings=self.settings,
            reachable=reachable,
            new_id=new_id,
        )

    def desk(self, reachable: Callable[[str], Awaitable[str | None]], took: Took) -> Desk:
        """Return the desk that answers commands, and tells how long it took."""
        return Desk(inquiries=self.inquiries, orders=self.orders(reachable), clock=self.clock, took=took)


def new_id() -> str:
    """Return a new subscription's id: six letters that cannot be mistaken for each other."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(6))


@asynccontextmanager
async def open_house(settings: Settings, *, owner: bool, clock: Clock = system_clock) -> AsyncIterator[House]:
    """Open library and store in the data folder, and close them in the end.

    Args:
        settings: which folder.
        owner: whether state will be changed; only one process at a time can own a data folder.
        clock: where the time comes from.

    Raises:
        StoreBusy: another process owns the folder.
        StoreError, LibraryError: the folder cannot be used.
    """
    async with AsyncExitStack() as stack:
        store = await EmbeddedStore.open(settings.home, read_only=not owner)
        stack.push_async_callback(store.close)
        for notice in store.notices:
            log.warning("%s", notice)
        path = settings.home / LIBRARY_FILE
        library = await Library.open(path, read_only=not owner and path.exists())
        stack.push_async_callback(library.close)
        yield make_house(settings, library=library, store=store, clock=clock)


def make_house(settings: Settings, *, library: Library, store: Store, clock: Clock) -> House:
    """Put the core together over an open library and store."""
    calendar = Calendar.from_toml(config_file("arxiv_calendar.toml").read_bytes())
    newsroom = Newsroom(library=library, engine=Engine(library), store=store, settings=settings, calendar=calendar)
    inquiries = Inquiries(store=store, newsroom=newsroom, settings=settings)
    return House(settings, clock, library, store, newsroom, inquiries, calendar)


@asynccontextmanager
async def open_sample(settings: Settings, store: Store, clock: Clock) -> AsyncIterator[Newsroom]:
    """Open a newsroom that knows the bundled sample alone, so that it never mixes with real papers."""
    with TemporaryDirectory(prefix="paperboy-sample-") as folder:
        library = await Library.open(Path(folder) / LIBRARY_FILE)
        try:
            sample = make_house(settings, library=library, store=store, clock=clock)
            await load_sample(settings, library, clock)
            yield sample.newsroom
        finally:
            await library.close()
