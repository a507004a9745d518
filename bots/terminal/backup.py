"""`backup` and `restore`: everything in one file, and back."""

from __future__ import annotations

import asyncio
import logging
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bots.fetching import counted
from bots.house import LIBRARY_FILE, open_house
from bots.terminal.output import write_out
from bots.terminal.progress import show_progress
from bots.terminal.upkeep import refuse_database
from core.clock import system_clock
from core.errors import LibraryError
from core.settings import Settings
from core.store.backup import back_up
from core.store.backup import restore as restore_file

log = logging.getLogger(__name__)

NOTE = "backup.made"
"""An empty file of the data folder, as old as the last backup."""


async def backup(arguments: Namespace, settings: Settings) -> int:
    """Write everything that the data folder holds into one file, also while the service runs."""
    refuse_database(settings, "backup")
    with show_progress("Backing up") as meter:
        await asyncio.to_thread(back_up, settings.home, arguments.file, system_clock(), meter.update)
    _note_backup(settings.home)
    size = arguments.file.stat().st_size
    write_out(
        f"Wrote {size / 1_000_000:,.1f} MB to {arguments.file}. It holds secrets: keep it where only you can read."
    )
    return 0


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
    """Put a backup into the data folder, which must be empty or not there yet."""
    refuse_database(settings, "restore")
    contents = await asyncio.to_thread(restore_file, arguments.file, settings.home)
    made = f"{contents.made_at:%Y-%m-%d %H:%M} UTC"
    try:
        held = await _counts(settings)
    except LibraryError as error:  # an older one, which `migrate` brings to this version
        write_out(f"Restored the backup of {made} to {settings.home}. {error}")
        return 0
    told = ", ".join(counted(count, noun) for noun, count in held.items())
    write_out(f"Restored {told} of {made} to {settings.home}.")
    return 0


async def _counts(settings: Settings) -> Mapping[str, int]:
    async with open_house(settings, owner=False) as house:
        papers = await house.library.count() if (settings.home / LIBRARY_FILE).exists() else 0
        return {
            "paper": papers,
            "subscription": len(await house.store.subscriptions()),
            "mark": len(await house.store.marks()),
        }
