"""Reading for meaning by another process: over a real library, with a very small real model."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from subprocess import PIPE

import msgspec
import pytest

from core.errors import LibraryError, ModelError
from core.search.apart import COMMAND, NICENESS, Order, ReaderApart
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.model import MODEL_FILE
from core.search.postings import IDENTITY
from core.search.query import parse
from core.search.vectors import vector_path, vector_paths
from tests.fake_models import FakeModels
from tests.model_files import make_graph, write_model
from tests.shelves import NOON, make_record, open_library
from tests.waiting import until

ROOT = Path(__file__).parents[2]
RECORDS = (make_record("2201.00001", "Grokking"), make_record("2201.00002", "Cars"))
LATER = make_record("2201.00003", "Kernel")


def script(text):
    """A process that does something else than to read."""
    return (sys.executable, "-c", text)


@pytest.fixture
async def library(tmp_path):
    async with open_library(tmp_path / "data", RECORDS) as opened:
        yield opened


@pytest.fixture
def files(tmp_path):
    return write_model(tmp_path / "model", least_cosine=-1.0)


async def test_another_process_reads_what_is_new_and_a_search_here_finds_it(library, files, tmp_path):
    reader = ReaderApart(library, lambda: files)
    assert await reader.read_missing() == len(RECORDS)
    engine = Engine(library, Meaning(tmp_path / "data" / "library.sqlite", FakeModels(files)))
    found = await engine.search(parse("grokking"), limit=5)
    assert found.notes == ()
    assert {hit.paper.title: hit.why for hit in found.hits} == {
        "Grokking": "title matches",
        "Cars": "near in meaning",
    }
    assert await reader.read_missing() == 0
    await library.ingest([LATER], now=NOON)
    assert await reader.read_missing() == 1
    assert len((await engine.search(parse("grokking"), limit=5)).hits) == 3


@pytest.mark.parametrize(("there", "by_meaning"), [(False, True), (True, False)])
async def test_without_a_model_or_when_told_so_it_lists_the_words_alone(library, files, tmp_path, there, by_meaning):
    reader = ReaderApart(library, lambda: files if there else None)
    assert await reader.read_missing(by_meaning=by_meaning) == 0
    assert list((tmp_path / "data").glob("postings-*"))
    assert vector_paths(tmp_path / "data") == []


async def test_a_damaged_model_is_told_in_its_own_words(library, files):
    (files.folder / MODEL_FILE).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="is not the file it should be"):
        await ReaderApart(library, lambda: files).read_missing()


async def test_a_library_that_is_gone_is_told_too(library, files, tmp_path):
    (tmp_path / "data" / "library.sqlite").rename(tmp_path / "elsewhere")
    with pytest.raises(LibraryError, match="library"):
        await ReaderApart(library, lambda: files).read_missing()


async def test_what_it_logs_stands_in_the_log_of_the_service(library, files, tmp_path, caplog):
    await ReaderApart(library, lambda: files).read_missing()
    newer = write_model(tmp_path / "newer", graph=make_graph(dimensions=9), dimensions=9)
    with caplog.at_level(logging.INFO):
        await ReaderApart(library, lambda: newer).read_missing()
    former = vector_path(tmp_path / "data", files.key).name
    assert ("core.search.embedding", logging.INFO, f"removed {former}: a newer model's vectors are complete") in (
        caplog.record_tuples
    )


async def test_a_process_that_somebody_kills_is_told_in_one_sentence_and_the_next_one_goes_on(library, files):
    killed = ReaderApart(library, lambda: files, command=script("import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(LibraryError, match="was ended by SIGKILL; what it had read is kept"):
        await killed.read_missing()
    assert await ReaderApart(library, lambda: files).read_missing() == len(RECORDS)


async def test_a_process_that_ends_without_a_word_is_told_too(library, files):
    silent = ReaderApart(library, lambda: files, command=script("raise SystemExit(7)"))
    with pytest.raises(LibraryError, match="ended with 7"):
        await silent.read_missing()


async def test_a_stop_ends_the_process(library, files, tmp_path):
    note = tmp_path / "pid"
    text = f"import os, sys; open({str(note)!r}, 'w').write(str(os.getpid())); sys.stdin.buffer.read()"
    reading = asyncio.create_task(ReaderApart(library, lambda: files, command=script(text)).read_missing())
    await until(lambda: note.exists() and note.read_text())
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


async def test_it_takes_what_others_leave_and_ends_with_its_parent_alone(library, files, tmp_path):
    await ReaderApart(library, lambda: files).read_missing()
    await library.ingest([LATER], now=NOON)
    vectors = vector_path(tmp_path / "data", files.key)
    order = Order(str(library.path), str(await library.fact(IDENTITY)), files.description, str(files.folder))
    with closing(sqlite3.connect(vectors, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")  # so that it waits, and cannot end by having done its work
        process = subprocess.Popen(COMMAND, cwd=ROOT, stdin=PIPE, stdout=PIPE)  # noqa: ASYNC220 - this is its parent
        await until(lambda: ignores(process.pid, signal.SIGTERM))
        await until(lambda: os.getpriority(os.PRIO_PROCESS, process.pid) >= NICENESS)
        for name in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(name)
        out, _ = await asyncio.to_thread(process.communicate, msgspec.json.encode(order) + b"\n")
    assert (process.returncode, out) == (1, b"")
    assert await ReaderApart(library, lambda: files).read_missing() == 1


def ignores(process, name):
    """Whether a process ignores a signal: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html"""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return bool(mask >> (name - 1) & 1)
