"""EDGE. Everything of one chest goes into an empty one, is read back from there, and only then counts as there.

Whoever is killed meanwhile leaves the other one empty, or whole; and whoever repeats what was done is told so.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import PaperboyError, StoreError
from core.store.chests import PAPERS, SUBSCRIPTIONS, Source, Tallies, Target, Tell, carry, check_same, differing, tally
from core.store.folder_chest import FolderTarget, read_folder
from core.store.folders import filled, is_free

CARRIED = frozenset({".json", ".journal", ".key"})
"""What is copied from folder to folder as it is; without its secret, links and sealed tokens would be worth nothing."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of it.

    Attributes:
        tallies: what is there now.
        already: whether all of it was there before.
    """

    tallies: Tallies
    already: bool = False

    @property
    def rows(self) -> int:
        """How many rows there are, of all kinds."""
        return sum(one.rows for one in self.tallies.values())


class Chest(Source, Target, Protocol):
    """A database that is to be filled."""

    def holds_anything(self) -> bool:
        """Whether it is not empty."""


def fill_folder(source: Source, folder: Path, tell: Tell, *, besides: Sequence[Path] = ()) -> Carried:
    """Put everything into a folder that is empty or not there yet.

    Args:
        source: what is to be put there.
        folder: the new data folder.
        tell: told of progress.
        besides: files that go along where they are there, as the secret.

    Raises:
        StoreError: the folder holds something else, cannot be written, or does not hold what was written.
    """
    if not is_free(folder):
        return _check_folder(tally(source, tell), folder, tell)
    try:
        with filled(folder) as draft:
            tallies = carry(source, FolderTarget(draft), tell)
            for path in filter(Path.exists, besides):
                shutil.copy2(path, draft / path.name)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{folder} cannot be written ({_reason(error)}); nothing was left in it.") from error
    return Carried(tallies)


def fill_database(source: Source, target: Chest, name: str, tell: Tell) -> Carried:
    """Put everything into a database that is empty; its transaction is the caller's.

    Args:
        source: what is to be put there.
        target: the new database.
        name: how it is called in sentences.
        tell: told of progress.

    Raises:
        StoreError: the database holds something else, or does not hold what was written.
    """
    if not target.holds_anything():
        return Carried(carry(source, target, tell))
    given, found = tally(source, tell), tally(target, tell)
    if differing(given, found):
        raise StoreError(
            f"{name} holds something already ({found[SUBSCRIPTIONS].rows:,} subscriptions, {found[PAPERS].rows:,} "
            "papers), and nothing is overwritten; name an empty database."
        )
    return Carried(found, already=True)


def copy_folder(source: Path, folder: Path, tell: Tell) -> Carried:
    """Copy a data folder that nobody uses, indexes too, into one that is empty or not there yet.

    Raises:
        StoreError, LibraryError: as `fill_folder`; or the old one is broken, or of another version.
    """
    with read_folder(source) as chest:
        given = tally(chest, tell)
    if not is_free(folder):
        return _check_folder(given, folder, tell)
    try:
        with filled(folder) as draft:
            _copy_files(source, draft)
            with read_folder(draft) as chest:
                check_same(given, tally(chest, tell))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{folder} cannot be written ({_reason(error)}); nothing was left in it.") from error
    return Carried(given)


def _check_folder(given: Tallies, folder: Path, tell: Tell) -> Carried:
    """Return that a folder which is not empty holds everything.

    Raises:
        StoreError: it does not.
    """
    refused = StoreError(f"{folder} is not empty, and nothing is overwritten; name an empty folder or a new one.")
    try:
        with read_folder(folder) as chest:
            found = tally(chest, tell)
    except (PaperboyError, OSError, sqlite3.Error) as error:
        raise refused from error
    if differing(given, found):
        raise refused
    return Carried(found, already=True)


def _copy_files(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        if path.suffix == ".sqlite3":
            with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(target / path.name)) as new:
                old.backup(new)
        elif path.is_file() and path.suffix in CARRIED:
            shutil.copy2(path, target / path.name)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
