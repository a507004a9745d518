"""The storage below TinyDB: what is acknowledged stays, what is not leaves no trace."""

from __future__ import annotations

import errno
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinydb import where
from tinydb.table import Table

from core.errors import StoreError
from core.store.generations import journal_path, seal, snapshot_path
from core.store.journal import Disk, JournalStorage

AT = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)


class FailingDisk(Disk):
    """A disk that has room for so many more bytes, and may also fail in other ways."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.room = room
        self.fails_on: set[str] = set()

    def write(self, descriptor: int, data: bytes) -> None:
        fitting = data[: self.room]
        super().write(descriptor, fitting)
        self.room -= len(fitting)
        if len(fitting) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._fail("replace")
        super().replace(source, target)

    def _fail(self, call: str) -> None:
        if call in self.fails_on:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class PowerCutDisk(Disk):
    """A disk that loses, when the power is cut, whatever was not synced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced: dict[int, int] = {}  # inode -> bytes that are surely there

    def write(self, descriptor: int, data: bytes) -> None:
        status = os.fstat(descriptor)
        self._synced.setdefault(status.st_ino, status.st_size)
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        status = os.fstat(descriptor)
        self._synced[status.st_ino] = status.st_size

    def cut_power(self) -> None:
        for path in self._folder.iterdir():
            status = path.stat()
            os.truncate(path, self._synced.get(status.st_ino, status.st_size))


class HastyDisk(Disk):
    """A disk that does not wait, for tests that open many folders."""

    def sync(self, descriptor: int) -> None:
        """Nothing cuts the power here."""


HASTY = settings(deadline=None, max_examples=50)


def open_storage(folder: Path, **options: Any) -> JournalStorage:
    return JournalStorage(folder, now=lambda: AT, **options)


def open_table(storage: JournalStorage, name: str = "things") -> Table:
    return Table(storage, name, cache_size=0)


def fill(folder: Path, count: int, **options: Any) -> None:
    """Make `count` writes of one document each."""
    storage = open_storage(folder, **options)
    table = open_table(storage)
    for number in range(count):
        table.insert({"number": number})
    storage.close()


def read_numbers(folder: Path, **options: Any) -> list[int]:
    storage = open_storage(folder, **options)
    numbers = [document["number"] for document in open_table(storage)]
    storage.close()
    return numbers


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def generations(folder: Path) -> list[int]:
    return sorted(int(path.name[6:14]) for path in folder.glob("state-*.json"))


