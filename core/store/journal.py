"""EDGE. A TinyDB storage that survives a kill at any instant.

TinyDB's own JSONStorage rewrites its file in place with every write: slow, and a kill in between leaves no state at
all. This one keeps the documents in memory and appends what a write changed as one line to a journal; when that line is
on the disk, the write is acknowledged. `generations.py` tells what the files hold and reads them.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from tinydb import Storage

from core.clock import Clock, system_clock
from core.errors import StoreError
from core.store.generations import (
    FIRST,
    FORMAT,
    Damage,
    Entry,
    Found,
    Snapshot,
    Tables,
    journal_path,
    list_generations,
    read_state,
    seal,
    snapshot_path,
)

JOURNAL_BOUND = 1_000_000
_log = logging.getLogger(__name__)


class Disk:
    """The calls that change files, as one argument, so that a test can let them fail."""

    def write(self, descriptor: int, data: bytes) -> None:
        """Append all of the data."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync(self, descriptor: int) -> None:
        """Return when the file or folder is on the disk."""
        os.fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to its first `size` bytes."""
        os.ftruncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, in place of the target."""
        source.replace(target)


class JournalStorage(Storage):
    """The tables in memory, every acknowledged write on the disk.

    Attributes:
        notices: one sentence for each file that was broken, and what became of it.

    Args:
        folder: where the files lie; it exists.
        read_only: touch nothing, and do not ask whether somebody else is writing.
        bound: bytes of journal after which a new snapshot is written (or the size of the snapshot, if that is more).
        disk: the calls that change files.
        now: names the files that are set aside.

    Raises:
        StoreError: the files cannot be read, or not be repaired.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        bound: int = JOURNAL_BOUND,
        disk: Disk | None = None,
        now: Clock = system_clock,
    ) -> None:
        found = read_state(folder) or Found()
        self._folder, self._bound, self._disk, self._now = folder, bound, disk or Disk(), now
        self._live, self._kept = found.tables, deepcopy(found.tables)
        self._clean = dict(self._live)
        self._sequence, self._generation, self._base = found.sequence, found.newest, found.base or FIRST
        self._size, self._compact_at = found.size, max(bound, found.snapshot_size)
        self._descriptor: int | None = None
        self._in_batch = False
        self._refusal = "This store was opened for reading only." if read_only else ""
        self.notices: tuple[str, ...] = tuple(map(_tell, found.damage))
        if not read_only:
            self._open(found)

    def read(self) -> Tables | None:
        """Return the tables; TinyDB changes them and hands them back to `write`."""
        return dict(self._live) or None

    def write(self, data: Tables) -> None:
        """Keep what changed; inside a batch, at its end.

        Raises:
            StoreError: nothing was kept, in memory as on the disk.
        """
        self._live = {name: table for name, table in data.items() if table}
        if not self._in_batch:
            self._commit()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all writes of the block one: all are kept, or, when anything is raised, none."""
        self._in_batch = True
        try:
            yield
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_batch = False

    def close(self) -> None:
        """Let go of the journal."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._refusal = None, "The store is closed."

    def _commit(self) -> None:
        touched = {*self._live, *self._clean}
        touched = {name for name in touched if self._live.get(name) is not self._clean.get(name)}
        entry = self._difference(touched)
        if entry.put or entry.cut:
            try:
                self._append(seal(entry))
            except BaseException:
                self._roll_back()
                raise
            self._acknowledge(entry)
        self._clean = dict(self._live)
        if self._size > self._compact_at:
            self._compact()

    def _difference(self, touched: set[str]) -> Entry:
        entry = Entry(self._sequence + 1, {}, {})
        for name in touched:
            new, old = self._live.get(name, {}), self._kept.get(name, {})
            if put := {key: document for key, document in new.items() if old.get(key) != document}:
                entry.put[name] = put
            if cut := [key for key in old if key not in new]:
                entry.cut[name] = cut
        return entry

    def _acknowledge(self, entry: Entry) -> None:
        self._sequence = entry.n
        for name, documents in entry.put.items():
            self._kept.setdefault(name, {}).update(deepcopy(documents))
        for name, keys in entry.cut.items():
            for key in keys:
                del self._kept[name][key]
            if not self._kept[name]:
                del self._kept[name]

    def _roll_back(self) -> None:
        """Undo what was not acknowledged; TinyDB changes documents in place, so they are copied anew."""
        for name in {*self._live, *self._clean}:
            if self._live.get(name) is not self._clean.get(name):
                self._live.pop(name, None)
                if name in self._kept:
                    self._live[name] = deepcopy(self._kept[name])
        self._clean = dict(self._live)

    def _append(self, line: bytes) -> None:
        if self._refusal or self._descriptor is None:
            raise StoreError(self._refusal)
        try:
            self._disk.write(self._descriptor, line)
            self._disk.sync(self._descriptor)
        except OSError as error:
            self._undo_append(self._descriptor)
            path = journal_path(self._folder, self._generation)
            raise StoreError(f"{path} cannot be written ({error.strerror}); nothing was changed.") from error
        self._size += len(line)

    def _undo_append(self, descriptor: int) -> None:
        try:
            self._disk.truncate(descriptor, self._size)
            self._disk.sync(descriptor)
        except OSError as error:
            self._refusal = (
                f"The data folder {self._folder} failed in the middle of a write ({error.strerror}), and nothing "
                "more is written until paperboy is started again."
            )
            _log.error(self._refusal)

    def _compact(self) -> None:
        """Begin a new generation; when that fails the old one goes on, and it is tried again later."""
        try:
            self._publish(self._generation + 1, prune_below=self._base)
        except OSError as error:
            self._compact_at = self._size + self._bound
            _log.warning(
                "No new snapshot could be written to %s (%s); the journal goes on.", self._folder, error.strerror
            )

    def _publish(self, generation: int, *, prune_below: int) -> None:
        """Write the state as a new generation, and go on there once all of it is on the disk."""
        content = seal(Snapshot(FORMAT, generation, self._sequence, self._live))
        descriptor = self._open_file(journal_path(self._folder, generation))
        try:
            self._write_snapshot(content, snapshot_path(self._folder, generation))
        except OSError:
            os.close(descriptor)
            raise
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._size, self._compact_at = descriptor, 0, max(self._bound, len(content))
        self._generation = self._base = generation
        self._prune(prune_below)

    def _write_snapshot(self, content: bytes, path: Path) -> None:
        temporary = self._folder / "state.tmp"
        temporary.unlink(missing_ok=True)
        descriptor = self._open_file(temporary)
        try:
            self._disk.write(descriptor, content)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        self._disk.replace(temporary, path)
        self._sync_folder()

    def _prune(self, generation: int) -> None:
        for kind, path in (("json", snapshot_path), ("journal", journal_path)):
            for old in list_generations(self._folder, kind):
                if old < generation:
                    path(self._folder, old).unlink(missing_ok=True)

    def _open(self, found: Found) -> None:
        try:
            asides = [self._set_aside(damage) for damage in found.damage]
            self.notices = tuple(map(_tell, found.damage, asides))
            if found.damage or found.newest == 0:
                self._publish(found.newest + 1, prune_below=self._base)
            else:
                self._descriptor = self._open_file(journal_path(self._folder, found.newest))
                self._disk.truncate(self._descriptor, found.size)
                self._disk.sync(self._descriptor)
        except OSError as error:
            raise StoreError(f"The data folder {self._folder} cannot be written: {error.strerror}.") from error

    def _set_aside(self, damage: Damage) -> Path:
        """Keep a broken file under another name; of a journal, the lines that can be used stay."""
        aside = self._free_name(damage.path)
        if damage.good is None:
            self._disk.replace(damage.path, aside)
        else:
            shutil.copyfile(damage.path, aside)
            descriptor = self._open_file(damage.path)
            try:
                self._disk.truncate(descriptor, damage.good)
                self._disk.sync(descriptor)
            finally:
                os.close(descriptor)
        self._sync_folder()
        return aside

    def _free_name(self, path: Path) -> Path:
        name = f"{path.name}.broken-{self._now():%Y%m%dT%H%M%SZ}"
        taken = {other.name for other in self._folder.glob(f"{name}*")}
        return self._folder / (f"{name}-{len(taken) + 1}" if taken else name)

    def _open_file(self, path: Path) -> int:
        return os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)


def _tell(damage: Damage, aside: Path | None = None) -> str:
    return f"{damage.path} was broken: {damage.told}" + (
        f"; the broken file is kept as {aside.name}." if aside else "."
    )
