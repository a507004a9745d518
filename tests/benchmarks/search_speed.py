"""How fast search answers: `python -m tests.benchmarks.search_speed [--sizes 10000,100000,1000000] [--cache FOLDER]`.

Real papers to begin with; beyond, texts and vectors are made by mixing real ones. Each size is measured in a process of
its own, and times are told as ratios to the median time that the model, as it is in its file, takes on two threads to
embed the same queries in the same run, so that they say the same on another machine. 1,000,000 papers take half an hour
to make, and are made only when asked for. Where papers or model are missing it says so and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bots.service import SWITCH_EVERY
from core.errors import ModelError
from core.papers.library import Library
from core.papers.paper import Record
from core.search.apart import ReaderApart
from core.search.embedding import CENTRE_TEXTS, Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.model import Embedder, ModelFiles, OnnxEmbedder
from core.search.obtain import CachedModels, obtain_model
from core.search.query import parse_words
from core.settings import read_settings

PAPERS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "arxiv_papers.jsonl.gz"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
BASE = 2_000
NEW = 1_500
ROUNDS = 10
GOALS = {10_000: (1.5, 2.5, 350), 100_000: (2.0, 4.0, 500), 1_000_000: (6.0, 12.0, 1_200)}


@dataclass(frozen=True)
class MixedModel:
    """The real model for queries; for papers, mixes of real vectors that their text decides."""

    files: ModelFiles
    vectors: Any

    @property
    def key(self) -> str:
        return self.files.key

    @property
    def description(self) -> str:
        return self.files.description

    @property
    def dimensions(self) -> int:
        return self.files.dimensions

    @property
    def least_cosine(self) -> float:
        return self.files.least_cosine

    def open(self, *, threads: int) -> MixedEmbedder:
        return MixedEmbedder(self.files.open(threads=threads), self.vectors)


class MixedEmbedder:
    def __init__(self, real: Embedder, vectors: Any) -> None:
        self.key, self.dimensions, self.least_cosine = real.key, real.dimensions, real.least_cosine
        self.embed_query = real.embed_query
        self._real, self._vectors = real, vectors

    def embed_papers(self, texts: Sequence[str]) -> Any:
        if tuple(texts) == CENTRE_TEXTS:
            return self._real.embed_papers(texts)
        mixed = np.stack([self._mix(text) for text in texts])
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)

    def _mix(self, text: str) -> Any:
        draw = np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))
        first, second = draw.integers(len(self._vectors), size=2)
        share = draw.uniform(0.3, 0.7)
        noise = draw.normal(0, 0.01, self._vectors.shape[1])
        return (share * self._vectors[first] + (1 - share) * self._vectors[second] + noise).astype(np.float32)


@dataclass(frozen=True)
class OneModel:
    """Models of which there is one."""

    model: Any

    def wanted(self) -> Any:
        return self.model

    def known(self, description: str) -> Any:
        return self.model if description == self.model.description else None


def read_papers(count: int) -> list[dict[str, Any]]:
    with gzip.open(PAPERS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]


def mix_papers(real: Sequence[dict[str, Any]], count: int) -> Iterator[Record]:
    """Yield the real papers, then mixes: half of one title with half of another, sentences of three abstracts."""
    draw = random.Random(1)
    for index in range(count):
        if index < len(real):
            title, abstract = real[index]["title"], real[index]["abstract"]
        else:
            some = [draw.choice(real) for _ in range(3)]
            words = [paper["title"].split() for paper in some[:2]]
            title = " ".join([*words[0][: len(words[0]) // 2 + 1], *words[1][len(words[1]) // 2 :]])
            sentences = [sentence for paper in some for sentence in paper["abstract"].split(". ")]
            abstract = ". ".join(draw.sample(sentences, min(len(sentences), 7)))
        yield Record(id=f"x:{index}", source="import", title=title, abstract=abstract)


def make_queries(real: Sequence[dict[str, Any]]) -> list[str]:
    """35 titles, 40 times three words, 25 sentences."""
    draw = random.Random(2)
    titles = [paper["title"] for paper in draw.sample(list(real), 35)]
    words = [" ".join(draw.sample(paper["abstract"].split(), 3)) for paper in draw.sample(list(real), 40)]
    sentences = [draw.choice(paper["abstract"].split(". ")) for paper in draw.sample(list(real), 25)]
    return [*titles, *words, *sentences]


async def fill(folder: Path, size: int, real: Sequence[dict[str, Any]], models: OneModel) -> None:
    """Make a library of a size, with all that lies beside it."""
    library = await Library.open(folder / "library.sqlite3")
    try:
        batch: list[Record] = []
        missing = size - await library.count()
        for record in mix_papers(real, size) if missing else ():
            batch.append(record)
            if len(batch) == 5_000 or record.id == f"x:{size - 1}":
                await library.ingest(batch, now=NOW)
                batch.clear()
        reader = Reader(library, models)
        await reader.list_words()
        await reader.read_missing()
        await reader.close()
    finally:
        await library.close()


def resident(process: str = "self", *, at_most: bool = False) -> float:
    """Return a process's resident memory in MB, or the most it had so far (Linux)."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0.0
    wanted = "VmHWM:" if at_most else "VmRSS:"
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith(wanted)), default=0.0)


