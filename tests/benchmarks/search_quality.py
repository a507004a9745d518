"""How well search finds what was meant: `python -m tests.benchmarks.search_quality`.

Four ways of asking, each answered by words alone, by meaning alone and by both, through the engine as it is served:
whole claims (SciFact's train queries, with judgements), topics of a few words (how many of 58 papers about one theory
come first among 7,000 others), names (the two rarest words of a title, which mean one paper), and papers like another
(those that have two of its authors, who wrote few).

Options: --data FOLDER (else ../shared/data beside the project), --cache FOLDER (keeps libraries and vectors for the
next run; reading 12,000 papers for meaning takes minutes). Where data or model are missing it says so and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ModelError
from core.papers.library import Library
from core.papers.paper import Record
from core.papers.tokens import token_key, tokens
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.obtain import CachedModels, obtain_model
from core.search.query import parse_words
from core.search.stems import is_stop_word, stem
from core.settings import read_settings
from tests.benchmarks.retrieval_metrics import count_found, ndcg, paired_interval, recall

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
DEPTH = 100
AROUND = 7_000
NAMES = 300
SEED = 0
ALIKE = 600
MOST_AUTHORS = 12
MOST_PAPERS = 8
TOPICS = (
    "generalization theory",
    "theory of generalization",
    "generalization",
    "information theory generalization",
    "a theory of generalization in deep learning",
)

Search = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Judged:
    """A question and what answers it, by paper id."""

    text: str
    wanted: Mapping[str, int]


def read_lines(path: Path) -> list[Any]:
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_claims(data: Path) -> tuple[list[Record], list[Judged]]:
    folder = data / "search"
    papers = [
        Record(f"scifact:{line['_id']}", "import", title=line["title"], abstract=line["text"])
        for line in read_lines(folder / "corpus.jsonl.gz")
    ]
    judgements: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, paper, judgement = line.split("\t")
        judgements.setdefault(query, {})[f"scifact:{paper}"] = int(judgement)
    lines = read_lines(folder / "queries.jsonl")
    return papers, [Judged(line["text"], judgements[line["_id"]]) for line in lines if line["_id"] in judgements]


def read_topics(data: Path) -> tuple[list[Record], list[str], dict[str, Sequence[str]]]:
    """Return 58 papers of one topic with 7,000 others around them, the ids of the 58, and who wrote the others."""
    seeds = json.loads((data / "seed_papers.json").read_text(encoding="utf-8"))
    titles = {token_key(seed["title"]) for seed in seeds}
    others = [line for line in read_lines(data / "arxiv_papers.jsonl.gz") if token_key(line["title"]) not in titles]
    random.Random(SEED).shuffle(others)
    papers = [
        Record(f"paper:{place}", "import", title=line["title"], abstract=line["abstract"] or "")
        for place, line in enumerate([*seeds, *others[:AROUND]])
    ]
    authors = {f"paper:{len(seeds) + place}": line.get("authors") or () for place, line in enumerate(others[:AROUND])}
    return papers, [paper.id for paper in papers[: len(seeds)]], authors


def make_names(papers: Sequence[Record]) -> list[Judged]:
    """Return of 300 papers the two rarest words of the title that some other paper holds too."""
    held = Counter(word for paper in papers for word in {*map(stem, tokens(f"{paper.title} {paper.abstract}"))})
    names: list[Judged] = []
    for paper in random.Random(SEED).sample(papers, len(papers)):
        words = list(dict.fromkeys(w for w in tokens(paper.title) if len(w) > 2 and not is_stop_word(w)))
        rarest = sorted(words, key=lambda word: (held[stem(word)] == 1, held[stem(word)]))[:2]
        if len(words) > 3:
            names.append(Judged(" ".join(sorted(rarest, key=words.index)), {paper.id: 1}))
    return names[:NAMES]


def make_alike(authors: Mapping[str, Sequence[str]]) -> list[Judged]:
    """Return papers with those that share two or more authors with them: few wrote them, and these wrote few."""
    small = {paper: set(names) for paper, names in authors.items() if len(names) <= MOST_AUTHORS}
    written: dict[str, list[str]] = {}
    for paper, names in small.items():
        for name in names:
            written.setdefault(name, []).append(paper)
    judged = []
    for paper, names in small.items():
        shared = Counter(o for name in names if len(written[name]) <= MOST_PAPERS for o in written[name] if o != paper)
        if alike := {other: 1 for other, count in shared.items() if count > 1}:
            judged.append(Judged(paper, alike))
    return random.Random(SEED).sample(judged, min(ALIKE, len(judged)))


@asynccontextmanager
async def searches(folder: Path, papers: Sequence[Record]):
    """Open a library of these papers, read for meaning; yield the ways to search it."""
    now = datetime.now(UTC)
    models = CachedModels(read_settings(os.environ))
    library = await Library.open(folder / "library.sqlite3")
    reader = Reader(library, models)
    try:
        if await library.count() != len(papers):
            for start in range(0, len(papers), 500):
                await library.ingest(papers[start : start + 500], now=now)
        await reader.list_words()
        await reader.read_missing(lambda done, left: tell(f"{folder.name}: {done} of {left} papers read"))
        tell("")
        meaning, ids = Meaning(library.path, models), await library.read(read_ids)
        yield make_searches(library, meaning, ids), make_likenesses(library, meaning, ids)
    finally:
        await reader.close()
        await library.close()


def read_ids(connection) -> dict[int, str]:
    return dict(connection.execute("SELECT number, id FROM papers"))


def make_searches(library: Library, meaning: Meaning, ids: Mapping[int, str]) -> dict[str, Search]:
    def search_with(engine: Engine) -> Search:
        async def search(text: str) -> Sequence[str]:
            return [hit.paper.id for hit in (await engine.search(parse_words(text), limit=DEPTH)).hits]

        return search

    async def search_by_meaning(text: str) -> Sequence[str]:
        known = meaning.open()
        assert known is not None
        return [ids[number] for number in known.matrix.nearest(known.embedder.embed_query(text), DEPTH)]

    return {
        "words": search_with(Engine(library)),
        "meaning": search_by_meaning,
        "fused": search_with(Engine(library, meaning)),
    }


def make_likenesses(library: Library, meaning: Meaning, ids: Mapping[int, str]) -> dict[str, Search]:
    numbers = {paper: number for number, paper in ids.items()}

    def like_with(engine: Engine) -> Search:
        async def search(paper: str) -> Sequence[str]:
            return [hit.paper.id for hit in (await engine.similar(paper, limit=DEPTH)).hits]

        return search

    async def by_meaning(paper: str) -> Sequence[str]:
        known = meaning.open()
        assert known is not None
        vector = known.matrix.vector(numbers[paper])
        assert vector is not None
        nearest = known.matrix.nearest(vector / np.linalg.norm(vector), DEPTH + 1)
        return [ids[number] for number in nearest if number != numbers[paper]]

    return {"words": like_with(Engine(library)), "meaning": by_meaning, "fused": like_with(Engine(library, meaning))}


async def measure_claims(folder: Path, data: Path) -> None:
    papers, claims = read_claims(data)
    print(f"Claims: {len(claims)} queries of SciFact's train part among {len(papers)} abstracts")
    async with searches(folder, papers) as (ways, _):
        await measure_judged(claims, ways)


async def measure_topics(folder: Path, data: Path) -> None:
    papers, wanted, authors = read_topics(data)
    async with searches(folder, papers) as (ways, likenesses):
        print(f"\nTopics: of {len(wanted)} papers among {len(papers)}, so many in the first {len(wanted)} / {DEPTH}")
        print(f"{'':45}" + "".join(f"{name:>10}" for name in ways))
        for topic in TOPICS:
            ranked = [await search(topic) for search in ways.values()]
            counts = [f"{count_found(r, wanted, len(wanted))} / {count_found(r, wanted, DEPTH)}" for r in ranked]
            print(f"{topic:45}" + "".join(f"{count:>10}" for count in counts))
        names = make_names(papers)
        print(f"\nNames: the two rarest words of a title, {len(names)} queries for one paper each")
        await measure_judged(names, ways)
        alike = make_alike(authors)
        print(f"\nAlike: papers that share two authors with another, {len(alike)} papers")
        await measure_judged(alike, likenesses)


async def measure_judged(queries: Sequence[Judged], ways: Mapping[str, Search]) -> None:
    """Print each way's figures, and how much the fused one is better than each other one."""
    ranked = {name: [await search(query.text) for query in queries] for name, search in ways.items()}
    figures = {
        (metric, name): [measure(r, q.wanted, depth) for r, q in zip(rankings, queries, strict=True)]
        for metric, measure, depth in (("nDCG@10", ndcg, 10), ("recall@20", recall, 20))
        for name, rankings in ranked.items()
    }
    for metric in ("nDCG@10", "recall@20"):
        means = {name: 100 * sum(figures[metric, name]) / len(queries) for name in ways}
        print(f"{metric:10}" + "".join(f"  {name} {mean:.1f}" for name, mean in means.items()))
        for other in ("words", "meaning"):
            better, low, high = (100 * x for x in paired_interval(figures[metric, "fused"], figures[metric, other]))
            print(f"{'':12}fused - {other:8}{better:+.1f}  (95 %: {low:+.1f} to {high:+.1f})")


def tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


async def measure_all(data: Path, cache: Path) -> int:
    missing = [name for name in ("search", "seed_papers.json", "arxiv_papers.jsonl.gz") if not (data / name).exists()]
    if missing:
        print(f"Skipped: {data} lacks {', '.join(missing)}.")
        return 0
    try:
        await obtain_model(read_settings(os.environ))
    except ModelError as error:
        print(f"Skipped: {error}")
        return 0
    await measure_claims(cache / "claims", data)
    await measure_topics(cache / "topics", data)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="How well search finds what was meant.")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure_all(options.data, options.cache or Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
