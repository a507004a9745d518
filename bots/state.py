"""The store alone: what lists or exports subscriptions needs no papers, and does not wait for what they need."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from core.clock import Clock, SteeredClock, system_clock
from core.settings import Settings
from core.store import Store
from core.store.embedded import EmbeddedStore
from core.store.folder import FolderLock

if TYPE_CHECKING:
    from core.database import Database

log = logging.getLogger(__name__)


def clock_of(settings: Settings) -> Clock:
    """Return the clock to go by: this machine's, or, where machines share a database, one that follows its clock."""
    return SteeredClock() if settings.shares_state else system_clock


def database_of(store: Store) -> Database | None:
    """Return what the processes that use a store share; None where one process owns it."""
    return getattr(store, "database", None)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the store alone, to change it, and close it in the end.

    Raises:
        StoreBusy: another process owns the folder.
        StoreError: the folder or the database cannot be used.
    """
    async with AsyncExitStack() as stack:
        yield await open_state(settings, stack, owner=not settings.shares_state, make=True, clock=system_clock)


async def open_state(
    settings: Settings, stack: AsyncExitStack, *, owner: bool, clock: Clock, make: bool = False
) -> Store:
    """Open the store where the settings have it; the stack closes it.

    Args:
        settings: which folder or database.
        stack: closes it.
        owner: whether the folder will be changed.
        clock: where the time comes from.
        make: whether an empty database is given a schema, also by somebody who does not own the folder.
    """
    url = settings.secrets.database_url
    if url is None:
        embedded = await EmbeddedStore.open(settings.home, read_only=not owner)
        stack.push_async_callback(embedded.close)
        for notice in embedded.notices:
            log.warning("%s", notice)
        return embedded
    from core.store.postgres import PostgresStore  # noqa: PLC0415 - without a database its client is not loaded

    if owner:  # of what lies in the folder still
        stack.callback(FolderLock(settings.home).release)
    size, make = settings.database.connections, owner or make
    store = await PostgresStore.open(url.get_secret_value(), size=size, clock=clock, make=make)
    stack.push_async_callback(store.close)
    if isinstance(clock, SteeredClock):
        await clock.follow(store.database.now)
    return store