def children() -> list[str]:
    return [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]


async def measure(folder: Path, begun: float) -> dict[str, float]:
    """Search one library as a process would that serves it."""
    sys.setswitchinterval(SWITCH_EVERY)  # as the service does
    models = CachedModels(read_settings(os.environ))
    library = await Library.open(folder / "library.sqlite3")
    meaning = Meaning(library.path, models)
    engine = Engine(library, meaning)
    await engine.search(parse_words("first search"), limit=5)
    ready = time.time() - begun
    known = meaning.open()
    assert known is not None, meaning.missing
    queries = make_queries(read_papers(BASE))
    for text in queries:
        await engine.search(parse_words(text), limit=5)
    memory = resident()  # of a process that serves; the reference below is another model beside its own
    model = models.wanted()
    assert model is not None
    reference = OnnxEmbedder(model, threads=2, whole=True)
    for text in queries[:10]:
        reference.embed_query(text)
    embedding, searching = [], []
    for text in queries * ROUNDS:
        embedding.append(time_embedding(reference, text))
        searching.append(await time_search(engine, text))
    figures = {
        "ready": ready,
        "embed": statistics.median(embedding),
        "p50": statistics.median(searching),
        "p95": statistics.quantiles(searching, n=20)[-1],
        "memory": memory,
    }
    await library.close()
    return figures


def time_embedding(embedder: Embedder, text: str) -> float:
    start = time.perf_counter()
    embedder.embed_query(text)
    return time.perf_counter() - start


async def measure_pauses(folder: Path) -> dict[str, float]:
    """Search without a break while a day's papers come in and are read for meaning in the background.

    As many searches are made afterwards in peace: the longest of many is longer than the longest of few, and on a
    machine that others use too, some are long without any papers coming in.
    """
    sys.setswitchinterval(SWITCH_EVERY)
    real = read_papers(BASE + NEW)
    queries = make_queries(real[:BASE])
    models = CachedModels(read_settings(os.environ))
    library = await Library.open(folder / "library.sqlite3")
    engine = Engine(library, Meaning(library.path, models))
    for text in queries:
        await time_search(engine, text)
    stamp = time.time_ns()
    day = [
        Record(id=f"day:{stamp}-{n}", source="import", title=paper["title"], abstract=paper["abstract"])
        for n, paper in enumerate(real[BASE:])
    ]
    reader = ReaderApart(library, models.wanted)

    async def add() -> None:
        for start in range(0, NEW, 100):  # as the pages of the sources come
            await library.ingest(day[start : start + 100], now=NOW)
        await reader.read_missing()

    adding = asyncio.create_task(add())
    busy: list[float] = []
    reader_mb = 0.0  # what the system counts for ended children begins with the memory of their parent
    end = time.monotonic() + 30
    while not adding.done() and time.monotonic() < end:
        if len(busy) % 50 == 0:
            reader_mb = max(reader_mb, *(resident(child, at_most=True) for child in children()), 0.0)
        busy.append(await time_search(engine, queries[len(busy) % len(queries)]))
    adding.cancel()
    await asyncio.gather(adding, return_exceptions=True)
    calm = [await time_search(engine, queries[turn % len(queries)]) for turn in range(len(busy))]
    await library.close()
    figures: dict[str, float] = {"searches": len(busy), "reader": reader_mb}
    for name, times in (("calm", calm), ("busy", busy)):
        cuts = statistics.quantiles(times, n=100)
        places = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(times)}
        figures |= {f"{name} {place}": value for place, value in places.items()}
    return figures


