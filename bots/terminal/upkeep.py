"""`migrate`."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable

from bots.resealing import closed_sentence, counted_texts, forget_closed, reseal
from bots.state import open_store
from bots.terminal.output import write_out
from core import database, database_errors
from core.errors import PaperboyError
from core.keys import Keys, open_keys
from core.papers import library
from core.settings import Settings
from core.store import Store, embedded


async def migrate(arguments: Namespace, settings: Settings) -> int:
    """Bring the data folder, and the database where there is one, to this version; then seal with the secret of now."""
    store = await _migrate_store(settings)
    path = settings.home / library.LIBRARY_FILE
    if settings.shares_state:
        write_out(f"{store}; each machine's copy of its papers follows.")
    elif path.exists():
        before, after = await asyncio.to_thread(library.migrate, path)
        write_out(f"{store}; the library {_moved(before, after)}.")
    else:
        write_out(f"{store}; there is no library yet.")
    async with open_store(settings) as opened:
        await seal_anew(opened, lambda: open_keys(settings), forget=arguments.forget_sealed)
    return 0


async def seal_anew(store: Store, keys: Callable[[], Keys], *, forget: bool) -> None:
    """Seal everything with the secret of now.

    Raises:
        PaperboyError: something stays closed, and is not to be forgotten.
    """
    done = await reseal(store, keys)
    if done.anew:
        write_out(f"{counted_texts(done.anew)} sealed anew with the PAPERBOY_SECRET_KEY of now.")
    if done.closed and not forget:
        raise PaperboyError(closed_sentence(done.closed))
    if done.closed:
        await forget_closed(store, done.closed)
        write_out(f"Forgot what no secret opens: {', '.join(done.closed)}.")


async def _migrate_store(settings: Settings) -> str:
    url = settings.secrets.database_url
    if url is None:
        return f"The store is at version {await embedded.migrate(settings.home)}"
    before, after = await asyncio.to_thread(database.migrate, url.get_secret_value())
    return f"The database {database_errors.place(url.get_secret_value())} {_moved(before or 'none', after)}"


def _moved(before: object, after: object) -> str:
    return f"went from version {before} to {after}" if before != after else f"is at version {after}"
