"""What a standing interest wants.

A paper is wanted when it meets every filter and covers the words: the words it holds (in title or abstract, by stem)
make up at least 60 % of the weight of all words asked for, each weighed by its inverse document frequency in the
library. So the telling words must be there, and a common one may be missing. Stop-words do not count, and of a long
text the 64 rarest words do. No words, nothing to cover: then the filters alone decide.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.papers.windows import Window, paper_condition
from core.search.lexical import Near, Sql, compile_query, condition, soft_words
from core.search.query import Query
from core.search.ranking import weigh_words
from core.search.reasons import held_leaves, tell, telling_leaves
from core.search.tree import Author, Category, Leaf, Phrase, Text, Word, conjuncts, render

ENOUGH = 0.6
MOST_WORDS = 64
IN_ABSTRACT = 0.7


@dataclass(frozen=True, slots=True)
class Match:
    """A paper that an interest wants.

    Attributes:
        relevance: 0..1, the weighted share of the words and phrases asked for that it holds, those outside the title
            counted 0.7 (of `like:`, the nearness if that is more); 0 when no word is asked for.
        words: what of the interest it meets, as typed, for "matches *grokking*".
    """

    paper_id: str
    relevance: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an interest wants a paper.

    Attributes:
        because: by what it matched, or why it did not, as a clause.
        excluded_by: the part of the interest that shut it out, as typed; empty where none did.
    """

    matched: bool
    because: str
    excluded_by: str = ""


def match_window(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], window: Window
) -> tuple[Match, ...]:
    """Return the papers of a window that an interest wants, most relevant first."""
    found = [match for coverage, match in _measured(connection, query, near, window) if coverage >= ENOUGH]
    return tuple(sorted(found, key=lambda match: -match.relevance))


def nearest_in_window(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], window: Window
) -> Match | None:
    """Return what meets every filter of an interest and covers most of its words, though not enough; None without."""
    found = [
        (coverage, match) for coverage, match in _measured(connection, query, near, window) if 0 < coverage < ENOUGH
    ]
    return max(found, key=lambda one: (one[0], one[1].relevance, one[1].paper_id))[1] if found else None


def _measured(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], window: Window
) -> Iterator[tuple[float, Match]]:
    """Yield each paper of a window that meets the filters, and the share of the words that it covers."""
    where, values = paper_condition(window)
    filters = compile_query(query.tree, near).filters
    condition = Sql(f"{where} AND {filters.text}", (*values, *filters.values))
    leaves, weights = _weighed(connection, query)
    held = held_leaves(connection, leaves, near, condition)
    ids = dict(connection.execute(f"SELECT p.number, p.id FROM papers p WHERE {where}", values))  # noqa: S608 - ours
    soft = set(soft_words(query.tree))
    for number, degrees in held.items():
        coverage = _coverage(leaves, weights, degrees, soft)
        if coverage > 0:
            relevance = max(
                _relevance(leaves, weights, degrees), *(n.scores.get(number, 0.0) for n in near.values()), 0.0
            )
            yield coverage, Match(ids[number], round(relevance, 4), _told(leaves, degrees))


def _weighed(connection: sqlite3.Connection, query: Query) -> tuple[list[Leaf], list[float]]:
    """Return the leaves that count and the weight of each; what is no text weighs nothing."""
    leaves = telling_leaves(query.tree)
    weights = weigh_words(connection, [_text(leaf) for leaf in leaves])
    weights = [weight if _text(leaf) else 0.0 for leaf, weight in zip(leaves, weights, strict=True)]
    words = sorted(
        (weight for leaf, weight in zip(leaves, weights, strict=True) if isinstance(leaf, Word)), reverse=True
    )
    least = words[MOST_WORDS - 1] if len(words) > MOST_WORDS else 0.0
    kept = [
        (leaf, weight)
        for leaf, weight in zip(leaves, weights, strict=True)
        if not isinstance(leaf, Word) or weight >= least
    ]
    return [leaf for leaf, _ in kept], [weight for _, weight in kept]


def _text(leaf: Leaf) -> str:
    return leaf.text if isinstance(leaf, Word | Phrase | Text) else ""


def _coverage(leaves: Sequence[Leaf], weights: Sequence[float], degrees: Sequence[int], soft: set[Word]) -> float:
    asked = [(weight, degree) for leaf, weight, degree in zip(leaves, weights, degrees, strict=True) if leaf in soft]
    total = sum(weight for weight, _ in asked)
    return sum(weight for weight, degree in asked if degree) / total if total else 1.0


def _relevance(leaves: Sequence[Leaf], weights: Sequence[float], degrees: Sequence[int]) -> float:
    total = sum(weights)
    share = {0: 0.0, 1: IN_ABSTRACT, 2: 1.0}
    held = sum(
        weight * (share[degree] if isinstance(leaf, Word | Phrase) else float(degree > 0))
        for leaf, weight, degree in zip(leaves, weights, degrees, strict=True)
    )
    return held / total if total else 0.0


def _told(leaves: Sequence[Leaf], degrees: Sequence[int]) -> tuple[str, ...]:
    held = [leaf for leaf, degree in zip(leaves, degrees, strict=True) if degree]
    telling = [leaf for leaf in held if not isinstance(leaf, Category)]
    return tuple(dict.fromkeys(map(_as_typed, telling or held)))


def _as_typed(leaf: Leaf) -> str:
    match leaf:
        case Word(text) | Phrase(text) | Text(_, text, _) | Author(text, _) | Category(text):
            return text
        case other:
            return render(other)


def explain_paper(connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], paper_id: str) -> Verdict:
    """Say whether an interest wants a paper of the library, and by what."""
    row = connection.execute("SELECT number, withdrawn FROM papers WHERE id = ?", (paper_id,)).fetchone()
    if row is None:
        return Verdict(matched=False, because="the library does not hold it")
    number, withdrawn = row
    if withdrawn:
        return Verdict(matched=False, because="it was withdrawn")
    for node in conjuncts(query.tree):
        if isinstance(node, Word):
            continue
        holds = condition(node, near)
        sql = f"SELECT {holds.text} FROM papers p WHERE p.number = ?"  # noqa: S608 - compiled
        if not connection.execute(sql, (*holds.values, number)).fetchone()[0]:
            part = render(node)
            return Verdict(matched=False, because=f"{part} does not hold for it", excluded_by=part)
    return _explain_words(connection, query, near, number)


def _explain_words(connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], number: int) -> Verdict:
    leaves, weights = _weighed(connection, query)
    if not leaves:
        return Verdict(
            matched=True, because="these interests want everything" if query.is_empty else "nothing shuts it out"
        )
    degrees = held_leaves(connection, leaves, near, Sql("p.number = ?", (number,)))[number]
    soft = set(soft_words(query.tree))
    held = [leaf for leaf, degree in zip(leaves, degrees, strict=True) if degree]
    if _coverage(leaves, weights, degrees, soft) >= ENOUGH:
        return Verdict(matched=True, because=tell(held))
    missing = [leaf.text for leaf in leaves if isinstance(leaf, Word) and leaf in soft and leaf not in held]
    return Verdict(matched=False, because=f"too few of the words are in it; missing: {', '.join(missing)}")
