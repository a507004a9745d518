"""The embedded store on real files: one owner, readers beside it, kills, full disks, broken files."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import StoreBusy, StoreError
from core.store import State
from core.store.documents import CHANGES_KEPT, TEXTS_KEPT_A_PART, Documents
from core.store.embedded import EmbeddedStore, migrate
from core.store.journal import Disk, JournalStorage
from core.store.outbox_file import COPY, FILE
from core.store.texts import text_token
from tests.fakes import NOON, PAPER, TODAY, make_change, make_delivery, make_mark, make_subscription, read_whole

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import asyncio, sys
from pathlib import Path
from core.store.embedded import EmbeddedStore
from tests.fakes import make_change, make_subscription

async def own():
    store = await EmbeddedStore.open(Path(sys.argv[1]))
    await store.add_subscription(make_subscription("owned"), make_change())
    print("open", flush=True)
    sys.stdin.read()

asyncio.run(own())
"""
LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from core.errors import StoreError
from core.store.embedded import EmbeddedStore
from tests.fakes import make_change, make_delivery, make_subscription

async def fill():
    store = await EmbeddedStore.open(Path(sys.argv[1]))
    write = {
        "subscriptions": lambda n: store.add_subscription(make_subscription(f"s{n}"), make_change()),
        "deliveries": lambda n: store.enqueue(make_delivery(f"s{n}", message="m" * 5000)),
    }[sys.argv[2]]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), hard))
    done = 0
    try:
        while True:
            await write(done)
            done += 1
    except StoreError as error:
        print(error, file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await write(done)
    print(done + 1)
    await store.close()

asyncio.run(fill())
"""
UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from core.errors import StoreError
from core.store.embedded import EmbeddedStore

if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    asyncio.run(EmbeddedStore.open(Path(sys.argv[1])))
except StoreError as error:
    print(error)
"""


@asynccontextmanager
async def opened(folder: Path, **options: object) -> AsyncIterator[EmbeddedStore]:
    store = await EmbeddedStore.open(folder, **options)  # type: ignore[arg-type]
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def owned_by_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, folder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)


async def fill(store: EmbeddedStore) -> None:
    """Keep one of everything."""
    await store.add_subscription(make_subscription("s1"), make_change())
    await store.enqueue(make_delivery("s1"))
    await store.enqueue(make_delivery("s1", TODAY - timedelta(days=1), state=State.SENT))
    await store.mark(make_mark("saved"))
    await store.set_fact("fact", "1")


