"""EDGE. Everything of a data folder in one file, also while paperboy runs on it; and back into an empty folder.

What lies in a database is written in the same form, so that a backup of either goes into either.

The file is a gzipped tar archive: `paperboy.json` first, which names all others with their SHA-256, then they.
Databases are copied by SQLite's online backup (https://www.sqlite.org/backup.html) inside one reading transaction, so
that writers neither wait nor make it begin anew; of the small state, one instant is read as the service's readers do.
Deliveries come first and the library last, so that no delivery covers listings that the library of the backup lacks.
Indexes are left out: they are made again from the library.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from core.errors import LibraryError, StoreError
from core.papers.library import LIBRARY_FILE, migrate, refuse_copy
from core.papers.schema import STEPS
from core.store.chests import Source, carry
from core.store.folder_chest import FolderTarget
from core.store.folders import filled, is_free
from core.store.generations import FIRST, FORMAT, Snapshot, read_state, seal, snapshot_path
from core.store.outbox_db import Outbox
from core.store.outbox_file import FILE as DELIVERIES
from core.store.outbox_file import SCHEMA

CONTENTS = "paperboy.json"
VERSION = 1
PAGES = 2000
MOST_CONTENTS = 1_000_000  # bytes of what a backup says of itself; it names a handful of files
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_LEFT_OUT = re.compile(r"vectors-.*|.*\.copy\.sqlite3|.*\.tmp.*|.*\.broken-.*")
_COPIED = re.compile(r".*\.(?:sqlite3|key)")
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)  # msgspec's errors are ValueErrors

_OF_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

Progress = Callable[[int, int], None]
"""Told how many pages of a database, or rows, of how many are copied."""


class Contents(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    Attributes:
        version: of this form.
        made_at: when (aware, UTC).
        files: SHA-256 in hex, by name.
    """

    version: int
    made_at: datetime
    files: dict[str, str]


def back_up(folder: Path, file: Path, now: datetime, progress: Progress = lambda _done, _all: None) -> Sequence[str]:
    """Write everything that a data folder holds into one new file; returns the names of what it holds.

    Raises:
        StoreError: there is nothing to back up, the file is there already or cannot be written, or the data is broken.
        LibraryError: it is a machine's copy of a database.
    """
    if not folder.is_dir() or not any(_worth_keeping(folder)):
        raise StoreError(f"There is nothing in {folder} to back up.")
    refuse_copy(folder / LIBRARY_FILE)
    return _write(file, now, lambda gathered: _gather(folder, gathered, progress))


def back_up_chest(source: Source, secret: Path, file: Path, now: datetime, progress: Progress) -> Sequence[str]:
    """Write everything that a chest holds into one new file, in the form of a data folder; returns the file's parts.

    Args:
        source: what is to be kept.
        secret: goes along, where it is there.
        file: the new file.
        now: goes into it.
        progress: told how many rows of how many are done.

    Raises:
        StoreError: the file is there already or cannot be written, or the chest cannot be read.
    """

    def gather(gathered: Path) -> Iterator[str]:
        carry(source, FolderTarget(gathered), progress)
        if secret.exists():
            shutil.copyfile(secret, gathered / secret.name)
        names = (path.name for path in gathered.iterdir() if not _is_left_by_reading(path))
        yield from sorted(names, key=_rank)

    return _write(file, now, gather)


def _write(file: Path, now: datetime, gather: Callable[[Path], Iterable[str]]) -> Sequence[str]:
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        _refuse_overwriting(file)
        with TemporaryDirectory(prefix=".paperboy-", dir=file.parent) as gathered:
            names = list(gather(Path(gathered)))
            contents = Contents(VERSION, now, {name: _checksum(Path(gathered) / name) for name in names})
            _pack(Path(gathered), contents, unfinished)
        unfinished.replace(file)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The backup {file} cannot be written ({_reason(error)}); nothing was left of it.") from error
    finally:
        with suppress(OSError):  # where nothing can be written, nothing can be removed, and nothing is there
            unfinished.unlink(missing_ok=True)
    return names


def _refuse_overwriting(file: Path) -> None:
    if file.exists():
        raise StoreError(f"{file} is there already, and nothing is overwritten; name another file.")


def restore(file: Path, folder: Path) -> Contents:
    """Put a backup into a folder that is empty or not there yet; returns what the backup says of itself.

    Raises:
        StoreError: the folder holds something, or the file is no whole backup, or of a newer paperboy.
    """
    if not is_free(folder):
        raise StoreError(
            f"{folder} is not empty, and nothing is overwritten; name an empty or a new folder with PAPERBOY_HOME."
        )
    try:
        with filled(folder) as draft:
            return unpack(file, draft)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{folder} cannot be written ({_reason(error)}); nothing was left in it.") from error


def unpack(file: Path, folder: Path) -> Contents:
    """Put the parts of a backup into a new folder that is nobody's yet, checked, and brought to this version.

    Raises:
        StoreError: the file is no whole backup, or of a newer paperboy.
        OSError, sqlite3.Error: the folder cannot be written.
    """
    with _opened(file) as archive:
        contents = _unpack(archive, folder, file)
    try:
        _check_versions(folder, file)
        _check_state(folder, file)
        if (folder / DELIVERIES).exists():
            Outbox(folder).close()
        if (folder / LIBRARY_FILE).exists():
            migrate(folder / LIBRARY_FILE)
    except (sqlite3.Error, LibraryError) as error:
        if _is_of_disk(error):
            raise
        raise StoreError(
            f"{file} is not a backup that can be restored: a database in it is none of paperboy's "
            f"({_reason(error.__cause__ or error)}); nothing was restored."
        ) from error
    return contents


