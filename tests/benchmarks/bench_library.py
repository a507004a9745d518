"""Figures of the library and of word search: `python -m tests.benchmarks.bench_library`.

Made-up papers tell the speed of a day's ingest. Where the real records lie beside the project, they tell the speed of
an import, of searches over it, and nDCG@10 and recall@20 of word search on SciFact's 809 train queries.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import random
import resource
import tempfile
import time
from pathlib import Path

from core.papers.bulk import import_file
from core.papers.library import Library
from core.papers.paper import Listing, Record
from core.papers.windows import Newest
from core.search.engine import Engine
from core.search.query import parse, parse_words
from tests.shelves import NOON, make_record, make_signal, open_library

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
QUERIES = (
    "grokking",
    "length generalization",
    "diffusion models -survey",
    '"reinforcement learning" cat:cs.LG',
    'au:"Yoshua Bengio"',
    "theory of generalization in deep learning",
    "ti:transformer min:1 OR cat:math.GT",
    "mixture of experts routing after:2026",
    "cat:cs.* after:2026-04",
    "Attention is all you need",
)


def make_day(count: int) -> list[Record]:
    """Records as a day brings them: 150 words each, some with upvotes."""
    dice = random.Random(7)
    words = [f"word{number}" for number in range(20_000)]
    return [
        make_record(
            f"2610.{number:05}",
            " ".join(dice.choices(words, k=9)),
            abstract=" ".join(dice.choices(words, k=150)),
            authors=tuple(f"Author {dice.randrange(9000)}" for _ in range(6)),
            categories=("cs.LG", "cs.AI"),
            published=NOON,
            listings=(Listing("arxiv", NOON.date(), "new"),),
            signals=(make_signal("upvotes", number),) if number % 30 == 0 else (),
        )
        for number in range(count)
    ]


def tell(what: str, seconds: float, more: str = "") -> None:
    print(f"{what:<50} {seconds * 1000:>9.1f} ms  {more}")


def memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def time_a_day(folder: Path) -> None:
    day = make_day(1550)
    async with open_library(folder) as library:
        for what in ("a day of 1,550 records", "the same day again"):
            begun = time.perf_counter()
            ingested = await library.ingest(day, now=NOON)
            tell(what, time.perf_counter() - begun, str(ingested))
        engine = Engine(library)
        begun = time.perf_counter()
        matches = await engine.match(parse("word1 word2 word3 -word4"), Newest())
        tell("interests over that day", time.perf_counter() - begun, f"{len(matches.matches)} of {matches.considered}")


async def time_an_import(folder: Path) -> None:
    async with open_library(folder) as library:
        begun = time.perf_counter()
        report = await import_file(DATA / "arxiv_papers.jsonl.gz", library, now=NOON, progress=lambda *_: None)
        tell("import of real records", time.perf_counter() - begun, f"{report.read:,} papers, {memory_mb()} MB")
        engine = Engine(library)
        for text in QUERIES:
            await engine.search(parse(text), limit=10)
            begun = time.perf_counter()
            found = await engine.search(parse(text), limit=10)
            tell(f"search {text}", time.perf_counter() - begun, f"{found.total:,} found")


async def judge_scifact(folder: Path) -> None:
    with gzip.open(DATA / "search" / "corpus.jsonl.gz", "rt") as file:
        corpus = [json.loads(line) for line in file]
    records = [make_record(f"scifact:{item['_id']}", item["title"], abstract=item["text"]) for item in corpus]
    async with open_library(folder, records) as library:
        await _judge(library)


async def _judge(library: Library) -> None:
    relevant: dict[str, dict[str, int]] = {}
    for line in (DATA / "search" / "qrels.tsv").read_text().splitlines()[1:]:
        query, paper, score = line.split("\t")
        relevant.setdefault(query, {})[f"scifact:{paper}"] = int(score)
    queries = [json.loads(line) for line in (DATA / "search" / "queries.jsonl").read_text().splitlines()]
    engine = Engine(library)
    gains, recalls, begun = [], [], time.perf_counter()
    for query in queries:
        if wanted := relevant.get(query["_id"]):
            found = await engine.search(parse_words(query["text"]), limit=20)
            ids = [hit.paper.id for hit in found.hits]
            gains.append(_gain([wanted.get(one, 0) for one in ids[:10]]) / _gain(sorted(wanted.values())[::-1][:10]))
            recalls.append(sum(one in wanted for one in ids) / len(wanted))
    figures = f"nDCG@10 {100 * sum(gains) / len(gains):.2f}, recall@20 {100 * sum(recalls) / len(recalls):.2f}"
    tell("SciFact, a query", (time.perf_counter() - begun) / len(gains), figures)


def _gain(grades: list[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))


async def main() -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await time_a_day(folder / "day")
        if DATA.exists():
            await time_an_import(folder / "import")
            await judge_scifact(folder / "scifact")
        else:
            print(f"The rest is left out: there are no real records in {DATA}.")


if __name__ == "__main__":
    asyncio.run(main())
