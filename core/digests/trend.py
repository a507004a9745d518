"""How much interest others show in a paper, from 0 to 1, by a formula that anybody can follow (docs/ranking.md).

Each paper has up to six readings, all of them counts or ranks that a source gave with a date:

    upvotes     on Hugging Face
    growth      of them since the newest reading of an earlier day (UTC)
    comments    on Hugging Face and Hacker News together
    trending    the place in Hugging Face's trending list, if it is there at the newest reading
    stars       that its code gained, between the first and the newest reading of the last 14 days
    points      on Hacker News

A reading is compared with the same reading of its peers, papers of the same field and age, by its place among them:

    place = (peers below it + half of those equal, itself among them, + 1) / (peers + 2)

so that votes need no common scale, one paper alone stands in the middle, and the best of many nearly at 1. Then

    trend = (UNKNOWN + sum of weight · place) / (1 + sum of weight)      over the readings that there are

A reading that is missing takes no part: nobody's silence counts as zero interest. A paper without any has UNKNOWN, a
little below the middle of those that somebody looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.papers.paper import Paper, Signal

UNKNOWN = 0.4
WEIGHTS: Mapping[str, float] = {
    "upvotes": 1.0,
    "growth": 1.0,
    "comments": 0.5,
    "trending": 0.5,
    "stars": 0.5,
    "points": 0.5,
}
ENOUGH_PEERS = 3
"""Of fewer the next wider circle is asked: category, archive, archive of any age; other fields never."""
AGES = (timedelta(days=4), timedelta(days=11))
"""Where an age class ends: one announcement's papers (a weekend lies in some), about a week older, all before."""
FRESH = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A paper that somebody looked at."""

    id: str
    circles: tuple[tuple[str, int], ...]
    readings: Mapping[str, float]


def trends(papers: Collection[Paper]) -> dict[str, float]:
    """Return the trend of each paper by id, compared among these papers."""
    newest = max((signal.at for paper in papers for signal in paper.signals), default=None)
    followed = [] if newest is None else [_follow(paper, newest) for paper in papers if paper.signals]
    places = dict(_places(followed))
    return {paper.id: places.get(paper.id, UNKNOWN) for paper in papers}


def readings_of(paper: Paper, newest: datetime) -> dict[str, float]:
    """Return the readings of a paper by name, more is better.

    Args:
        paper: with its signals, oldest first.
        newest: the instant of the newest reading of any paper (aware).
    """
    found = {
        "upvotes": paper.latest("upvotes"),
        "growth": growth_of(paper.signals, "upvotes"),
        "comments": _sum_of_sources(paper.signals, "comments"),
        "trending": _trending(paper.signals, newest),
        "stars": _gained(paper.signals, "stars"),
        "points": paper.latest("points"),
    }
    return {name: value for name, value in found.items() if value is not None}


def growth_of(signals: Sequence[Signal], name: str) -> float | None:
    """Return by how much a count grew since its newest reading of an earlier day (UTC); None without such a reading."""
    own = [signal for signal in signals if signal.name == name]
    if not own:
        return None
    today: date = own[-1].at.date()
    before = next((signal for signal in reversed(own) if signal.at.date() < today), None)
    return None if before is None else max(own[-1].value - before.value, 0.0)


def _gained(signals: Sequence[Signal], name: str) -> float | None:
    own = [signal for signal in signals if signal.name == name]
    return max(own[-1].value - own[0].value, 0.0) if len(own) > 1 else None


def _sum_of_sources(signals: Sequence[Signal], name: str) -> float | None:
    latest = {signal.source: signal.value for signal in signals if signal.name == name}
    return sum(latest.values()) if latest else None


def _trending(signals: Sequence[Signal], newest: datetime) -> float | None:
    ranks = [signal for signal in signals if signal.name == "trending_rank" and newest - signal.at < FRESH]
    return -ranks[-1].value if ranks else None


def _follow(paper: Paper, newest: datetime) -> _Followed:
    born = paper.published or paper.first_seen or newest
    age = sum(newest - born > end for end in AGES)
    category = paper.categories[0] if paper.categories else next(iter(paper.sources), "")
    archive = category.partition(".")[0]
    circles = ((category, age), (f"{archive}.*", age), (f"{archive}.*", -1))
    return _Followed(paper.id, circles, readings_of(paper, newest))


def _places(followed: Sequence[_Followed]) -> Iterator[tuple[str, float]]:
    place_of = {name: _compare(followed, name) for name in WEIGHTS}
    for paper in followed:
        told = [(WEIGHTS[name], place_of[name](paper)) for name in paper.readings]
        total = sum(weight for weight, _ in told)
        yield paper.id, (UNKNOWN + sum(weight * place for weight, place in told)) / (1 + total)


def _compare(followed: Sequence[_Followed], name: str) -> Callable[[_Followed], float]:
    """Return what tells a paper's place by one reading among its peers."""
    groups: dict[tuple[str, int], list[float]] = {}
    for paper in followed:
        if name in paper.readings:
            for circle in paper.circles:
                groups.setdefault(circle, []).append(paper.readings[name])
    for values in groups.values():
        values.sort()

    def place(paper: _Followed) -> float:
        peers = next((groups[c] for c in paper.circles if len(groups[c]) >= ENOUGH_PEERS), groups[paper.circles[-1]])
        value = paper.readings[name]
        below = bisect_left(peers, value)
        equal = bisect_right(peers, value) - below
        return (below + equal / 2 + 1) / (len(peers) + 2)

    return place
