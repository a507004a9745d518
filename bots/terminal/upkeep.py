"""`migrate`."""

from __future__ import annotations

import asyncio
from argparse import Namespace

from bots.house import LIBRARY_FILE
from bots.terminal.output import write_out
from core import database
from core.papers import library
from core.settings import Settings
from core.store import embedded


async def migrate(_arguments: Namespace, settings: Settings) -> int:
    """Bring the data folder, and the database where there is one, to this version."""
    store = await _migrate_store(settings)
    path = settings.home / LIBRARY_FILE
    if settings.shares_state:
        write_out(f"{store}; each machine's copy of its papers follows.")
        return 0
    if not path.exists():
        write_out(f"{store}; there is no library yet.")
        return 0
    before, after = await asyncio.to_thread(library.migrate, path)
    write_out(f"{store}; the library {_moved(before, after)}.")
    return 0


async def _migrate_store(settings: Settings) -> str:
    url = settings.secrets.database_url
    if url is None:
        return f"The store is at version {await embedded.migrate(settings.home)}"
    before, after = await asyncio.to_thread(database.migrate, url.get_secret_value())
    return f"The database {database.place(url.get_secret_value())} {_moved(before or 'none', after)}"


def _moved(before: object, after: object) -> str:
    return f"went from version {before} to {after}" if before != after else f"is at version {after}"
