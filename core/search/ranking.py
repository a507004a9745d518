"""Who comes first by words alone, by title, by what a paper is like."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from core.papers.tokens import token_key, tokens
from core.search.lexical import BM25, Compiled, Near, Sql
from core.search.postings import Postings
from core.search.stems import is_stop_word, stem

NEAR_TERMS = 25
NEAR_ENOUGH = 0.25
NEAR_MOST = 200
SAME_TITLE = 0.9
SAME_TITLE_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates in order.

    Attributes:
        scores: by paper number, best first; the best one's is 1, and all are 0 where there is nothing to rank by.
        total: how many papers meet the query, beyond those listed too.
    """

    scores: Mapping[int, float]
    total: int


def rank_by_words(connection: sqlite3.Connection, compiled: Compiled, depth: int) -> Ranking:
    """Rank by BM25 over the wanted words; without any, newest first, then by upvotes."""
    if not compiled.ranking and compiled.filters.text == "1":
        return _rank_newest(connection, depth)
    found = _scored(compiled)
    rows = connection.execute(
        f"WITH found AS MATERIALIZED ({found.text}) "  # noqa: S608 - compiled; what people type is in the parameters
        "SELECT number, score, (SELECT count(*) FROM found), (SELECT min(score) FROM found) FROM found "
        "ORDER BY score, published DESC, upvotes DESC, number DESC LIMIT ?",
        (*found.values, depth),
    ).fetchall()
    return Ranking(
        {number: score / best if best else 0.0 for number, score, _, best in rows}, rows[0][2] if rows else 0
    )


def _rank_newest(connection: sqlite3.Connection, depth: int) -> Ranking:
    """Rank the whole library by what its index of dates holds, without looking at every paper."""
    (total,) = connection.execute("SELECT count(*) FROM papers WHERE withdrawn = 0").fetchone()
    rows = connection.execute(
        "SELECT number FROM papers WHERE withdrawn = 0 ORDER BY published DESC, upvotes DESC, number DESC LIMIT ?",
        (depth,),
    )
    return Ranking({number: 0.0 for (number,) in rows}, total)


def _scored(compiled: Compiled) -> Sql:
    filters = compiled.filters
    row = "p.number, p.published, coalesce(p.upvotes, 0) AS upvotes"
    where = f"NOT p.withdrawn AND {filters.text}"
    if not compiled.ranking:
        return Sql(f"SELECT {row}, 0.0 AS score FROM papers p WHERE {where}", filters.values)  # noqa: S608 - ours
    values: tuple[object, ...] = (compiled.ranking, *filters.values)
    if compiled.soft and compiled.soft != compiled.ranking:
        where += " AND p.number IN (SELECT rowid FROM words WHERE words MATCH ?)"
        values = (*values, compiled.soft)
    if compiled.bound:
        source = "words JOIN papers p ON p.number = words.rowid"
        return Sql(f"SELECT {row}, {BM25} AS score FROM {source} WHERE words MATCH ? AND {where}", values)  # noqa: S608 - ours
    scores = f"SELECT rowid, {BM25} AS score FROM words WHERE words MATCH ?"  # noqa: S608 - ours
    source = f"papers p LEFT JOIN ({scores}) r ON r.rowid = p.number"
    return Sql(f"SELECT {row}, coalesce(r.score, 0.0) AS score FROM {source} WHERE {where}", values)  # noqa: S608 - ours


def papers_called(connection: sqlite3.Connection, compiled: Compiled, title: str) -> list[int]:
    """Return numbers of papers that are called so, by the whole title or by its part before a colon.

    Args:
        connection: a state of the library.
        compiled: its filters hold here too.
        title: as it was typed.
    """
    key = token_key(title)
    if not key:
        return []
    filters = compiled.filters
    called = "(p.title_key = ? OR p.title_key BETWEEN ? AND ?)"
    by_key = connection.execute(
        f"SELECT p.number, p.title FROM papers p WHERE NOT p.withdrawn AND {called} AND {filters.text} "  # noqa: S608 - ours
        "ORDER BY length(p.title_key), p.published DESC LIMIT 200",
        (key, f"{key} ", f"{key} \U0010ffff", *filters.values),
    ).fetchall()
    exact = [number for number, found in by_key if token_key(found) == key]
    heads = [number for number, found in by_key if ":" in found and token_key(found.split(":", 1)[0]) == key]
    return [*exact, *heads]


