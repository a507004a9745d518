"""A search by word and by meaning: who is looked at, and how both become one order.

The filters hold inside the choice: the nearest papers are looked for among those that meet them, so that a narrow
filter finds what is there. Words choose candidates as they do alone; those that meaning brings need not hold any.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from core.papers.library import newest_change
from core.papers.schema import gathered
from core.search.fusion import fuse, least_nearness
from core.search.lexical import BM25, Compiled, Near, compile_query, ranked_words
from core.search.meaning import Known
from core.search.postings import Postings
from core.search.query import Query
from core.search.ranking import telling_words, weigh_words
from core.search.tree import And, Like, Node, Not, Phrase, Text, Word, all_leaves, conjuncts, positive_leaves

if TYPE_CHECKING:
    from core.search.matrix import Numbers, Vectors

CANDIDATES = 100
"""Looked at from each side; further pages look deeper."""
NEAR = 50
"""So many nearest are told to be near in meaning even where they hold words too."""
SCORED = 100
"""Of so many nearest the words are counted too; those behind them come on no first page by a word or two."""
LOOKED_UP = 500
"""So many the quick word lists rank while the model works, which spares asking them again for what meaning brings."""
MOST_BEHIND = 5_000
"""Papers that the quick word lists may lack; of more, the library's own index is asked alone."""
_WIDE = 1_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found by both.

    Attributes:
        scores: by paper number, best first, the best one's is 1; of those behind the first, some may be too low.
        near: the papers that are near in meaning.
        words: those that hold words.
    """

    scores: Mapping[int, float]
    near: frozenset[int]
    words: frozenset[int]


def asked_text(query: Query) -> str:
    """Return the text that a query is about: as typed where it is plain, else its words without the filters."""
    leaves = list(all_leaves(query.tree))
    if all(isinstance(leaf, Word | Phrase) for leaf in leaves) and not any(
        isinstance(node, Not) for node in conjuncts(query.tree)
    ):
        return query.text
    return " ".join(leaf.text for leaf in positive_leaves(query.tree) if isinstance(leaf, Word | Phrase | Text))


def asked_likes(query: Query) -> tuple[str, ...]:
    """Return the papers to which all hits have to be near: those of the `like:` that stand at the top level."""
    return tuple(dict.fromkeys(node.paper for node in conjuncts(query.tree) if isinstance(node, Like)))


def liked_vectors(known: Known, likes: Collection[int]) -> list[Vectors] | None:
    """Return the vectors of some papers, or None when one is not known."""
    vectors = [known.matrix.vector(number) for number in likes]
    there = [vector for vector in vectors if vector is not None]
    return there if len(there) == len(vectors) else None


def aim(vectors: Sequence[Vectors]) -> Vectors:
    """Return the direction between some vectors, of length 1."""
    import numpy as np  # noqa: PLC0415 - loaded with the model

    whole: Vectors = np.sum([vector / np.linalg.norm(vector) for vector in vectors], axis=0, dtype=np.float32)
    whole /= max(float(np.linalg.norm(whole)), 1e-9)
    return whole


@dataclass(frozen=True, slots=True)
class Words:
    """What is known of a search before its meaning is.

    Attributes:
        depth: how many papers are wanted.
        asked: the tokens that are looked for.
        weights: the inverse document frequency of each.
        among: the papers that meet the filters; None where there are none.
        scores: BM25 of the candidates that hold words.
        behind: BM25 of those that come behind the candidates, which meaning may bring.
        liked: the papers of its `like:`, which are not looked for, with their most telling words.
        whole: whether the BM25 of everybody who holds words is known.
        postings: whom to ask for the BM25 of others; None where there are no quick word lists.
    """

    depth: int
    asked: Sequence[str]
    weights: Sequence[float]
    among: Numbers | None
    scores: Mapping[int, float]
    behind: Mapping[int, float]
    liked: Mapping[int, Sequence[str]]
    whole: bool
    postings: Postings | None


def look_up_words(
    connection: sqlite3.Connection,
    query: Query,
    near: Mapping[str, Near],
    depth: int,
    postings: Postings | None,
) -> Words:
    """Look up what the words and filters of a query say, for which its meaning need not be known.

    Args:
        connection: a state of the library.
        query: what is asked.
        near: what is near to the papers of its `like:`; those at the top level are a direction to look in instead.
        depth: how many papers are wanted.
        postings: the quick word lists, where there are some.
    """
    tree, liked = _without_likes(query), _liked(connection, query, near)
    compiled = compile_query(tree, near)
    count = max(CANDIDATES, depth)
    among = None if compiled.filters.text == "1" else _allowed(connection, compiled)
    words = ranked_words(tree)
    weights = weigh_words(connection, words, postings)
    if postings is None or among is not None or not words:
        held = _rank_filtered(connection, compiled, among, max(_WIDE, count)) if compiled.ranking else {}
        return Words(depth, words, weights, among, held, {}, liked, whole=True, postings=postings)
    # Without filters there are words alone.
    deep = max(LOOKED_UP, count)
    ranked = postings.rank(words, deep)
    first = dict(islice(ranked.items(), count)) | _rank_newer(connection, words, weights, postings)
    return Words(depth, words, weights, None, first, ranked, liked, whole=len(ranked) < deep, postings=postings)


def rank_by_both(words: Words, first: int, known: Known, direction: Vectors) -> Ranked:
    """Rank the papers that meet a query's filters.

    Args:
        words: what was looked up.
        first: so many come in the right order; of those behind them, not all have their words counted.
        known: what is known by meaning.
        direction: where to look, a vector of length 1.
    """
    lexical = dict(words.scores)
    # The nearest come first, the nearest of all foremost; what was found by words alone comes behind them.
    count = max(CANDIDATES, words.depth) + len(words.liked)
    semantic = known.matrix.nearest(direction, count, among=words.among, besides=list(lexical))
    nearest = list(islice(semantic, max(SCORED, words.depth)))
    least = known.embedder.least_cosine if words.asked else -1.0
    lexical |= {number: words.behind[number] for number in nearest if number in words.behind}
    alike = _shares_of_words(words.postings, words.liked, nearest)
    if words.postings is not None and not words.whole:
        most = min(words.behind.values())
        enough = -1.0 if alike else least_nearness(words.weights, lexical, semantic, first + len(words.liked), most)
        unsure = [n for n in nearest if n not in lexical and not least <= semantic[n] < enough]
        lexical |= words.postings.score(words.asked, unsure)
    semantic = {n: cosine for n, cosine in semantic.items() if n in lexical or cosine >= least}
    for number in words.liked:
        semantic.pop(number, None)
        lexical.pop(number, None)
    alike = {number: share for number, share in alike.items() if number in semantic}
    scores = fuse(words.weights, lexical, semantic, alike)
    return Ranked(scores, frozenset(n for n in nearest[:NEAR] if n in semantic), frozenset(lexical))


def rank_alike(
    connection: sqlite3.Connection, paper_id: str, cosines: Mapping[int, float], postings: Postings | None
) -> dict[int, float]:
    """Rank the papers that are near to one in meaning by the words they share with it too, best first.

    Args:
        connection: a state of the library.
        paper_id: which one.
        cosines: of the others, by number.
        postings: the quick word lists; without them meaning alone decides.

    Raises:
        LibraryError: the word lists cannot be read.
    """
    told = telling_words(connection, paper_id, postings) if postings else None
    return fuse([], {}, cosines, _shares_of_words(postings, dict([told] if told else []), list(cosines)))


def _shares_of_words(
    postings: Postings | None, liked: Mapping[int, Sequence[str]], numbers: Sequence[int]
) -> dict[int, float]:
    """Return what share of the BM25 of papers' most telling words others reach, 0..1, as the mean over those papers.

    Whoever holds none of the words is left out.
    """
    found: dict[int, float] = {}
    if postings is None:
        return found
    for paper, words in liked.items():
        held = postings.score(words, [paper, *(number for number in numbers if number != paper)])
        own = held.pop(paper, None) or max(held.values(), default=1.0)
        for number, score in held.items():
            found[number] = found.get(number, 0.0) + min(1.0, score / own) / len(liked)
    return found


def _without_likes(query: Query) -> Node | None:
    """Return the tree without the `like:` of its top level."""
    rest = tuple(node for node in conjuncts(query.tree) if not isinstance(node, Like))
    return None if not rest else rest[0] if len(rest) == 1 else And(rest)


def _liked(connection: sqlite3.Connection, query: Query, near: Mapping[str, Near]) -> dict[int, Sequence[str]]:
    """Return the papers of the `like:` of a query's top level, by number, with their most telling words."""
    numbers = paper_numbers(connection, asked_likes(query))
    return {number: near[identifier].telling for identifier, number in numbers.items()}


