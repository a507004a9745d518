"""What interests would have delivered over the last days, and which of their words makes them too broad or too narrow.

Advice is measured, not guessed: each part of the interests is left out once, and what matches then is counted.

    too broad    more than a third of the papers match. The part is named without which the fewest would; where every
                 part narrows already, or there is but one, it is the one that takes in the most.
    too narrow   fewer than one a week match. The part is named without which the most would.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from core.digests.digest import Chosen, Order, compose
from core.papers.library import Library
from core.papers.windows import LastDays, listing_condition
from core.search.engine import Engine
from core.search.query import Query
from core.search.tree import And, Node, Not, Or, Word, conjuncts, render

TOO_BROAD = 1 / 3
TOO_NARROW_A_WEEK = 1.0
WEEK = 7
MOST_PARTS = 12


@dataclass(frozen=True, slots=True)
class Listed:
    """One day of the sources' lists.

    Attributes:
        day: which.
        considered: how many papers were listed first on it.
        matched: how many of them the interests want.
    """

    day: date
    considered: int
    matched: int


@dataclass(frozen=True, slots=True)
class Culprit:
    """The part of interests that makes them what they are.

    Attributes:
        part: as it is written.
        matched: how many papers would match without it; None where nothing else would be left.
    """

    part: str
    matched: int | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """What interests would have delivered.

    Attributes:
        asked: over how many days it was asked for.
        looked: how many of these the library knows; its first list may be younger.
        days: the days with lists, oldest first.
        considered: papers that were listed in these days.
        matched: how many of them the interests want.
        first: the best of these.
        broad: more than a third match; and by what.
        narrow: fewer than one a week match; and by what.
        culprit: the part that makes them so, where one does.
    """

    query: Query
    asked: int
    looked: int
    days: tuple[Listed, ...]
    considered: int
    matched: int
    first: tuple[Chosen, ...]
    broad: bool = False
    narrow: bool = False
    culprit: Culprit | None = None

    @property
    def share(self) -> float:
        """The part of the listed papers that matches, 0 to 1."""
        return self.matched / self.considered if self.considered else 0.0

    @property
    def a_day(self) -> float:
        """How many match on a day with lists, on average."""
        return self.matched / len(self.days) if self.days else 0.0


async def backtest(query: Query, now: datetime, *, days: int, top: int, engine: Engine, library: Library) -> Backtest:
    """Try interests on the last days of the library.

    Args:
        query: the interests.
        now: the instant up to which.
        days: how many days back.
        top: how many of the best papers are returned.
        engine: what matches.
        library: what was listed.

    Raises:
        QueryError: `like:` names a paper that the library does not hold.
    """
    window = LastDays(days, now)
    digest = await compose(Order(query, window, top), engine=engine, library=library)
    matches = await engine.match(query, window)
    wanted = [match.paper_id for match in matches.matches]
    listed, oldest = await library.read(lambda connection: _lists(connection, window, wanted))
    looked = min(days, (now.date() - oldest).days + 1) if oldest is not None else 0
    tried = Backtest(query, days, max(looked, 0), listed, matches.considered, len(wanted), first=digest.chosen)
    return await _advised(tried, window, engine)


def _lists(
    connection: sqlite3.Connection, window: LastDays, wanted: Sequence[str]
) -> tuple[tuple[Listed, ...], date | None]:
    where, values = listing_condition(window)
    rows = connection.execute(
        "SELECT p.id, min(l.day) FROM listings l JOIN papers p ON p.number = l.paper"  # noqa: S608 - ours
        f" WHERE {where} AND NOT p.withdrawn GROUP BY p.number",
        values,
    ).fetchall()
    chosen = frozenset(wanted)
    considered = Counter(day for _, day in rows)
    matched = Counter(day for paper, day in rows if paper in chosen)
    (oldest,) = connection.execute("SELECT min(day) FROM listings").fetchone()
    days = tuple(Listed(date.fromisoformat(day), considered[day], matched[day]) for day in sorted(considered))
    return days, date.fromisoformat(oldest) if oldest else None


async def _advised(tried: Backtest, window: LastDays, engine: Engine) -> Backtest:
    """Measure which part makes interests too broad or too narrow, where they are."""
    if tried.query.is_empty or not tried.considered:
        return tried
    if tried.share > TOO_BROAD:
        return replace(tried, broad=True, culprit=await _widest(tried, window, engine))
    # A library of two days cannot tell a paper a week from none; what matches nothing is worth a word all the same.
    if tried.matched * WEEK / max(tried.looked, WEEK) < TOO_NARROW_A_WEEK:
        return replace(tried, narrow=True, culprit=await _tightest(tried, window, engine))
    return tried


async def _widest(tried: Backtest, window: LastDays, engine: Engine) -> Culprit | None:
    counts = [
        (await _count(rest, window, engine), part) for part, rest in _left_out(tried.query.tree, alternatives=True)
    ]
    fewer = [(count, part) for count, part in counts if count is not None and count < tried.matched]
    if fewer:
        count, part = min(fewer, key=lambda one: one[0] or 0)
        return Culprit(part, count)
    alone = [(await _count(node, window, engine) or 0, render(node)) for node in _parts(tried.query.tree)]
    return Culprit(max(alone, key=lambda one: one[0])[1], None) if alone else None


async def _tightest(tried: Backtest, window: LastDays, engine: Engine) -> Culprit | None:
    counts = [
        (await _count(rest, window, engine), part) for part, rest in _left_out(tried.query.tree, alternatives=False)
    ]
    more = [(count, part) for count, part in counts if count is not None and count > tried.matched]
    if more:
        count, part = max(more, key=lambda one: one[0] or 0)
        return Culprit(part, count)
    return Culprit(counts[0][1], None) if len(counts) == 1 else None


async def _count(tree: Node | None, window: LastDays, engine: Engine) -> int | None:
    """Return how many papers a tree wants; None for no tree, which wants everything."""
    if tree is None:
        return None
    return len((await engine.match(Query(render(tree), tree), window)).matches)


def _parts(tree: Node | None) -> list[Node]:
    """Return the wanted parts: of alternatives each one, at most twelve."""
    found: list[Node] = []
    for node in conjuncts(tree):
        if isinstance(node, Or):
            found += node.children
        elif not isinstance(node, Not):
            found.append(node)
    return found[:MOST_PARTS]


def _left_out(tree: Node | None, *, alternatives: bool) -> list[tuple[str, Node | None]]:
    """Return (part, the tree without it) for each part; with `alternatives`, of an OR each branch is one."""
    top = conjuncts(tree)
    found: list[tuple[str, Node | None]] = []
    for place, node in enumerate(top[:MOST_PARTS]):
        others = (*top[:place], *top[place + 1 :])
        if alternatives and isinstance(node, Or):
            for number, branch in enumerate(node.children[:MOST_PARTS]):
                rest = (*node.children[:number], *node.children[number + 1 :])
                kept = rest[0] if len(rest) == 1 else Or(rest)
                found.append((render(branch), _joined((*top[:place], kept, *top[place + 1 :]))))
        elif not alternatives or isinstance(node, Word):
            found.append((render(node), _joined(others)))
    return found


def _joined(nodes: Sequence[Node]) -> Node | None:
    if not nodes:
        return None
    flat = [child for node in nodes for child in (node.children if isinstance(node, And) else (node,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))
