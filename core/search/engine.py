"""Search, interests and the reasons for both, over one library.

A search ranks the whole library; `match` asks which papers of a window an interest wants; `explain` says why one paper
is or is not among them. All three read the same compiled query (`lexical.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import LibraryError, QueryError
from core.papers.library import Library, measure_window
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.windows import Window
from core.search.interests import Match, Verdict, explain_paper, match_window
from core.search.lexical import Near, compile_query, register_functions
from core.search.query import Query
from core.search.ranking import Generator, find_near, fuse, matching_titles, rank_by_words
from core.search.reasons import TITLE_MATCHES, reasons
from core.search.tree import Not, Phrase, Word, all_leaves, conjuncts, positive_leaves

POOL = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """A paper that was found.

    Attributes:
        score: 0..1, the best of a search has 1; all have 0 where there is nothing to rank by.
        why: the reason, at most 80 characters.
    """

    paper: Paper
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of hits, and how many there are in all."""

    hits: tuple[Hit, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Matches:
    """What an interest wants of a window.

    Attributes:
        considered: papers of the window.
        upto: newest number of the listing log at that moment.
        matches: the wanted ones, most relevant first.
    """

    considered: int
    upto: int
    matches: tuple[Match, ...]


class Engine:
    """Answers queries over a library; `generators` choose the candidates of a search."""

    def __init__(self, library: Library, generators: Sequence[Generator] = (rank_by_words,)) -> None:
        self._library = library
        self._generators = generators

    async def search(self, query: Query, *, limit: int, offset: int = 0) -> Found:
        """Return hits `offset` to `offset + limit`, best first.

        A paper that the whole query names comes first, then those that are called so, then the rest by score; without
        words the newest come first.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """
        return await self._library.read(lambda connection: self._search(connection, query, limit, offset))

    def _search(self, connection: sqlite3.Connection, query: Query, limit: int, offset: int) -> Found:
        near = resolve_likes(connection, query)
        compiled = compile_query(query.tree, near)
        depth = max(offset + limit, POOL) + POOL
        ranking = fuse([generate(connection, compiled, depth) for generate in self._generators])
        titled = matching_titles(connection, compiled, _title_asked(query), list(ranking.scores)[:POOL])
        scores = dict.fromkeys(titled, 1.0) | {n: s for n, s in ranking.scores.items() if n not in set(titled)}
        if query.named:  # an id is no word to rank by, and what it names could not be meant more
            scores = {number: score or 1.0 for number, score in scores.items()}
        page = list(scores.items())[offset : offset + limit]
        why = reasons(connection, query.tree, near, [number for number, _ in page])
        why |= dict.fromkeys(set(titled), TITLE_MATCHES)
        return _found(connection, page, why, max(ranking.total, len(titled)))

    async def match(self, query: Query, window: Window) -> Matches:
        """Return the papers of a window that an interest wants; see `interests.py` for what that means.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Matches:
            near = resolve_likes(connection, query)
            size = measure_window(connection, window)
            return Matches(size.count, size.upto, match_window(connection, query, near, window))

        return await self._library.read(ask)

    async def explain(self, query: Query, paper_id: str) -> Verdict:
        """Say whether an interest wants a paper, and by what.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Verdict:
            return explain_paper(connection, query, resolve_likes(connection, query), paper_id)

        return await self._library.read(ask)

    async def similar(self, paper_id: str, *, limit: int) -> Found:
        """Return the papers nearest to one, itself left out.

        Raises:
            LibraryError: the library does not hold it, or cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Found:
            near = find_near(connection, paper_id)
            if near is None:
                raise LibraryError(f"The library does not hold {paper_id}, so nothing can be compared with it.")
            page = list(near.scores.items())[:limit]
            return _found(connection, page, {number: f"like {paper_id}" for number, _ in page}, len(near.scores))

        return await self._library.read(ask)


def resolve_likes(connection: sqlite3.Connection, query: Query) -> dict[str, Near]:
    """Look up what is near to the papers of the query's `like:`, and make the connection ready for its conditions.

    Raises:
        QueryError: the library does not hold one of them.
    """
    register_functions(connection)
    found: dict[str, Near] = {}
    for identifier in query.likes:
        near = find_near(connection, identifier)
        if near is None:
            place = max(query.text.lower().find("like:"), 0)
            raise QueryError(f"like: the library does not hold {identifier}.", query=query.text, position=place)
        found[identifier] = near
    return found


def _title_asked(query: Query) -> str:
    """Return the text that may be a title: the query as typed, or without its filters."""
    leaves = list(all_leaves(query.tree))
    if all(isinstance(leaf, Word | Phrase) for leaf in leaves) and not any(
        isinstance(node, Not) for node in conjuncts(query.tree)
    ):
        return query.text
    return " ".join(leaf.text for leaf in positive_leaves(query.tree) if isinstance(leaf, Word | Phrase))


def _found(
    connection: sqlite3.Connection, page: Sequence[tuple[int, float]], why: Mapping[int, str], total: int
) -> Found:
    marks = ",".join("?" * len(page))
    query = f"SELECT number, id FROM papers WHERE number IN ({marks})"  # noqa: S608 - marks
    ids = dict(connection.execute(query, [number for number, _ in page]))
    papers = read_papers(connection, list(ids.values()))
    return Found(tuple(Hit(papers[ids[n]], round(score, 4), why.get(n, "")) for n, score in page), total)