def alike_titles(title: str, pool: Mapping[int, str]) -> list[int]:
    """Return numbers of papers that are nearly called so, in the order of the pool, which has titles by number."""
    wanted = tokens(title)
    if len(wanted) < SAME_TITLE_TOKENS:
        return []
    return [number for number, found in pool.items() if _are_alike(wanted, tokens(found))]


def _are_alike(wanted: Sequence[str], title: Sequence[str]) -> bool:
    # The ratio is 2·matches / (both lengths), and no more can match than the shorter one has.
    both = max(len(wanted) + len(title), 1)
    if 2 * min(len(wanted), len(title)) / both < SAME_TITLE:
        return False
    held = set(title)
    if 2 * sum(token in held for token in wanted) / both < SAME_TITLE:  # spares the long comparison
        return False
    return SequenceMatcher(None, wanted, title, autojunk=False).ratio() >= SAME_TITLE


def weigh_words(connection: sqlite3.Connection, words: Sequence[str], postings: Postings | None = None) -> list[float]:
    """Return the inverse document frequency of each word, ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25.

    Args:
        connection: a state of the library.
        words: tokens, or several joined by what is none: then the rarest counts.
        postings: the quick word lists, which need not count; for tokens alone.
    """
    if postings is not None:
        held, whole = postings.frequencies(words)
        return [idf(count, whole) for count in held]
    (papers,) = connection.execute("SELECT count(*) FROM papers").fetchone()
    counts = [min((_papers_with(connection, token) for token in tokens(word)), default=0) for word in words]
    return [idf(count, papers) for count in counts]


def idf(count: int, papers: int) -> float:
    """Return the inverse document frequency of a word that `count` of `papers` papers hold."""
    return math.log1p((max(papers - count, 0) + 0.5) / (count + 0.5))


def _papers_with(connection: sqlite3.Connection, token: str) -> int:
    row = connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (stem(token),)).fetchone()
    return row[0] if row else 0


def find_near(connection: sqlite3.Connection, identifier: str, postings: Postings | None = None) -> Near | None:
    """Return what is near to a paper by its 25 most telling words; None when the library does not hold it.

    Nearness is the BM25 over these words as a share of what the paper itself reaches; less than a quarter is not near.

    Args:
        connection: a state of the library.
        identifier: the paper's id.
        postings: the quick word lists; without them the library's own index looks at every paper.
    """
    found = telling_words(connection, identifier, postings)
    if found is None:
        return None
    number, telling = found
    ranking = " OR ".join(f'"{word}"' for word in telling)
    if not ranking:
        return Near('""', {})
    best = _best(connection, telling) if postings is None else postings.rank(telling, NEAR_MOST + 1)
    scores = dict(best)
    own = scores.pop(number, None) or max(scores.values(), default=1.0)
    near = {other: min(1.0, score / own) for other, score in scores.items() if score / own >= NEAR_ENOUGH}
    return Near(ranking, near, tuple(telling))


def telling_words(
    connection: sqlite3.Connection, identifier: str, postings: Postings | None = None
) -> tuple[int, list[str]] | None:
    """Return a paper's number and its 25 most telling words; None when the library does not hold it."""
    row = connection.execute("SELECT number, title, abstract FROM papers WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        return None
    number, title, abstract = row
    words = [token for token in (*tokens(title), *tokens(title), *tokens(abstract)) if not is_stop_word(token)]
    counts = Counter(words)
    weights = dict(zip(counts, weigh_words(connection, list(counts), postings), strict=True))
    return number, sorted(counts, key=lambda word: -weights[word] * (1 + math.log(counts[word])))[:NEAR_TERMS]


def _best(connection: sqlite3.Connection, words: Sequence[str]) -> Mapping[int, float]:
    query = (
        f"SELECT words.rowid, -{BM25} AS score FROM words JOIN papers p ON p.number = words.rowid "  # noqa: S608 - ours
        "WHERE words MATCH ? AND NOT p.withdrawn ORDER BY score DESC LIMIT ?"
    )
    return dict(connection.execute(query, (" OR ".join(f'"{word}"' for word in words), NEAR_MOST + 1)).fetchall())