def _is_of_disk(error: BaseException) -> bool:
    """Whether it is the folder's fault, rather than what lies in it."""
    code = getattr(error.__cause__ or error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OF_DISK


def _worth_keeping(folder: Path) -> Iterator[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if any(name.startswith("state-") for name in names):
        yield snapshot_path(folder, FIRST).name
    yield from (name for name in names if _COPIED.fullmatch(name) and not _LEFT_OUT.fullmatch(name))


def _gather(folder: Path, target: Path, progress: Progress) -> Iterator[str]:
    """Copy what is worth keeping, deliveries first and the library last; yields the names."""
    for name in sorted(_worth_keeping(folder), key=_rank):
        if name.endswith(".sqlite3"):
            _copy_database(folder / name, target / name, progress)
        elif name.startswith("state-"):
            _copy_state(folder, target)
        else:
            shutil.copyfile(folder / name, target / name)
        yield name


def _is_left_by_reading(path: Path) -> bool:
    """Whether it is what SQLite leaves beside a file that was read, and tells nothing."""
    return path.name.endswith("-shm") or (path.name.endswith("-wal") and path.stat().st_size == 0)


def _rank(name: str) -> tuple[bool, bool, str]:
    return name == LIBRARY_FILE, name != DELIVERIES, name


def _copy_database(source: Path, target: Path, progress: Progress) -> None:
    with closing(_connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on it sees one state
        old.backup(new, pages=PAGES, progress=lambda _status, left, pages: progress(pages - left, pages))
        new.execute("PRAGMA journal_mode = DELETE")
        if new.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise StoreError(f"{source} is broken, so there is no backup of it; start paperboy to mend it.")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _copy_state(folder: Path, target: Path) -> None:
    found = read_state(folder)
    if found is None:
        return
    if found.damage:
        raise StoreError(f"{found.damage[0].path} is broken, so there is no backup of it; start paperboy to mend it.")
    snapshot = Snapshot(FORMAT, FIRST, found.sequence, found.tables)
    snapshot_path(target, FIRST).write_bytes(seal(snapshot))


def _pack(gathered: Path, contents: Contents, target: Path) -> None:
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # no link, nor a file of others
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
        body = msgspec.json.encode(contents)
        head = tarfile.TarInfo(CONTENTS)
        head.size, head.mtime = len(body), int(contents.made_at.timestamp())
        archive.addfile(head, io.BytesIO(body))
        for name in contents.files:
            archive.add(gathered / name, arcname=name, recursive=False)
    with target.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup; whatever shows that it is none, or not a whole one, is one sentence."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({_reason(error)}); nothing was restored.") from error
    try:
        with stream, tarfile.open(fileobj=stream, mode="r:gz") as archive:
            yield archive
    except _BROKEN as error:
        raise StoreError(f"{file} is not a whole backup of paperboy ({error}); nothing was restored.") from error


def _unpack(archive: tarfile.TarFile, target: Path, file: Path) -> Contents:
    first = archive.next()
    # A link would lead to another member, or to itself.
    known = first is not None and first.isreg() and first.name == CONTENTS and first.size <= MOST_CONTENTS
    body = archive.extractfile(first) if first is not None and known else None
    if body is None:
        raise StoreError(f"{file} is not a backup of paperboy; nothing was restored.")
    contents = msgspec.json.decode(body.read(), type=Contents)
    if contents.version > VERSION:
        raise StoreError(f"{file} was made by a newer paperboy; install that version to restore it.")
    for name, checksum in contents.files.items():
        member = archive.next()
        whole = member is not None and member.isreg() and member.name == name and _NAME.fullmatch(name)
        data = archive.extractfile(member) if member is not None and whole else None
        if data is None:
            raise StoreError(f"{file} is not a whole backup: {name[:80]!r} is missing; nothing was restored.")
        with (target / name).open("xb") as written:
            shutil.copyfileobj(data, written, 1 << 20)
        if _checksum(target / name) != checksum:
            raise StoreError(f"{file} is damaged: {name} is not what was backed up; nothing was restored.")
    return contents


def _check_versions(folder: Path, file: Path) -> None:
    for name, known in ((LIBRARY_FILE, len(STEPS)), (DELIVERIES, SCHEMA)):
        if (folder / name).exists():
            with closing(sqlite3.connect(folder / name)) as database:
                (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > known:
                raise StoreError(
                    f"{file} was made by a newer paperboy ({name} is of version {version}, this one knows {known}); "
                    "install that version to restore it."
                )


def _check_state(folder: Path, file: Path) -> None:
    try:
        read_state(folder)
    except StoreError as error:
        raise StoreError(
            f"{file} is not a backup that can be restored: its {snapshot_path(folder, FIRST).name} is no state of "
            "paperboy's, or of a newer one; nothing was restored."
        ) from error


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
