"""Figures of papers that machines share: `python -m tests.benchmarks.bench_replica [PAPERS]` (100,000 unless said).

How fast papers go in, beside a library that stands alone; how long the first copy of a new machine takes; how long a
change is on its way to another machine; and what memory a process needs that searches all of them.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg

from bots.embedding import Keeper
from bots.house import open_house
from core.database import migrate
from core.papers.bulk import import_file
from core.papers.library import LIBRARY_FILE, Library
from core.papers.shared_library import SharedLibrary
from core.papers.shared_line import Line
from core.search.embedding import BLOCK, Reader
from core.search.matrix import pack
from core.search.obtain import CachedModels
from core.search.query import parse
from core.search.vectors import Block, VectorFile, vector_path
from core.settings import read_settings
from tests.benchmarks.bench_library import make_day
from tests.servers.postgres import PostgresServer
from tests.shelves import NOON, make_record

PAPERS = 100_000
IMPORTED = 5_000
CHANGES = 200
IDLE_SECONDS = 40


_WORD = "'word' || (random() * random() * 20000)::int"
_PAPERS = f"""
INSERT INTO library_papers
SELECT n, 'x:' || n, n, 0, '2026-10-08T12:00:00+00:00', n % 50, '', '2026-10-08T12:00:00+00:00', '["arxiv"]',
    (SELECT string_agg({_WORD}, ' ') FROM generate_series(1, 9 + n - n)), '["Ann Author","Bob Bauthor"]',
    (SELECT string_agg({_WORD}, ' ') FROM generate_series(1, 150 + n - n)), '{{"categories":["cs.LG","cs.AI"]}}', 1
FROM generate_series(1, COUNT) n;
INSERT INTO library_records
SELECT number, number, 'arxiv', convert_to(json_build_object('id', id, 'source', 'arxiv', 'title', title,
    'abstract', abstract)::text, 'UTF8'), 1 FROM library_papers;
INSERT INTO library_signals
SELECT number, 'upvotes', 'arxiv', '2026-10-08T12', '2026-10-08T12:00:00+00:00', upvotes, 1 FROM library_papers;
INSERT INTO library_listings SELECT number, number, 'arxiv', '2026-10-08', 'new', 1 FROM library_papers;
INSERT INTO library_batches (batch, token, listed) VALUES (1, 'made up', COUNT)"""


def tell(what: str, figure: str) -> None:
    print(f"{what:<60} {figure}", flush=True)


async def join(folder: Path, url: str) -> SharedLibrary:
    return await SharedLibrary.join(folder / LIBRARY_FILE, Line(url), lambda: NOON)


async def time_imports(folder: Path, url: str) -> None:
    file = folder / "papers.jsonl"
    lines = [
        {"id": f"import:{record.id}", "title": record.title, "abstract": record.abstract, "authors": record.authors}
        for record in make_day(IMPORTED)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    rates = {}
    for what, library in (
        ("alone", await Library.open(folder / "alone" / LIBRARY_FILE)),
        ("into PostgreSQL", await join(folder / "importing", url)),
    ):
        begun = time.perf_counter()
        await import_file(file, library, now=NOON, progress=lambda *_: None)
        rates[what] = IMPORTED / (time.perf_counter() - begun) * 60
        await library.close()
        tell(f"import {what}", f"{rates[what]:,.0f} papers a minute")
    tell("    of the rate alone", f"{rates['into PostgreSQL'] / rates['alone']:.2f}")


def fill(url: str, count: int) -> None:
    """Let the database make up papers of 150 words, each listed once: as many as wanted in seconds."""
    with psycopg.connect(url) as connection:
        for statement in _PAPERS.split(";\n"):
            connection.execute(statement.replace("COUNT", str(count)))


async def time_the_copy(folder: Path, url: str) -> None:
    begun, worked = time.perf_counter(), time.process_time()
    library = await join(folder / "copy", url)
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    size = library.path.stat().st_size / 1e6
    told = f"{seconds:.1f} s, {worked:.1f} s of them at work, {await library.count():,} papers, {size:.0f} MB"
    tell("first copy on a new machine", told)
    await library.close()


async def time_following(folder: Path, url: str) -> None:
    first, second = await join(folder / "filling", url), await join(folder / "copy", url)
    following = asyncio.create_task(second.keep_following())
    seen: list[float] = []
    for number in range(CHANGES):
        await first.set_fact("change", str(number))
        begun = time.perf_counter()
        while await second.fact("change") != str(number):
            await asyncio.sleep(0.001)
        seen.append(time.perf_counter() - begun)
    await asyncio.sleep(1)
    batch = [make_record(f"many:{number}", abstract="word " * 150) for number in range(1500)]
    await first.ingest(batch, now=NOON)
    begun, count = time.perf_counter(), await first.count()
    while await second.count() != count:
        await asyncio.sleep(0.005)
    day = time.perf_counter() - begun
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    for library in (first, second):
        await library.close()
    seen.sort()
    p50, p99 = seen[len(seen) // 2], seen[int(len(seen) * 0.99)]
    tell("a change is seen elsewhere after", f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
    tell("1,500 new papers are seen elsewhere after", f"{day:.1f} s")


async def make_indexes(folder: Path, url: str) -> bool:
    """Make the word lists, and vectors drawn by lot for the model of this machine; returns whether there is one."""
    settings = read_settings({"PAPERBOY_HOME": str(folder), "DATABASE_URL": url})
    library = await join(folder, url)
    models = CachedModels(settings)
    reader = Reader(library, models)
    begun = time.perf_counter()
    await reader.list_words()
    tell("word lists beside it", f"{time.perf_counter() - begun:.1f} s")
    await reader.close()
    model, identity, count = models.wanted(), await library.fact("identity"), await library.count()
    await library.close()
    if model is None:
        return False
    dice, centre = np.random.default_rng(7), np.zeros(model.dimensions, np.float32).tobytes()
    facts = {"model": model.description, "centre": centre, "subjects": b""}
    with closing(VectorFile.make(vector_path(folder, model.key), str(identity), lambda: facts)) as file:
        for start in range(1, count + 1, BLOCK):
            numbers = np.arange(start, min(start + BLOCK, count + 1))
            rows = dice.normal(size=(len(numbers), model.dimensions)).astype(np.float32)
            packed = pack(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.zeros(model.dimensions, np.float32))
            file.append(Block(numbers, numbers, packed), upto=int(numbers[-1]))
        file.mark_whole()
    return True


def resident() -> float:
    """Return this process's resident memory in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


