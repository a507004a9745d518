"""`backup` and `restore`: everything in one file, and back."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bots.terminal.moving import name_of, tell_carried
from bots.terminal.output import write_out
from bots.terminal.progress import show_progress
from core.clock import system_clock
from core.errors import PaperboyError
from core.keys import KEPT_IN
from core.settings import Settings
from core.store.backup import Contents, back_up, back_up_chest, unpack
from core.store.backup import restore as restore_file
from core.store.chests import Tallies, Tell, tally
from core.store.folder_chest import read_folder
from core.store.moving import fill_database

SCRATCH = ".restoring"

log = logging.getLogger(__name__)

NOTE = "backup.made"
"""An empty file of the data folder, as old as the last backup."""


async def backup(arguments: Namespace, settings: Settings) -> int:
    """Write everything that the data folder or the database holds into one file, also while the service runs."""
    with show_progress("Backing up") as meter:
        await asyncio.to_thread(_back_up, settings, arguments.file, meter.update)
    _note_backup(settings.home)
    size = arguments.file.stat().st_size
    write_out(
        f"Wrote {size / 1_000_000:,.1f} MB to {arguments.file}. It holds secrets: keep it where only you can read."
    )
    if settings.secrets.paperboy_secret_key is not None:
        write_out(
            "PAPERBOY_SECRET_KEY is not in it: keep it elsewhere, since it opens the tokens that are sealed in it."
        )
    return 0


def _back_up(settings: Settings, file: Path, tell: Tell) -> None:
    url = settings.secrets.database_url
    if url is None:
        back_up(settings.home, file, system_clock(), tell)
        return
    from core.store.postgres.chest import read_database  # noqa: PLC0415 - loads the database's client

    with read_database(url.get_secret_value()) as source:
        back_up_chest(source, settings.home / KEPT_IN, file, system_clock(), tell)


def _note_backup(home: Path) -> None:
    """Note in the data folder that a backup was made; that one is there matters more than that it is noted."""
    try:
        (home / NOTE).touch()
    except OSError as error:
        log.warning("it could not be noted in %s that a backup was made (%s)", home, error.strerror)


def last_backup(home: Path) -> datetime | None:
    """Return when the last backup of a data folder was made there; None where none is known."""
    try:
        return datetime.fromtimestamp((home / NOTE).stat().st_mtime, UTC)
    except OSError:
        return None


async def restore(arguments: Namespace, settings: Settings) -> int:
    """Put a backup into the data folder or the database, which must be empty or not there yet."""
    url = settings.secrets.database_url
    if url is None:
        contents = await asyncio.to_thread(restore_file, arguments.file, settings.home)
        tallies, where = await asyncio.to_thread(_held, settings.home), str(settings.home)
    else:
        where = f"the {name_of(url.get_secret_value())}"
        with show_progress("Restoring") as meter:
            contents, tallies = await asyncio.to_thread(
                _restore_database, arguments.file, url.get_secret_value(), settings, meter.update
            )
    write_out(f"Restored {tell_carried(tallies)} of {contents.made_at:%Y-%m-%d %H:%M} UTC to {where}.")
    return 0


def _held(folder: Path) -> Tallies:
    with read_folder(folder) as source:
        return tally(source)


def _restore_database(file: Path, url: str, settings: Settings, tell: Tell) -> tuple[Contents, Tallies]:
    from core.store.postgres import chest  # noqa: PLC0415 - loads the database's client

    with _scratch(settings.home) as folder:
        contents = unpack(file, folder)
        _check_secret(folder / KEPT_IN, settings)
        with read_folder(folder) as source, chest.fill_database(url) as target:
            carried = fill_database(source, target, f"The {name_of(url)}", tell)
        _keep_secret(folder / KEPT_IN, settings)
    return contents, carried.tallies


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """Give an empty folder within the data folder, where there is room and nobody else can read."""
    folder = home / SCRATCH
    try:
        shutil.rmtree(folder, ignore_errors=True)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        yield folder
    except (OSError, sqlite3.Error) as error:
        raise PaperboyError(f"{folder} cannot be written ({error}); nothing was restored.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_secret(restored: Path, settings: Settings) -> None:
    """Check that the tokens of a backup can be opened with the secret of these settings.

    Raises:
        PaperboyError: they could not.
    """
    if not restored.exists():
        return
    sealed_with, given, kept = _secrets(restored), settings.secrets.paperboy_secret_key, settings.home / KEPT_IN
    if given is not None and given.get_secret_value() not in sealed_with:
        raise PaperboyError(
            "The backup was sealed with the secret in it, and PAPERBOY_SECRET_KEY is another: unset it to restore, and "
            f"set it to what is in {kept} then."
        )
    if given is None and kept.exists() and not sealed_with <= _secrets(kept):
        raise PaperboyError(
            f"{kept} is another secret than the one that the backup was sealed with, and nothing is overwritten; "
            "move it away, or name another folder with PAPERBOY_HOME."
        )


def _secrets(path: Path) -> set[str]:
    try:
        return set(path.read_text(encoding="ascii").split())
    except UnicodeDecodeError as error:
        raise PaperboyError(f"{path.name} holds no secret but other bytes; nothing was restored.") from error


def _keep_secret(restored: Path, settings: Settings) -> None:
    kept = settings.home / KEPT_IN
    if restored.exists() and settings.secrets.paperboy_secret_key is None and not kept.exists():
        restored.rename(kept)
