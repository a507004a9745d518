"""Simulated readers with hidden tastes: what they mark, and how well methods learn it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np

from core.digests.taste import NOTHING, Taste, pool_votes
from tests.benchmarks.relevance_days import TOP, Announced, Days, read_names
from tests.benchmarks.retrieval_metrics import ndcg

POINTS = (5, 10, 25, 50)
A_DAY = 5
NOISE = 0.1
TOPICS_EACH = 4
SHARE_OF_TITLES = (0.04, 0.25)
ENOUGH_LIKED = 15
SEEDS = 2


@dataclass(frozen=True)
class Hidden:
    """What a reader likes: papers of a category that hold a word (as a stem)."""

    category: str
    topic: str
    seed: int

    def likes(self, paper: Announced) -> bool:
        return paper.category == self.category and self.topic in paper.stems


@dataclass(frozen=True)
class Marked:
    """One mark of a reader."""

    paper: str
    kind: str
    person: str = "reader"
    place: str = "reader"
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def make_readers(days: Days) -> list[Hidden]:
    found = []
    for category in days.categories:
        own = [paper for paper in days.papers if paper.category == category]
        counts = Counter(word for paper in own for word in sorted(paper.title_stems))
        low, high = (share * len(own) for share in SHARE_OF_TITLES)
        topics = [word for word, count in counts.most_common() if low <= count <= high]
        liked = [t for t in topics if sum(t in paper.stems for paper in own) >= ENOUGH_LIKED]
        found += [Hidden(category, topic, seed) for topic in liked[:TOPICS_EACH] for seed in range(SEEDS)]
    return found


def mark_days(reader: Hidden, days: Days) -> Iterator[tuple[int, list[Marked], date]]:
    """Yield (number of marks, all marks so far, the next day) after each day but the last."""
    chance = np.random.default_rng([*reader.category.encode(), *reader.topic.encode(), reader.seed])
    marks: list[Marked] = []
    for day, following in pairwise(days.by_day):
        marks += mark_day(reader, days.by_day[day], chance)
        yield len(marks), list(marks), following


def mark_day(reader: Hidden, papers: Sequence[Announced], chance: np.random.Generator) -> Iterator[Marked]:
    liked = [paper for paper in papers if reader.likes(paper)]
    near = [paper for paper in papers if not reader.likes(paper) and paper.category == reader.category]
    rest = [paper for paper in papers if not reader.likes(paper)]
    picked: dict[str, Announced] = {}
    while len(picked) < A_DAY:
        throw = chance.random()
        source = liked if throw < 0.5 and liked else near if throw < 0.75 and near else rest
        paper = source[int(chance.integers(len(source)))]
        picked[paper.id] = paper
    for paper in picked.values():
        is_up = reader.likes(paper) != (chance.random() < NOISE)
        yield Marked(paper.id, "up" if is_up else "down")


class Sanity:
    """arxiv-sanity's recipe: https://github.com/karpathy/arxiv-sanity-lite (`compute.py`, `serve.py`)."""

    def __init__(self, days: Days) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - takes seconds

        vectorizer = TfidfVectorizer(
            sublinear_tf=True, stop_words="english", ngram_range=(1, 2), max_features=20_000, min_df=5, max_df=0.1
        )
        self._matrix = vectorizer.fit_transform([paper.text for paper in days.papers])
        self._row = {paper.id: row for row, paper in enumerate(days.papers)}

    def rank(self, liked: Sequence[str], others: Sequence[str], candidates: Sequence[str]) -> list[str]:
        """Return candidates, best first; in their own order where one side is missing: there is no machine then."""
        from sklearn.svm import LinearSVC  # noqa: PLC0415 - takes seconds

        if not liked or not others:
            return list(candidates)
        rows = [self._row[one] for one in (*liked, *others)]
        wanted = [1] * len(liked) + [0] * len(others)
        machine = LinearSVC(class_weight="balanced", C=0.01, max_iter=10_000, tol=1e-6, random_state=0)
        machine.fit(self._matrix[rows], wanted)
        scores = machine.decision_function(self._matrix[[self._row[one] for one in candidates]])
        return [candidates[place] for place in np.argsort(-scores, kind="stable")]


async def measure_learning(days: Days, tell) -> dict[str, dict[str, dict[str, float]]]:
    names, sanity = read_names(), Sanity(days)
    gains: dict[int, dict[str, list[float]]] = {point: defaultdict(list) for point in POINTS}
    readers = make_readers(days)
    for place, reader in enumerate(readers):
        tell(f"reader {place + 1} of {len(readers)}")
        for count, marks, day in mark_days(reader, days):
            wanted = {paper.id: 1 for paper in days.by_day[day] if reader.likes(paper)}
            if count not in POINTS or not wanted:
                continue
            for name, ranked in (await rank_by_all(days, sanity, marks, day, names[reader.category])).items():
                gains[count][name].append(ndcg(ranked, wanted, TOP))
    return {
        str(point): {name: {"ndcg@10": round(float(np.mean(found)), 4)} for name, found in by_method.items()}
        for point, by_method in gains.items()
        if by_method
    }


async def rank_by_all(
    days: Days, sanity: Sanity, marks: Sequence[Marked], day: date, interests: str
) -> dict[str, list[str]]:
    taste: Taste = pool_votes(marks)
    liked = [mark.paper for mark in marks if mark.kind == "up"]
    disliked = [mark.paper for mark in marks if mark.kind == "down"]
    seen = [paper.id for earlier, papers in days.by_day.items() if earlier < day for paper in papers]
    others = [one for one in seen if one not in set(liked)]
    candidates = [paper.id for paper in days.by_day[day]]
    return {
        "paperboy": await days.digest("", day, taste=taste),
        "no feedback": await days.digest("", day, taste=NOTHING),
        "arxiv-sanity on the marks": sanity.rank(liked, disliked, candidates),
        "arxiv-sanity, all else disliked": sanity.rank(liked, others, candidates),
        "paperboy with interests": await days.digest(interests, day, taste=taste),
        "interests without feedback": await days.digest(interests, day, taste=NOTHING),
    }