def break_file(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x01
    path.write_bytes(bytes(data))


def test_everything_tinydb_does_is_there_again_after_opening(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    table = open_table(storage)
    table.insert_multiple({"n": n, "deep": {"list": [n]}} for n in range(5))
    table.update({"n": 30}, where("n") == 3)
    table.update(lambda document: document["deep"]["list"].append("in place"), where("n") == 1)
    table.remove(where("n") == 2)
    open_table(storage, "other").insert({"x": None})
    before = storage.read()
    storage.close()
    again = open_storage(tmp_path)
    assert again.read() == before
    assert open_table(again).get(where("n") == 1)["deep"] == {"list": [1, "in place"]}
    again.close()


def test_a_write_appends_one_line_with_what_changed_alone(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    table = open_table(storage)
    table.insert_multiple({"n": n} for n in range(100))
    size = journal_path(tmp_path, 1).stat().st_size
    table.update({"n": 1000}, doc_ids=[7])
    line = journal_path(tmp_path, 1).read_bytes()[size:]
    assert msgspec.json.decode(line)["body"] == {"n": 2, "put": {"things": {"7": {"n": 1000}}}, "cut": {}}
    assert line.endswith(b"\n")
    storage.close()


def test_a_write_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    table = open_table(storage)
    table.insert({"n": 1})
    before = files(tmp_path)
    table.update({"n": 1})
    table.remove(where("n") == 2)
    assert files(tmp_path) == before
    storage.close()


def test_a_batch_is_one_line(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    with storage.batch():
        open_table(storage, "a").insert({"n": 1})
        open_table(storage, "b").insert({"n": 2})
    assert journal_path(tmp_path, 1).read_bytes().count(b"\n") == 1
    storage.close()


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    table = open_table(storage)
    table.insert({"n": 1})
    before = files(tmp_path)

    def fail_in_batch() -> None:
        with storage.batch():
            table.update({"n": 2})
            open_table(storage, "other").insert({"n": 3})
            raise KeyError

    with pytest.raises(KeyError):
        fail_in_batch()
    assert storage.read() == {"things": {"1": {"n": 1}}}
    table.insert({"n": 4})
    assert before[journal_path(tmp_path, 1).name] in files(tmp_path)[journal_path(tmp_path, 1).name]
    storage.close()
    assert open_storage(tmp_path, read_only=True).read() == {"things": {"1": {"n": 1}, "2": {"n": 4}}}


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_full_disk_is_one_sentence_and_changes_nothing(tmp_path: Path, room: int) -> None:
    disk = FailingDisk()
    storage = open_storage(tmp_path, disk=disk)
    table = open_table(storage)
    table.insert({"n": 1, "deep": [1]})
    before = files(tmp_path)
    disk.room = room
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\); nothing was changed\.$"):
        table.update(lambda document: document["deep"].append(2))
    assert files(tmp_path) == before
    assert storage.read() == {"things": {"1": {"n": 1, "deep": [1]}}}
    disk.room = 1 << 30
    table.insert({"n": 2})
    storage.close()
    assert open_storage(tmp_path, read_only=True).read() == {"things": {"1": {"n": 1, "deep": [1]}, "2": {"n": 2}}}


def test_a_line_that_did_not_reach_the_disk_for_sure_is_taken_back(tmp_path: Path) -> None:
    class OnceUnsynced(Disk):
        failing = False

        def sync(self, descriptor: int) -> None:
            if self.failing:
                self.failing = False
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync(descriptor)

    disk = OnceUnsynced()
    storage = open_storage(tmp_path, disk=disk)
    table = open_table(storage)
    table.insert({"number": 1})
    before = files(tmp_path)
    disk.failing = True
    with pytest.raises(StoreError, match="nothing was changed"):
        table.insert({"number": 2})
    assert files(tmp_path) == before
    table.insert({"number": 3})
    storage.close()
    assert read_numbers(tmp_path) == [1, 3]


def test_when_a_line_cannot_be_taken_back_nothing_more_is_written_until_it_is_opened_again(tmp_path: Path) -> None:
    disk = FailingDisk()
    storage = open_storage(tmp_path, disk=disk)
    table = open_table(storage)
    table.insert({"number": 1})
    disk.room, disk.fails_on = 20, {"truncate"}
    with pytest.raises(StoreError, match="nothing was changed"):
        table.insert({"number": 2})
    disk.room, disk.fails_on = 1 << 30, set()
    with pytest.raises(StoreError, match="until paperboy is started again"):
        table.insert({"number": 3})
    assert [document["number"] for document in table] == [1]
    storage.close()
    fill(tmp_path, 1)
    assert read_numbers(tmp_path) == [1, 0]


def test_no_acknowledged_write_is_lost_to_a_power_cut(tmp_path: Path) -> None:
    disk = PowerCutDisk(tmp_path)
    storage = open_storage(tmp_path, disk=disk, bound=300)
    table = open_table(storage)
    for number in range(20):
        table.insert({"number": number})
    disk.cut_power()
    storage.close()
    assert read_numbers(tmp_path) == list(range(20))


@HASTY
@given(cut=st.integers(min_value=1, max_value=400))
def test_a_torn_last_line_is_dropped_and_those_before_it_stay(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    fill(folder, 4, disk=HastyDisk())
    path = journal_path(folder, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    whole, last = b"".join(lines[:-1]), lines[-1]
    path.write_bytes(whole + last[: min(cut, len(last) - 1)])
    storage = open_storage(folder, disk=HastyDisk())
    assert [document["number"] for document in open_table(storage)] == [0, 1, 2]
    assert storage.notices == ()
    assert path.read_bytes() == whole
    open_table(storage).insert({"number": 9})
    storage.close()
    assert read_numbers(folder) == [0, 1, 2, 9]


def test_a_long_journal_begins_a_new_generation_and_one_older_is_kept(tmp_path: Path) -> None:
    fill(tmp_path, 60, bound=500)
    newest = generations(tmp_path)[-1]
    assert newest > 3
    assert generations(tmp_path) == [newest - 1, newest]
    assert sorted(path.name for path in tmp_path.glob("*.journal")) == [
        journal_path(tmp_path, newest - 1).name,
        journal_path(tmp_path, newest).name,
    ]
    assert read_numbers(tmp_path) == list(range(60))


def test_the_journal_may_grow_as_large_as_the_snapshot(tmp_path: Path) -> None:
    fill(tmp_path, 400, bound=500)
    written = generations(tmp_path)[-1]
    assert written < 40, "the state would be written anew all the time"


@pytest.mark.parametrize("failing", [{"replace"}, {"room"}])
def test_a_write_is_acknowledged_even_when_no_new_generation_can_begin(tmp_path: Path, failing: set[str]) -> None:
    class NoSnapshots(Disk):
        def write(self, descriptor: int, data: bytes) -> None:
            if failing == {"room"} and b'"generation"' in data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(descriptor, data)

        def replace(self, source: Path, target: Path) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    fill(tmp_path, 1)
    storage = open_storage(tmp_path, disk=NoSnapshots(), bound=200)
    for number in range(1, 30):
        open_table(storage).insert({"number": number})
    assert generations(tmp_path) == [1]
    storage.close()
    assert read_numbers(tmp_path) == list(range(30))
    fill(tmp_path, 5, bound=200)
    assert generations(tmp_path)[-1] > 1
    assert read_numbers(tmp_path) == [*range(30), *range(5)]


def test_writes_after_a_snapshot_that_was_not_surely_on_the_disk_are_found_again(tmp_path: Path) -> None:
    class FolderUnsynced(Disk):
        def sync(self, descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync(descriptor)

    fill(tmp_path, 1)
    storage = open_storage(tmp_path, disk=FolderUnsynced(), bound=300)
    for number in range(1, 10):
        open_table(storage).insert({"number": number})
    assert generations(tmp_path) == [1, 2], "the snapshot is there, and the journal before it went on"
    storage.close()
    assert read_numbers(tmp_path) == list(range(10))


@HASTY
@given(place=st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_broken_snapshot_loses_nothing_wherever_it_is_broken(
    place: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    fill(folder, 25, bound=500, disk=HastyDisk())
    path = snapshot_path(folder, generations(folder)[-1])
    break_file(path, int(place * (path.stat().st_size - 1)))
    broken = path.read_bytes()
    storage = open_storage(folder, disk=HastyDisk())
    assert [document["number"] for document in open_table(storage)] == list(range(25))
    aside = path.with_name(f"{path.name}.broken-20261001T080000Z")
    assert aside.read_bytes() == broken
    assert len(storage.notices) == 1
    assert str(path) in storage.notices[0]
    assert aside.name in storage.notices[0]
    storage.close()
    again = open_storage(folder, disk=HastyDisk())
    assert again.notices == ()
    assert len(open_table(again)) == 25
    again.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"{}", b"not json", b'{"sum":"0","body":{}}'])
def test_a_snapshot_with_strange_contents_is_broken(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path, 25, bound=500)
    snapshot_path(tmp_path, generations(tmp_path)[-1]).write_bytes(content)
    assert read_numbers(tmp_path) == list(range(25))


def test_snapshots_may_break_again_and_again(tmp_path: Path) -> None:
    fill(tmp_path, 25, bound=500)
    for _ in range(4):
        break_file(snapshot_path(tmp_path, generations(tmp_path)[-1]), 60)
        fill(tmp_path, 1, bound=1 << 20)
    assert read_numbers(tmp_path) == [*range(25), 0, 0, 0, 0]
    assert len(list(tmp_path.glob("*.broken-*"))) == 4


def test_the_first_snapshot_is_empty_and_may_break(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    break_file(snapshot_path(tmp_path, 1), 5)
    assert read_numbers(tmp_path) == [0, 1, 2]


def test_a_broken_line_ends_what_can_be_restored_and_the_rest_is_set_aside(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    path = journal_path(tmp_path, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    break_file(path, len(b"".join(lines[:3])) + 50)
    broken = path.read_bytes()
    storage = open_storage(tmp_path)
    assert [document["number"] for document in open_table(storage)] == [0, 1, 2]
    assert len(storage.notices) == 1
    assert "line 4" in storage.notices[0]
    assert "3 writes are missing" in storage.notices[0]
    assert path.with_name(f"{path.name}.broken-20261001T080000Z").read_bytes() == broken
    open_table(storage).insert({"number": 7})
    storage.close()
    assert read_numbers(tmp_path) == [0, 1, 2, 7]


def test_a_broken_snapshot_after_a_broken_journal_is_told_and_nothing_is_mixed(tmp_path: Path) -> None:
    fill(tmp_path, 25, bound=500)
    newest = generations(tmp_path)[-1]
    fill(tmp_path, 3, bound=1 << 20)
    break_file(snapshot_path(tmp_path, newest), 60)
    break_file(journal_path(tmp_path, newest - 1), 60)
    storage = open_storage(tmp_path)
    numbers = [document["number"] for document in open_table(storage)]
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < 25
    assert len(storage.notices) == 3
    storage.close()
    assert read_numbers(tmp_path) == numbers


def test_what_cannot_be_known_is_not_guessed(tmp_path: Path) -> None:
    fill(tmp_path, 40, bound=300)
    for generation in generations(tmp_path):
        break_file(snapshot_path(tmp_path, generation), 60)
    before = files(tmp_path)
    with pytest.raises(StoreError, match="restore a backup"):
        open_storage(tmp_path)
    assert files(tmp_path) == before


class Newer(msgspec.Struct):
    """What a later version may write."""

    format: int
    invented: str


def test_a_state_of_a_newer_paperboy_is_not_touched(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    path = snapshot_path(tmp_path, 1)
    path.write_bytes(seal(Newer(2, "a field of the future")))
    before = files(tmp_path)
    with pytest.raises(StoreError, match=r"state version 2; this one knows versions up to 1"):
        open_storage(tmp_path)
    assert files(tmp_path) == before


def test_reading_alone_changes_no_file_and_takes_no_write(tmp_path: Path) -> None:
    fill(tmp_path, 25, bound=500)
    newest = generations(tmp_path)[-1]
    break_file(snapshot_path(tmp_path, newest), 60)
    with journal_path(tmp_path, newest).open("ab") as journal:
        journal.write(b'{"sum":"torn')
    before = files(tmp_path)
    storage = open_storage(tmp_path, read_only=True)
    assert [document["number"] for document in open_table(storage)] == list(range(25))
    assert len(storage.notices) == 1
    with pytest.raises(StoreError, match="reading only"):
        open_table(storage).insert({"number": 1})
    assert len(open_table(storage)) == 25
    storage.close()
    assert files(tmp_path) == before


def test_reading_sees_each_acknowledged_write_while_another_writes(tmp_path: Path) -> None:
    storage = open_storage(tmp_path, bound=300)
    table = open_table(storage)
    for number in range(40):
        table.insert({"number": number})
        assert read_numbers(tmp_path, read_only=True) == list(range(number + 1))
    storage.close()


def test_reading_at_any_instant_sees_all_that_was_acknowledged_before_and_nothing_broken(tmp_path: Path) -> None:
    storage = open_storage(tmp_path, bound=100, disk=HastyDisk())
    table = open_table(storage)
    acknowledged = [0]

    def write() -> None:
        for number in range(150):
            table.insert({"number": number % 3})
            acknowledged[0] = number + 1
            if number % 3 == 2:  # the state stays small, so that every few writes begin a new generation
                table.truncate()

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        before = acknowledged[0]
        reader = open_storage(tmp_path, read_only=True)
        assert reader.notices == ()
        assert reader._sequence >= before
        assert [document["number"] for document in open_table(reader)] in ([], [0], [0, 1], [0, 1, 2])
    writer.join()
    storage.close()


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    assert open_storage(tmp_path / "none", read_only=True).read() is None
    assert not (tmp_path / "none").exists()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    names = ["state-1.json", "state-00000002.json.bak", "notes.txt", "state.tmp"]
    for name in names[:3]:
        (tmp_path / name).write_text("mine")
    (tmp_path / "state.tmp").write_text("left over from a kill")
    fill(tmp_path, 60, bound=500)
    assert [(tmp_path / name).read_text() for name in names[:3]] == ["mine"] * 3
    assert read_numbers(tmp_path) == list(range(60))


def test_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    fill(tmp_path, 10, bound=200)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("state-*")} == {0}
