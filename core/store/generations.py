"""EDGE. The files of the small state, and how they are read; nothing here writes.

The state lives in generations. Generation 7 is a snapshot, `state-00000007.json`, and the journal of what came after
it, `state-00000007.journal`, one line a write. Snapshot 8 is snapshot 7 with all of journal 7. The last two generations
are kept, so that a broken snapshot 8 costs nothing: 7, its journal and journal 8 make the same state.

Snapshots and lines are JSON documents in one envelope, `{"sum": checksum of the body, "body": ...}`. Writes are
numbered without a gap, which is how a missing file or line is noticed. Bytes behind the last newline of a journal are a
write that was never acknowledged; they are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from core.errors import StoreError

FORMAT = 1
FIRST = 1
_NAME = re.compile(r"state-(\d{8})\.(json|journal)")
_READ_ATTEMPTS = 5
_CHANGES = 1_000
"""So often the files may be replaced by the service while they are read; it takes a megabyte of writes each time."""

Tables: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""Table name -> document id -> document, as TinyDB keeps them."""


class Snapshot(msgspec.Struct, forbid_unknown_fields=True):
    """The whole state after the write `sequence`."""

    format: int
    generation: int
    sequence: int
    tables: Tables


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One write: the documents it put and the ids it cut, by table."""

    n: int
    put: Tables
    cut: dict[str, list[str]]


_Content = TypeVar("_Content", Snapshot, Entry)


class _Envelope(msgspec.Struct):
    sum: str
    body: msgspec.Raw


class _Format(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that cannot be (wholly) read.

    Attributes:
        path: the file.
        good: how many bytes of it can be used; None for a snapshot, which is used whole or not at all.
        told: what follows from it, one sentence that goes behind the file's name.
    """

    path: Path
    good: int | None
    told: str


@dataclass(slots=True)
class Found:
    """What the files of a folder say.

    Attributes:
        base: generation of the snapshot that was read, or None where the journals alone made the state.
        newest: the highest generation that has a file.
        size: how many bytes of the newest generation's journal are whole lines.
    """

    tables: Tables = field(default_factory=dict)
    sequence: int = 0
    base: int | None = None
    newest: int = 0
    size: int = 0
    snapshot_size: int = 0
    damage: list[Damage] = field(default_factory=list)


def snapshot_path(folder: Path, generation: int) -> Path:
    """Return where a generation's snapshot lies."""
    return folder / f"state-{generation:08d}.json"


def journal_path(folder: Path, generation: int) -> Path:
    """Return where a generation's journal lies."""
    return folder / f"state-{generation:08d}.journal"


def seal(content: msgspec.Struct) -> bytes:
    """Encode a snapshot or a journal line, checksum included, with a newline behind it."""
    body = msgspec.json.encode(content)
    return msgspec.json.encode(_Envelope(_checksum(body), msgspec.Raw(body))) + b"\n"


def read_state(folder: Path) -> Found | None:
    """Read the newest state that the files hold; None where there are no files yet.

    The service may go on writing meanwhile: what is returned was the state at one instant of the reading.

    Raises:
        StoreError: a newer program wrote the files, or too much of them is gone to know the state.
    """
    damaged = 0
    for _ in range(_CHANGES):
        before = _files(folder)
        found = _read_once(folder, *before)
        # What looks broken or gone may have been replaced while it was read; only what stays so is damage.
        if _files(folder) == before:
            damaged += bool(found.damage)
            if not found.damage or damaged == _READ_ATTEMPTS:
                break
    if not found.newest:
        return None
    if found.base is None and not journal_path(folder, FIRST).exists():
        raise StoreError(
            f"The state in {folder} cannot be read: no snapshot (state-*.json) is whole, and the journals do not reach "
            "back to the beginning; restore a backup, or move the files state-* away to begin anew."
        )
    return found


def list_generations(folder: Path, kind: str) -> list[int]:
    """Return the generations that have a file of a kind (`json` or `journal`), ascending."""
    names = (_NAME.fullmatch(path.name) for path in _listing(folder))
    return sorted(int(match[1]) for match in names if match and match[2] == kind)


def _files(folder: Path) -> tuple[list[int], list[int]]:
    return list_generations(folder, "json"), list_generations(folder, "journal")


def _listing(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise StoreError(f"The data folder {folder} is a file; name a folder with PAPERBOY_HOME.") from error
    except OSError as error:
        raise StoreError(f"The data folder {folder} cannot be read: {error.strerror}.") from error


def _read_once(folder: Path, snapshots: list[int], journals: list[int]) -> Found:
    found = Found(newest=max(snapshots + journals, default=0))
    for generation in reversed(snapshots):
        if _read_snapshot(snapshot_path(folder, generation), found):
            break
    for generation in journals:
        size = _replay(journal_path(folder, generation), found, old=generation < (found.base or FIRST))
        found.size = size if generation == found.newest else 0
    return found


def _read_snapshot(path: Path, found: Found) -> bool:
    data = _bytes(path)
    snapshot = _unseal(data, Snapshot, path)
    if snapshot is None:
        found.damage.append(Damage(path, None, "everything in it was restored from the files of the generation before"))
        return False
    found.tables, found.sequence, found.base = snapshot.tables, snapshot.sequence, snapshot.generation
    found.snapshot_size = len(data)
    return True


def _replay(path: Path, found: Found, *, old: bool) -> int:
    """Apply the lines that follow the state, and return how many bytes of the file can be used.

    What cannot be read of an `old` journal is of no account: the snapshot behind it holds everything.
    """
    data, start = _bytes(path), 0
    while (end := data.find(b"\n", start)) != -1:
        entry = _unseal(data[start:end], Entry, path)
        if entry is None or entry.n > found.sequence + 1:
            if not old:
                found.damage.append(Damage(path, start, _tell_lost(data, start)))
            break
        if entry.n == found.sequence + 1:
            apply(entry, found.tables)
            found.sequence = entry.n
        start = end + 1
    return start


def _tell_lost(data: bytes, start: int) -> str:
    line, lost = data.count(b"\n", 0, start) + 1, data.count(b"\n", start)
    return (
        f"the state was restored up to its line {line}, from which on it cannot be used: {lost} "
        f"{'write is' if lost == 1 else 'writes are'} missing"
    )


def apply(entry: Entry, tables: Tables) -> None:
    """Do one write again."""
    for name, documents in entry.put.items():
        tables.setdefault(name, {}).update(documents)
    for name, identifiers in entry.cut.items():
        table = tables.get(name, {})
        for identifier in identifiers:
            table.pop(identifier, None)
        if not table:
            tables.pop(name, None)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error


def _unseal(data: bytes, kind: type[_Content], path: Path) -> _Content | None:
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.sum != _checksum(envelope.body):
            return None
        if kind is Snapshot:
            _check_format(msgspec.json.decode(envelope.body, type=_Format).format, path)
        return msgspec.json.decode(envelope.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _check_format(written: int, path: Path) -> None:
    if written > FORMAT:
        raise StoreError(
            f"{path} was written by a newer paperboy (state version {written}; this one knows versions up to "
            f"{FORMAT}); install that version again."
        )


def _checksum(body: bytes | msgspec.Raw) -> str:
    return blake2b(bytes(body), digest_size=16).hexdigest()