async def time_search(engine: Engine, text: str) -> float:
    start = time.perf_counter()
    await engine.search(parse_words(text), limit=5)
    return time.perf_counter() - start


async def measure_indexing(folder: Path, files: ModelFiles) -> tuple[float, float]:
    """Return papers a second of the embedder alone, and of reading a library; by turns, the best of three."""
    real = read_papers(3 * 256)
    embedder = files.open(threads=2)
    alone, whole = [], []
    for turn in range(3):
        some = real[turn * 256 : (turn + 1) * 256]
        texts = [f"{paper['title']}\n{paper['abstract']}" for paper in some]
        start = time.perf_counter()
        embedder.embed_papers(texts)
        alone.append(len(texts) / (time.perf_counter() - start))
        library = await Library.open(folder / f"indexing-{turn}" / "library.sqlite3")
        await library.ingest(list(mix_papers(some, 256)), now=NOW)
        reader = Reader(library, OneModel(Opened(files, embedder)))
        start = time.perf_counter()
        await reader.list_words()
        await reader.read_missing()
        whole.append(len(texts) / (time.perf_counter() - start))
        await reader.close()
        await library.close()
    return max(alone), max(whole)


@dataclass(frozen=True)
class Opened:
    """A model that is open already: opening it is not what is measured."""

    files: ModelFiles
    embedder: Embedder

    @property
    def key(self) -> str:
        return self.files.key

    @property
    def description(self) -> str:
        return self.files.description

    @property
    def dimensions(self) -> int:
        return self.files.dimensions

    @property
    def least_cosine(self) -> float:
        return self.files.least_cosine

    def open(self, *, threads: int) -> Embedder:
        del threads
        return self.embedder


def in_own_process(what: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.search_speed", f"--{what}", str(folder), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def show(size: int, figures: dict[str, float]) -> None:
    embed = figures["embed"]
    p50, p95, memory = GOALS.get(size, (0.0, 0.0, 0))
    print(
        f"{size:>9,} papers: p50 {figures['p50'] / embed:.2f} x (goal {p50:g}), p95 {figures['p95'] / embed:.2f} x "
        f"(goal {p95:g}), {figures['memory']:.0f} MB (goal {memory}), ready after {figures['ready']:.2f} s; "
        f"embedding a query {1e3 * embed:.1f} ms",
        flush=True,
    )


async def run(arguments: argparse.Namespace) -> int:
    if not PAPERS.exists():
        print(f"Skipped: {PAPERS} is not here.")
        return 0
    try:
        files = await obtain_model(read_settings(os.environ))
    except ModelError as error:
        print(f"Skipped: {error}")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(arguments.cache or temporary)
        cache.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs
        alone, whole = await measure_indexing(Path(temporary), files)
        print(
            f"indexing: {whole:.1f} papers/s, {100 * whole / alone:.0f} % of the embedder's own {alone:.1f} (goal 90)"
        )
        real = read_papers(BASE)
        vectors = cache / f"vectors-{files.key}.npy"
        if not vectors.exists():
            texts = [f"{paper['title']}\n{paper['abstract']}" for paper in real]
            np.save(vectors, files.open(threads=2).embed_papers(texts))
        models = OneModel(MixedModel(files, np.load(vectors)))
        for size in arguments.sizes:
            folder = cache / str(size)
            folder.mkdir(exist_ok=True)
            await fill(folder, size, real, models)
            show(size, in_own_process("measure", folder))
            if size == arguments.sizes[-1] or size == 100_000:
                pauses = in_own_process("pauses", folder)
                searches, reader = pauses.pop("searches"), pauses.pop("reader")
                told = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in pauses.items())
                print(f"{size:>9,} papers, {NEW:,} more come in during {searches:.0f} searches: {told}")
                print(f"{'':>9} the process that reads them takes {reader:.0f} MB while it does", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="How fast search answers.")
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[10_000, 100_000])
    parser.add_argument("--cache", help="keeps libraries for the next run")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--pauses", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asyncio.run(measure(Path(arguments.measure[0]), float(arguments.measure[1])))))
        return 0
    if arguments.pauses:
        print(json.dumps(asyncio.run(measure_pauses(Path(arguments.pauses[0])))))
        return 0
    return asyncio.run(run(arguments))


if __name__ == "__main__":
    sys.exit(main())