def paper_numbers(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the numbers of papers, of those that the library holds, by id."""
    if not ids:
        return {}
    query = "SELECT id, number FROM papers WHERE id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(query, (_json(ids),)))


def _allowed(connection: sqlite3.Connection, compiled: Compiled) -> Numbers:
    import numpy as np  # noqa: PLC0415 - loaded with the model

    filters = compiled.filters
    query = f"SELECT json_group_array(p.number) FROM papers p WHERE NOT p.withdrawn AND {filters.text}"  # noqa: S608 - compiled
    return np.array(gathered(connection, query, filters.values), np.int64)


def _rank_filtered(
    connection: sqlite3.Connection, compiled: Compiled, among: Numbers | None, depth: int
) -> dict[int, float]:
    """Return BM25 by SQLite's own index, of papers that meet the filters."""
    where, values = "", tuple[str, ...]()
    if among is not None:
        # The sign keeps SQLite from looking each number up in the word index, which begins anew for every one of them.
        where, values = "AND +rowid IN (SELECT value FROM json_each(?))", (_json(among.tolist()),)
    rows = f"SELECT rowid, -{BM25} AS score FROM words WHERE words MATCH ? {where} ORDER BY score DESC LIMIT ?"  # noqa: S608 - ours
    query = f"SELECT json_group_array(json_array(rowid, score)) FROM ({rows})"  # noqa: S608 - ours
    found = gathered(connection, query, (compiled.ranking, *values, depth))
    return {number: max(score, 0.0) for number, score in found}


def _rank_newer(
    connection: sqlite3.Connection, words: Sequence[str], weights: Sequence[float], postings: Postings
) -> dict[int, float]:
    """Return what papers that came behind the quick word lists would score if they were of middling length."""
    scores: dict[int, float] = {}
    (newest,) = connection.execute("SELECT max(number) FROM papers").fetchone()
    if newest == postings.number:
        return scores
    for word, weight in zip(words, weights, strict=True):
        query = "SELECT json_group_array(rowid) FROM words WHERE words MATCH ? AND rowid > ?"
        for number in gathered(connection, query, (f'"{word}"', postings.number)):
            scores[number] = scores.get(number, 0.0) + weight
    return scores


def is_current(connection: sqlite3.Connection, postings: Postings) -> bool:
    """Whether the quick word lists lack few papers, if any."""
    return 0 <= newest_change(connection) - postings.change <= MOST_BEHIND


def _json(items: Sequence[object]) -> str:
    return json.dumps(list(items))