def read_files(folder: Path) -> dict[str, bytes]:
    """All files, but for what SQLite keeps beside its own while anybody reads it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))}


def cut_newest_snapshot(folder: Path) -> Path:
    newest = max(folder.glob("state-*.json"))
    newest.write_bytes(newest.read_bytes()[:-9])
    return newest


def damage(path: Path) -> None:
    path.write_bytes(b"\xff" * 5000 + path.read_bytes()[5000:])


async def test_everything_is_there_again_after_opening_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        token = await store.keep_text("a long query")
        before = await read_whole(store)
    async with opened(tmp_path) as again:
        assert await read_whole(again) == before
        assert await again.kept_text(token) == "a long query"
        assert again.notices == ()


async def test_another_process_is_refused_with_the_owners_number(tmp_path: Path) -> None:
    with owned_by_another_process(tmp_path) as owner:
        with pytest.raises(StoreBusy) as refusal:
            await EmbeddedStore.open(tmp_path)
        assert str(refusal.value) == (
            f"paperboy is already running on {tmp_path} (process {owner.pid}); "
            "stop it first, or name another folder with PAPERBOY_HOME."
        )


async def test_the_lock_of_a_killed_process_does_not_block(tmp_path: Path) -> None:
    with owned_by_another_process(tmp_path) as owner:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        async with opened(tmp_path) as store:
            assert [s.id for s in await store.subscriptions()] == ["owned"]


async def test_the_lock_holds_within_one_process_too_and_ends_with_closing(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
            await EmbeddedStore.open(tmp_path)
    async with opened(tmp_path):
        assert (tmp_path / "paperboy.pid").exists()
    assert not (tmp_path / "paperboy.pid").exists()


async def test_a_refusal_needs_no_number_of_the_owner(tmp_path: Path) -> None:
    async with opened(tmp_path):
        (tmp_path / "paperboy.pid").write_text("")
        with pytest.raises(StoreBusy, match=r"running on \S+; stop it first"):
            await EmbeddedStore.open(tmp_path)


async def test_a_reader_sees_the_current_state_of_a_running_service(tmp_path: Path) -> None:
    async with opened(tmp_path, journal_bound=500) as service:
        for number in range(12):
            await service.add_subscription(make_subscription(f"s{number}"), make_change())
            await service.enqueue(make_delivery(f"s{number}"))
            async with opened(tmp_path, read_only=True) as reader:
                assert await read_whole(reader) == await read_whole(service)


async def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
    before = read_files(tmp_path)
    async with opened(tmp_path, read_only=True) as reader:
        subscription = await reader.subscription("s1")
        assert subscription is not None
        for refused in (
            reader.add_subscription(make_subscription("s2"), make_change()),
            reader.replace_subscription(replace(subscription, top=1), make_change()),
            reader.remove_subscriptions(["s1"], make_change()),
            reader.enqueue(make_delivery("s2")),
            reader.move(make_delivery(), expected=State.PENDING),
            reader.prune(NOON + timedelta(days=1)),
            reader.mark(make_mark()),
            reader.keep_text("text"),
            reader.set_fact("fact", "2"),
        ):
            with pytest.raises(StoreError, match="reading only"):
                await refused
        assert await reader.fact("fact") == "1"
        assert await reader.subscription("s1") == subscription
    assert read_files(tmp_path) == before


async def test_a_reader_of_a_folder_that_is_not_there_sees_an_empty_store_and_makes_none(tmp_path: Path) -> None:
    async with opened(tmp_path / "data", read_only=True) as reader:
        assert list(await reader.subscriptions()) == []
        assert list(await reader.open_deliveries()) == []
    assert not (tmp_path / "data").exists()


async def test_a_reader_sees_what_a_killed_process_left(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store)
        shutil.copytree(tmp_path / "data", tmp_path / "killed")  # its SQLite journal was not folded in
        before = await read_whole(store)
    async with opened(tmp_path / "killed", read_only=True) as reader:
        assert await read_whole(reader) == before


async def test_the_data_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    async with opened(folder) as store:
        await fill(store)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.name for path in folder.iterdir() if path.stat().st_mode & 0o077} <= {
            "paperboy.lock",
            "paperboy.pid",
        }


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("path", ["file", "file/below"])
async def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path, path: str, read_only: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=f"{tmp_path / path}.* is a file") as refusal:
        await EmbeddedStore.open(tmp_path / path, read_only=read_only)
    assert "\n" not in str(refusal.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "data"])
def test_a_folder_that_cannot_be_written_is_one_sentence(below: str) -> None:
    with tempfile.TemporaryDirectory() as parent:  # not below tmp_path, which only its owner may enter
        folder = Path(parent)
        folder.chmod(0o555)
        told = run_script(UNPRIVILEGED, folder / below).stdout
    assert told == f"The data folder {folder / below} cannot be used: Permission denied.\n"


async def test_a_store_that_could_not_be_opened_lets_go_of_the_folder(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match=r"deliveries version 7; this one knows versions up to 2"):
        await EmbeddedStore.open(tmp_path)
    with pytest.raises(StoreError, match=r"deliveries version 7"):
        await EmbeddedStore.open(tmp_path, read_only=True)
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("PRAGMA user_version = 2")
    async with opened(tmp_path) as store:
        assert store.notices == ()


async def test_deliveries_of_the_version_before_are_brought_to_this_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(make_delivery())
        before = await store.delivery("s1", TODAY)
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("ALTER TABLE deliveries DROP COLUMN told")
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreError, match=r"deliveries version 1, this one needs 2\); run `paperboy migrate`"):
        await EmbeddedStore.open(tmp_path, read_only=True)
    async with opened(tmp_path) as store:
        assert await store.delivery("s1", TODAY) == before
        assert await store.told("slack:T1/C1", NOON) == frozenset()


async def test_a_cancelled_caller_leaves_a_whole_write_or_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        tasks = [
            asyncio.create_task(store.add_subscription(make_subscription(f"s{n}"), make_change(f"s{n}")))
            for n in range(30)
        ]
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        kept = {s.id for s in await store.subscriptions()}
        assert {change.what for change in await store.changes()} == kept
        added = await store.add_subscription(make_subscription("last"), make_change("last"))
        assert added.number == len(kept) + 1
    async with opened(tmp_path, read_only=True) as again:
        assert {s.id for s in await again.subscriptions()} == {*kept, "last"}


async def test_a_cancelled_opening_lets_go_of_the_folder(tmp_path: Path) -> None:
    opening = asyncio.create_task(EmbeddedStore.open(tmp_path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    for _ in range(500):
        try:
            store = await EmbeddedStore.open(tmp_path)
            break
        except StoreBusy:  # the opening that nobody waits for has not ended yet
            await asyncio.sleep(0.01)
    await store.close()


async def test_closing_waits_for_what_was_begun_and_ends_everything_after(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path)
    begun = [asyncio.create_task(store.set_fact(f"fact {n}", str(n))) for n in range(10)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*begun)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.fact("fact 1")
    async with opened(tmp_path, read_only=True) as again:
        assert [await again.fact(f"fact {n}") for n in range(10)] == [str(n) for n in range(10)]


async def test_a_full_disk_refuses_the_write_and_the_rest_goes_on(tmp_path: Path) -> None:
    class FullDisk(Disk):
        full = False

        def write(self, descriptor: int, data: bytes) -> None:
            if self.full:
                super().write(descriptor, data[:30])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(descriptor, data)

    disk = FullDisk()
    async with opened(tmp_path, disk=disk) as store:
        await fill(store)
        before = await read_whole(store)
        disk.full = True
        with pytest.raises(StoreError, match="No space left on device"):
            await store.add_subscription(make_subscription("s2"), make_change())
        with pytest.raises(StoreError, match="No space left on device"):
            await store.remove_subscriptions(["s1"], make_change())
        assert await read_whole(store) == before
        disk.full = False
        assert (await store.add_subscription(make_subscription("s2"), make_change())).number == 2


@pytest.mark.parametrize(("what", "limit"), [("subscriptions", 20_000), ("deliveries", 200_000)])
async def test_a_file_that_cannot_grow_costs_no_acknowledged_write(tmp_path: Path, what: str, limit: int) -> None:
    run = run_script(LIMITED, tmp_path, what, limit)
    assert run.stderr.count("\n") == 1, run.stderr
    assert str(tmp_path) in run.stderr
    written = int(run.stdout)
    assert written > 5
    async with opened(tmp_path) as store:
        kept = {"subscriptions": await store.subscriptions(), "deliveries": await store.open_deliveries()}
        assert len(kept[what]) == written
        assert store.notices == ()


async def test_a_removal_that_was_killed_half_way_is_finished(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        await store.enqueue(make_delivery("s2"))
    storage = JournalStorage(tmp_path)  # the journal's line is all that a removal wrote before the kill
    assert Documents(storage).remove_subscriptions(["s1"], make_change()) == 1
    storage.close()
    async with opened(tmp_path) as store:
        assert [d.subscription for d in await store.open_deliveries()] == ["s2"]
        assert await store.enqueue(make_delivery("s1")) is True  # what comes later is not of that removal
    async with opened(tmp_path) as store:
        assert [d.subscription for d in await store.open_deliveries()] == ["s1", "s2"]


async def test_a_removal_whose_deliveries_cannot_be_forgotten_now_is_finished_before_they_are_seen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as blocking:
            blocking.execute("BEGIN IMMEDIATE")
            assert await store.remove_subscriptions(["s1"], make_change()) == 1
            assert "forgotten later" in caplog.text
            with pytest.raises(StoreError, match="locked"):
                await store.open_deliveries()
            blocking.execute("ROLLBACK")
        assert list(await store.open_deliveries()) == []


async def test_broken_deliveries_come_back_from_their_copy_and_it_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        await store.prune(NOON - timedelta(days=90))
        copied = await read_whole(store)
        await store.enqueue(make_delivery("later"))
    damage(tmp_path / FILE)
    broken = (tmp_path / FILE).read_bytes()
    async with opened(tmp_path, clock=lambda: NOON) as store:
        assert await read_whole(store) == copied
        assert len(store.notices) == 1
        assert "its copy of " in store.notices[0]
        assert (tmp_path / f"{FILE}.broken-20261001T120000Z").read_bytes() == broken
    async with opened(tmp_path) as store:
        assert store.notices == ()


@pytest.mark.parametrize("content", [b"", None])
async def test_deliveries_that_are_empty_or_gone_come_back_from_their_copy(
    tmp_path: Path, content: bytes | None
) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        await store.prune(NOON - timedelta(days=90))
        before = await read_whole(store)
    (tmp_path / FILE).unlink()
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    async with opened(tmp_path) as store:
        assert await read_whole(store) == before
        assert len(store.notices) == 1


async def test_broken_deliveries_without_a_copy_begin_anew_and_it_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
    damage(tmp_path / FILE)
    (tmp_path / COPY).unlink(missing_ok=True)
    async with opened(tmp_path) as store:
        assert list(await store.deliveries_of_paper(PAPER)) == []
        assert [s.id for s in await store.subscriptions()] == ["s1"]
        assert "no copy" in store.notices[0]
        assert await store.enqueue(make_delivery()) is True


async def test_a_broken_state_file_is_told_by_the_store(tmp_path: Path) -> None:
    async with opened(tmp_path, journal_bound=300) as store:
        for number in range(10):
            await store.set_fact("fact", str(number))
        await fill(store)
        before = await read_whole(store)
    newest = cut_newest_snapshot(tmp_path)
    async with opened(tmp_path) as store:
        assert await read_whole(store) == before
        assert len(store.notices) == 1
        assert str(newest) in store.notices[0]


async def test_the_newest_ten_thousand_changes_are_kept(tmp_path: Path) -> None:
    storage = JournalStorage(tmp_path)
    documents = Documents(storage)
    with storage.batch():
        for number in range(CHANGES_KEPT + 1_700):
            documents._note(make_change(str(number)))
    storage.close()
    async with opened(tmp_path) as store:
        await store.add_subscription(make_subscription(), make_change("newest"))
        changes = [change.what for change in await store.changes()]
    assert changes == ["newest", *(str(number) for number in range(CHANGES_KEPT + 1_699, 1_700, -1))]
    stored = JournalStorage(tmp_path, read_only=True).read() or {}
    assert sum(len(table) for name, table in stored.items() if name.startswith("changes")) < CHANGES_KEPT + 1_000


def test_no_more_than_twenty_thousand_texts_are_kept_and_the_least_used_go_first(tmp_path: Path) -> None:
    storage = JournalStorage(tmp_path)
    documents = Documents(storage)
    part = documents._texts.part(text_token("new"))
    with storage.batch():
        for number in range(TEXTS_KEPT_A_PART):
            used = TODAY - timedelta(days=number == 77)
            part.put(f"kept {number}", {"text": "text", "used": used.isoformat()})
    documents.keep_text("new", TODAY)
    assert len(part) == TEXTS_KEPT_A_PART
    assert part.find("kept 77") is None
    assert documents.kept_text(text_token("new"), TODAY) == "new"
    documents.keep_text("new", TODAY + timedelta(days=91))
    assert part.names() == [text_token("new")]
    storage.close()


async def test_migrating_tells_the_version_and_leaves_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await fill(store)
        before = await read_whole(store)
        with pytest.raises(StoreBusy):
            await migrate(tmp_path)
    assert await migrate(tmp_path) == 1
    async with opened(tmp_path) as store:
        assert await read_whole(store) == before


def test_killed_writers_lose_no_acknowledged_write() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.bench_store", "--kills", "10"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("10 kills")
