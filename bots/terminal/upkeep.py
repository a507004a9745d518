"""`migrate` and `move`."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bots.fetching import counted
from bots.house import LIBRARY_FILE, open_house
from bots.resealing import closed_sentence, counted_texts, forget_closed, reseal
from bots.state import open_store
from bots.terminal.output import write_out
from core import database
from core.errors import PaperboyError, UsageError
from core.keys import Keys, open_keys
from core.papers import library
from core.settings import Settings
from core.store import Store, embedded
from core.store.folders import filled, is_free

CARRIED = {".json", ".journal", ".key"}
"""What is copied as it is; without its secret, a folder's links and sealed tokens would be worth nothing."""


async def migrate(arguments: Namespace, settings: Settings) -> int:
    """Bring the data folder, and the database where there is one, to this version; then seal with the secret of now."""
    store = await _migrate_store(settings)
    path = settings.home / LIBRARY_FILE
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
    return f"The database {database.place(url.get_secret_value())} {_moved(before or 'none', after)}"


def _moved(before: object, after: object) -> str:
    return f"went from version {before} to {after}" if before != after else f"is at version {after}"


def refuse_database(settings: Settings, what: str) -> None:
    """Refuse what knows data folders alone.

    Raises:
        PaperboyError: the state lies in a database.
    """
    if settings.shares_state:
        raise PaperboyError(f"DATABASE_URL is set, and {what} knows data folders alone; use pg_dump for the database.")


async def move(arguments: Namespace, settings: Settings) -> int:
    """Copy everything to another data folder, check it, and leave the old one untouched; safe to repeat."""
    refuse_database(settings, "move")
    target = read_target(arguments.to)
    if target.resolve() == settings.home.resolve():
        raise UsageError(f"--to: {target} is the data folder in use; name another.")
    async with open_house(settings, owner=True) as house:
        here = await _counts(settings)
        await house.store.close()
        await house.library.close()
        await asyncio.to_thread(copy_folder, settings.home, target)
    there = await _counts(settings.model_copy(update={"home": target}))
    if here != there:
        raise PaperboyError(f"{target} does not hold what {settings.home} holds ({there} instead of {here}).")
    write_out(
        f"Copied {counted(here['papers'], 'paper')} and {counted(here['subscriptions'], 'subscription')} to {target}."
    )
    write_out(f"Set PAPERBOY_HOME={target} to use it; {settings.home} was left as it is.")
    return 0


def read_target(url: str) -> Path:
    """Return the folder that `--to` names; UsageError when it is no folder's address."""
    parts = urlsplit(url)
    if parts.scheme in {"", "file"} and parts.path:
        return Path(unquote(parts.path))
    raise UsageError(f"--to: {url!r} is not possible; allowed is a folder, as file:///srv/paperboy.")


async def _counts(settings: Settings) -> dict[str, int]:
    async with open_house(settings, owner=False) as house:
        kept = await house.store.subscriptions()
        latest = await house.store.latest_deliveries([item.id for item in kept])
        return {
            "papers": await house.library.count(),
            "subscriptions": len(kept),
            "deliveries": len(latest),
            "marks": len(await house.store.marks()),
            "changes": len(await house.store.changes()),
        }


def copy_folder(source: Path, target: Path) -> None:
    """Copy a closed data folder into one that is empty or does not exist yet; PaperboyError otherwise."""
    if not is_free(target):
        raise PaperboyError(f"{target} is not empty; name an empty folder or one that does not exist.")
    try:
        with filled(target) as draft:
            for path in sorted(source.iterdir()):
                if path.suffix == ".sqlite3":
                    _copy_database(path, draft / path.name)
                elif path.is_file() and path.suffix in CARRIED:
                    shutil.copy2(path, draft / path.name)
    except (OSError, sqlite3.Error) as error:
        raise PaperboyError(f"{target} cannot be written ({error}).") from error


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
