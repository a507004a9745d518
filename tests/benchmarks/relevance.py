"""How right the chosen papers are: `python -m tests.benchmarks.relevance [--papers FILE] [--json]`.

The protocol (docs/ranking.md has its reasons and what came out):

days        the newest 11 announced days with 50 papers or more in FILE, whose records are lines of JSON with id, title,
            abstract, categories (the first is the primary one) and list_date. All methods see titles and abstracts
            alone; the categories, which are the answer, are kept from them, and so from the product's library.
interests   for each category with 30 papers or more in these days, its name in plain words. The product composes each
            day's digest of ten; relevant is what has that primary category. Mean precision@10 (hits / 10, also where
            fewer are shown) and nDCG@10 over all (category, day) with at least one relevant paper. Beside it: the
            product's search by words, TF-IDF with cosine, and chance.
learning    readers like one category crossed with one topic: a word that 4 to 25 % of the category's titles hold, up to
            four a category, the most frequent first, if 15 papers or more have both; two readers each. On each of ten
            days a reader marks five papers, half of them from what it likes, if there is any, a quarter from the rest
            of its category, a quarter from everything else; one mark in ten is wrong. nDCG@10 of the next day's digest
            after 5, 10, 25 and 50 marks; subscribed to everything, and to the category's name. The same marks go to
            arxiv-sanity's recipe (TF-IDF, LinearSVC, balanced, C=0.01), once fitted on them alone, and once as its own
            program does it, with everything else seen so far as disliked.
variety     of the digests of `interests`: mean cosine of two of its papers' vectors (from the day's mean) and of their
            TF-IDF, and nDCG@10, as they are and with variety switched off.

Options: --days N, --cache FOLDER (keeps the library and vectors for the next run), --json (one document, nothing else).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ModelError
from core.search.obtain import obtain_model
from core.settings import read_settings
from tests.benchmarks.relevance_days import TOP, Announced, Days, open_days, read_announced, read_names
from tests.benchmarks.relevance_readers import measure_learning
from tests.benchmarks.retrieval_metrics import ndcg

PAPERS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "arxiv_papers.jsonl.gz"
SHUFFLES = 20
SEED = 0


def tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def make_tfidf(texts: list[str]):
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - takes seconds

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    return vectorizer, vectorizer.fit_transform(texts)


class Scores:
    """Figures of one method, one entry a question."""

    def __init__(self) -> None:
        self.precision: list[float] = []
        self.gain: list[float] = []

    def add(self, ranked: list[str], relevant: set[str]) -> None:
        self.precision.append(len(set(ranked[:TOP]) & relevant) / TOP)
        self.gain.append(ndcg(ranked, dict.fromkeys(relevant, 1), TOP))

    @property
    def figures(self) -> dict[str, float]:
        return {
            "precision@10": round(float(np.mean(self.precision)), 4),
            "ndcg@10": round(float(np.mean(self.gain)), 4),
        }


def questions(days: Days) -> list[tuple[str, date, list[Announced], set[str]]]:
    """Return (category, day, its papers, the relevant ones) wherever there is one."""
    found = []
    for category in days.categories:
        for day, papers in days.by_day.items():
            relevant = {paper.id for paper in papers if paper.category == category}
            if relevant:
                found.append((category, day, papers, relevant))
    return found


async def measure_interests(days: Days) -> dict[str, dict[str, float]]:
    names = read_names()
    vectorizer, matrix = make_tfidf([paper.text for paper in days.papers])
    row = {paper.id: place for place, paper in enumerate(days.papers)}
    chance = np.random.default_rng(SEED)
    found = {name: Scores() for name in ("paperboy", "word search", "tf-idf cosine", "chance")}
    by_words = {category: await days.search_by_words(names[category]) for category in days.categories}
    for category, day, papers, relevant in questions(days):
        ids = [paper.id for paper in papers]
        of_day = set(ids)
        found["paperboy"].add(await days.digest(names[category], day), relevant)
        found["word search"].add([one for one in by_words[category] if one in of_day], relevant)
        cosines = (matrix[[row[one] for one in ids]] @ vectorizer.transform([names[category]]).T).toarray()[:, 0]
        found["tf-idf cosine"].add([ids[place] for place in np.argsort(-cosines, kind="stable")], relevant)
        for _ in range(SHUFFLES):
            found["chance"].add([ids[place] for place in chance.permutation(len(ids))], relevant)
    return {name: scores.figures for name, scores in found.items()}


async def measure_variety(days: Days) -> dict[str, dict[str, float]]:
    names = read_names()
    _, matrix = make_tfidf([paper.text for paper in days.papers])
    row = {paper.id: place for place, paper in enumerate(days.papers)}
    found: dict[str, dict[str, float]] = {}
    for name, varied in (("with variety", True), ("without", False)):
        scores, meanings, words = Scores(), [], []
        for category, day, papers, relevant in questions(days):
            shown = await days.digest(names[category], day, varied=varied)
            scores.add(shown, relevant)
            if len(shown) > 1:
                centre = np.mean([days.vectors[paper.id] for paper in papers], axis=0)
                rest = np.array([days.vectors[one] for one in shown]) - centre
                rest /= np.linalg.norm(rest, axis=1, keepdims=True)
                held = matrix[[row[one] for one in shown]]
                meanings.append(mean_of_pairs(rest @ rest.T))
                words.append(mean_of_pairs((held @ held.T).toarray()))
        found[name] = {
            "similarity of meaning": round(float(np.mean(meanings)), 4),
            "similarity of words": round(float(np.mean(words)), 4),
            "ndcg@10": scores.figures["ndcg@10"],
        }
    return found


def mean_of_pairs(alike: np.ndarray) -> float:
    count = len(alike)
    return float((alike.sum() - np.trace(alike)) / (count * (count - 1)))


async def measure_all(announced: list[Announced], cache: Path) -> dict[str, Any] | str:
    try:
        await obtain_model(read_settings(os.environ))
    except ModelError as error:
        return f"Skipped: {error}"
    async with open_days(announced, cache, tell) as days:
        about = {
            "days": [day.isoformat() for day in days.by_day],
            "papers": len(announced),
            "categories": days.categories,
        }
        tell("interests")
        interests = await measure_interests(days)
        tell("variety")
        variety = await measure_variety(days)
        learning = await measure_learning(days, tell)
        tell("")
        return {"about": about, "interests": interests, "learning": learning, "variety": variety}


def print_figures(found: dict[str, Any]) -> None:
    about = found["about"]
    first, last, count = about["days"][0], about["days"][-1], len(about["days"])
    print(f"{about['papers']:,} papers of {count} days, {first} to {last}; {len(about['categories'])} categories")
    for part in ("interests", "variety"):
        print(f"\n{part}")
        for name, figures in found[part].items():
            print(f"  {name:36}" + "".join(f"  {what} {value:.3f}" for what, value in figures.items()))
    numbers = list(found["learning"])
    print("\nlearning: nDCG@10 of the next day after so many marks\n" + " " * 40 + "".join(f"{n:>8}" for n in numbers))
    for name in found["learning"][numbers[0]]:
        print(f"  {name:38}" + "".join(f"{found['learning'][n][name]['ndcg@10']:8.3f}" for n in numbers))


def main() -> int:
    parser = argparse.ArgumentParser(description="How right the chosen papers are.")
    parser.add_argument("--papers", type=Path, default=PAPERS)
    parser.add_argument("--days", type=int, default=11)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.papers.exists():
        print(f"Skipped: there is no {options.papers}.", file=sys.stderr)
        return int(options.json)
    announced = read_announced(options.papers, options.days)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure_all(announced, options.cache or Path(folder)))
    if isinstance(found, str):
        print(found, file=sys.stderr if options.json else sys.stdout)
        return 1 if options.json else 0
    if options.json:
        print(json.dumps(found))
    else:
        print_figures(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