async def measure_memory(folder: str, url: str) -> None:
    """In a process of its own: open the house as a worker does, search, tell."""
    settings = read_settings({"PAPERBOY_HOME": folder, "DATABASE_URL": url})
    async with open_house(settings, owner=True) as house:
        for text in ("word1 word2 word3", "word7 -word9 cat:cs.LG", '"word1 word2" OR au:"Author 12"'):
            await house.newsroom.engine.search(parse(text), limit=10)
        known = house.meaning.open() if house.meaning else None
        tell("memory of a process that searched", f"{resident():.0f} MB; with vectors: {known is not None}")


async def count_idle_queries(folder: Path, url: str) -> None:
    """Let a house stand open as the service has it, indexes and all, and count what the database is asked."""
    settings = read_settings({"PAPERBOY_HOME": str(folder), "DATABASE_URL": url})
    asked = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    async with open_house(settings, owner=True) as house:
        keeping = asyncio.create_task(Keeper(house).run())
        await asyncio.sleep(15)
        with psycopg.connect(url, autocommit=True) as connection:
            (before,) = connection.execute(asked).fetchone() or (0,)
            await asyncio.sleep(IDLE_SECONDS)
            (after,) = connection.execute(asked).fetchone() or (0,)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    tell(
        "an idle process's store and papers ask the database",
        f"{(after - before - 1) / IDLE_SECONDS:.2f} times a second",
    )


async def main(count: int) -> None:
    """Print all figures."""
    with PostgresServer() as server, tempfile.TemporaryDirectory() as name:
        folder, url = Path(name), server.new_database()
        await asyncio.to_thread(migrate, url)
        await time_imports(folder, server.new_database(url.rpartition("/")[2]))
        await asyncio.to_thread(fill, url, count)
        await time_the_copy(folder, url)
        await time_following(folder, url)
        if not await make_indexes(folder / "copy", url):
            print("There is no model on this machine, so the memory is that of words alone.")
        command = [sys.executable, "-m", "tests.benchmarks.bench_replica", "memory", str(folder / "copy"), url]
        await asyncio.to_thread(subprocess.run, command, check=True)
        await count_idle_queries(folder / "copy", url)


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        asyncio.run(measure_memory(*sys.argv[2:4]))
    else:
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else PAPERS))
