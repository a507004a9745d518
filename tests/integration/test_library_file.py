"""The library on a real file: what others see of it meanwhile, and what is left of it after a kill."""

from __future__ import annotations

import asyncio
import sys
from datetime import date
from textwrap import dedent

from core.papers.library import Library
from tests.shelves import NOON, listed, make_record, open_library

TODAY = date(2026, 10, 8)


async def test_everything_is_there_after_opening_again(tmp_path):
    async with open_library(tmp_path, [make_record(listings=listed(TODAY))]):
        pass
    async with open_library(tmp_path) as library:
        assert (await library.count(), await library.newest_sequence()) == (1, 1)
        assert not list(tmp_path.glob("*.new"))


async def test_a_closed_library_leaves_one_file_and_may_be_closed_twice(tmp_path):
    async with open_library(tmp_path, [make_record()]) as library:
        pass
    await library.close()
    assert [file.name for file in tmp_path.iterdir()] == ["library.sqlite"]


async def test_a_reader_sees_one_state_while_another_writes(tmp_path):
    async with open_library(tmp_path, [make_record()]) as writer:
        reader = await Library.open(writer.path, read_only=True)
        try:
            began, written = asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()

            def count_twice(connection):
                (before,) = connection.execute("SELECT count(*) FROM papers").fetchone()
                loop.call_soon_threadsafe(began.set)
                asyncio.run_coroutine_threadsafe(written.wait(), loop).result(30)
                (after,) = connection.execute("SELECT count(*) FROM papers").fetchone()
                return before, after

            counting = asyncio.create_task(reader.read(count_twice))
            await began.wait()
            await writer.ingest([make_record("2610.00002")], now=NOON)
            written.set()
            assert await counting == (1, 1)
            assert await reader.count() == 2
        finally:
            await reader.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from core.papers.library import Library
from tests.shelves import NOON, make_record


async def main():
    library = await Library.open(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        await library.ingest([make_record(f"x:{sys.argv[2]}-{number}")], now=NOON)
        print(number, flush=True)
    await library.close()

asyncio.run(main())
"""


async def start_writer(path, name, count):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", dedent(WRITER), str(path), name, str(count), stdout=asyncio.subprocess.PIPE
    )


async def test_two_processes_and_a_reader_use_one_library(tmp_path):
    async with open_library(tmp_path) as library:
        writers = [await start_writer(library.path, name, 15) for name in ("a", "b")]
        waiting = asyncio.gather(*(writer.communicate() for writer in writers))
        counts = []
        while not waiting.done():
            counts.append(await library.count())
            await asyncio.sleep(0.02)
        await waiting
        assert [writer.returncode for writer in writers] == [0, 0]
        assert counts == sorted(counts)
        assert await library.count() == 30
        changes = await library.changed_after(0, 100)
        assert len({sequence for sequence, _ in changes}) == 30


async def test_what_was_acknowledged_survives_a_kill(tmp_path):
    async with open_library(tmp_path) as library:
        path = library.path
    writer = await start_writer(path, "a", 100_000)
    acknowledged = [await writer.stdout.readline() for _ in range(20)]
    writer.kill()
    acknowledged += (await writer.stdout.read()).splitlines()
    await writer.wait()
    async with open_library(tmp_path) as library:
        assert await library.count() in {len(acknowledged), len(acknowledged) + 1}
        assert await library.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
        checked = "INSERT INTO words (words) VALUES ('integrity-check')"
        await library.write(lambda connection: connection.execute(checked).fetchall())
