"""`move`: everything from the store of the settings to another one, a data folder or a database."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from bots.fetching import counted
from bots.terminal.output import write_out
from bots.terminal.progress import show_progress
from core.errors import PaperboyError, UsageError
from core.keys import KEPT_IN
from core.papers.library import LIBRARY_FILE, refuse_copy
from core.settings import DATABASE_FORM, DATABASE_SCHEMES, Settings, is_database
from core.store.chests import MARKS, PAPERS, SUBSCRIPTIONS, Source, Tally, Tell
from core.store.folder import FolderLock
from core.store.folder_chest import read_folder
from core.store.moving import Carried, copy_folder, fill_database, fill_folder

NAMED = {PAPERS: "paper", SUBSCRIPTIONS: "subscription", MARKS: "mark"}

Told: TypeAlias = Callable[[str], None]


async def move(arguments: Namespace, settings: Settings) -> int:
    """Carry everything to an empty folder or database, check it there, and leave the old store as it is."""
    target = read_target(arguments.to)
    if isinstance(target, Path) and target.resolve() == settings.home.resolve():
        raise UsageError(f"--to: {target} is the data folder in use; name another.")
    notices: list[str] = []
    with show_progress("Moving") as meter:
        carried = await asyncio.to_thread(_carry, settings, target, meter.update, notices.append)
    write_out(_outcome(carried, target))
    for notice in (*notices, *_what_is_left(settings, target)):
        write_out(notice)
    return 0


def read_target(url: str) -> Path | str:
    """Return the folder, or the database's address, that `--to` names; UsageError where it is neither."""
    parts = urlsplit(url)
    forgotten = not parts.scheme and "//" in url and "@" in url  # the colon behind a scheme
    if parts.scheme in {"", "file"} and parts.netloc in {"", "localhost"} and parts.path and not forgotten:
        return Path(unquote(parts.path))
    if parts.scheme in DATABASE_SCHEMES:
        if not is_database(url):
            raise UsageError(f"--to: allowed is a folder, as file:///srv/paperboy, or a database, as {DATABASE_FORM}.")
        return url
    of_kind = f" (it begins with {parts.scheme}:)" if parts.scheme else ""
    raise UsageError(
        # Not the address itself, which may hold a password.
        f"--to: this is not possible{of_kind}; allowed is a folder, as file:///srv/paperboy, or a database, as "
        "postgresql://paperboy@db.example.org/paperboy."
    )


def _carry(settings: Settings, target: Path | str, tell: Tell, note: Told) -> Carried:
    url = settings.secrets.database_url
    if url is not None:
        from core.store.postgres.chest import read_database  # noqa: PLC0415 - loads the database's client

        with read_database(url.get_secret_value()) as source:
            _note_others(source.others(), note)
            if isinstance(target, str):
                return _into_database(source, target, tell)
            return fill_folder(source, target, tell, besides=[settings.home / KEPT_IN])
    with _owned(settings.home):
        if isinstance(target, Path):
            return copy_folder(settings.home, target, tell)
        with read_folder(settings.home) as folder:
            return _into_database(folder, target, tell)


def _into_database(source: Source, url: str, tell: Tell) -> Carried:
    from core.store.postgres import chest  # noqa: PLC0415 - as above

    with chest.fill_database(url) as target:
        if isinstance(source, chest.DatabaseChest) and source.where() == target.where():
            raise UsageError(f"--to: the {name_of(url)} is the one in use; name another.")
        return fill_database(source, target, f"The {name_of(url)}", tell)


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Keep a service from beginning on the old folder meanwhile."""
    if not folder.is_dir():
        raise PaperboyError(f"There is nothing in {folder} to move.")
    refuse_copy(folder / LIBRARY_FILE)
    lock = FolderLock(folder)
    try:
        yield
    finally:
        lock.release()


def _note_others(count: int, note: Told) -> None:
    if count:
        note(
            f"paperboy has {counted(count, 'other connection')} to the old database, and what is written there from "
            "now on is not carried: stop what runs on it, and if it ran meanwhile, move again into an empty place."
        )


def name_of(target: Path | str) -> str:
    """Return what people call a folder or a database; of the latter, without its password."""
    if isinstance(target, Path):
        return str(target)
    from core.database_errors import place  # noqa: PLC0415 - as above

    return f"database {place(target)}"


def tell_carried(tallies: Mapping[str, Tally]) -> str:
    """Return how much there is of what people know, as a list for a sentence."""
    told = [counted(tallies[drawer].rows, noun) for drawer, noun in NAMED.items()]
    return f"{', '.join(told[:-1])} and {told[-1]}"


def _outcome(carried: Carried, target: Path | str) -> str:
    told, where = tell_carried(carried.tallies), name_of(target)
    if carried.already:
        return f"{where} holds all of it already: {told}."
    return f"Copied {told} to {where}; read back, all {carried.rows:,} rows of every kind are there."


def _what_is_left(settings: Settings, target: Path | str) -> Iterator[str]:
    """Yield what the person has to do now."""
    url = settings.secrets.database_url
    old = name_of(settings.home if url is None else url.get_secret_value())
    new = f"PAPERBOY_HOME={target}" if isinstance(target, Path) else "DATABASE_URL to its address"
    without = " without DATABASE_URL" if isinstance(target, Path) and url is not None else ""
    yield f"Set {new} to use it{without}; {old} was left as it is."
    if settings.secrets.paperboy_secret_key is not None:
        yield "By hand: PAPERBOY_SECRET_KEY, which has to be the same there; it opens the sealed tokens and the links."
    elif isinstance(target, str) and (settings.home / KEPT_IN).exists():
        yield (
            f"By hand: the secret in {settings.home / KEPT_IN}; set PAPERBOY_SECRET_KEY to it on every machine, or put "
            "the file into every data folder, since it opens the sealed tokens and the links."
        )
