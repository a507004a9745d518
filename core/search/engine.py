"""Search, interests and the reasons for both, over one library.

A search ranks the whole library; `match` asks which papers of a window an interest wants; `explain` says why one paper
is or is not among them. All three read the same compiled query (`lexical.py`).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import LibraryError, ModelError
from core.papers.library import Library, newest_change, newest_listing
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.tokens import tokens
from core.papers.windows import These, Window
from core.search.asking import Asking
from core.search.authors import Person, find_people
from core.search.hits import POOL, SPARE, Found, page_by_words, page_of_both, page_of_near, standing
from core.search.hybrid import (
    SCORED,
    Words,
    aim,
    asked_likes,
    asked_text,
    is_current,
    liked_vectors,
    look_up_words,
    paper_numbers,
    rank_alike,
    rank_by_both,
)
from core.search.interests import Asked, Match, Verdict, explain_paper, match_pool, nearest_in_pool
from core.search.kept_interests import KeptInterests
from core.search.lexical import Near, compile_query, register_functions
from core.search.meaning import Known, Meaning, follow
from core.search.pool import Pool
from core.search.postings import Postings, WordLists
from core.search.query import Query
from core.search.ranking import find_near, papers_called
from core.search.references import resolve_likes

if TYPE_CHECKING:
    from core.search.model import Vectors

log = logging.getLogger(__name__)

AT_ONCE = 2
"""So many queries' words are looked up at the same time: as many as the library has readers."""


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
    """Answers queries over a library: by word, and by meaning where that is known.

    Args:
        library: the papers.
        meaning: the way to what is known by meaning; without it, words alone are asked, and nobody misses anything.
    """

    def __init__(self, library: Library, meaning: Meaning | None = None) -> None:
        self._library = library
        self._meaning = meaning
        self._lists = WordLists(library.path.parent)
        self._looking = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="words")
        self._asking = Asking(KeptInterests(library.path.parent))
        self._last_pool: tuple[object, Pool] | None = None

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
        text, likes = asked_text(query), asked_likes(query)
        known = self._known(query, text, likes)
        liked = liked_vectors(known, paper_numbers(connection, likes).values()) if known else None
        missing = self._meaning.missing if self._meaning and tokens(text) and known is None and not query.named else ""
        if known is not None and liked is not None:
            try:
                return self._search_both(connection, query, known, liked, slice(offset, offset + limit))
            except ModelError as error:
                log.warning("%s Words alone answer.", error)
                missing = "the model cannot read this"
        near = resolve_likes(connection, query)
        found = page_by_words(connection, query, near, limit, offset)
        return replace(found, notes=(f"Searched by words alone: {missing}.",) if missing else ())

    def _search_both(
        self, connection: sqlite3.Connection, query: Query, known: Known, liked: Sequence[Vectors], wanted: slice
    ) -> Found:
        text, depth, first = asked_text(query), wanted.stop + POOL, wanted.stop + SPARE
        # All else is looked up while the model works, which is here, so that nobody has to be woken for its answer.
        looking = self._looking.submit(self._look_up, connection, query, depth, known)
        try:
            vector = known.embedder.embed_query(text) if text else None
        finally:
            looking.exception()  # ends when it does: the connection is given back only when nobody uses it
        near, called, words, notes = looking.result()
        direction = aim([*liked, *([] if vector is None else [vector])]) if liked or vector is None else vector
        try:
            ranked = rank_by_both(words, first, known, direction)
        except LibraryError as error:
            log.warning("%s The library's own index answers.", error)
            ranked = rank_by_both(look_up_words(connection, query, near, depth, None), first, known, direction)
        return replace(page_of_both(connection, query, near, ranked, called, wanted), notes=notes)

    def _look_up(
        self, connection: sqlite3.Connection, query: Query, depth: int, known: Known
    ) -> tuple[Mapping[str, Near], Sequence[int], Words, tuple[str, ...]]:
        """Bring the vectors up to date, and return what is known of a query before its meaning is.

        Returns:
            What is near to the papers of `like:`, the papers that are called so, what the words say, and the notes.
        """
        follow(known)
        notes = known.half_read(newest_change(connection))
        postings = self._postings(connection)
        if postings is not None:
            try:
                return *_look_up_in(connection, query, depth, postings), notes
            except LibraryError as error:
                log.warning("%s The library's own index answers.", error)
        return *_look_up_in(connection, query, depth, None), notes

    def _known(self, query: Query, text: str, likes: Sequence[str]) -> Known | None:
        if self._meaning is None or query.named or not (tokens(text) or likes):
            return None
        return self._meaning.open(up_to_date=bool(likes))  # for others it is done while the model works

    def _postings(self, connection: sqlite3.Connection) -> Postings | None:
        postings = self._lists.open(connection)
        return postings if postings is not None and is_current(connection, postings) else None

    async def meeting(self, query: Query, ids: Sequence[str]) -> Sequence[Paper]:
        """Return those of some papers that meet the query's filters, in the same order.

        Raises:
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Sequence[Paper]:
            filters = compile_query(query.tree, resolve_likes(connection, query)).filters
            these = "p.id IN (SELECT value FROM json_each(?))"
            sql = f"SELECT p.id FROM papers p WHERE {these} AND NOT p.withdrawn AND {filters.text}"  # noqa: S608 - compiled
            met = {paper for (paper,) in connection.execute(sql, (json.dumps(list(ids)), *filters.values))}
            return tuple(read_papers(connection, [paper for paper in ids if paper in met]).values())

        return await self._library.read(ask)

    async def match(self, query: Query, window: Window) -> Matches:
        """Return the papers of a window that an interest wants; see `interests.py` for what that means.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Matches:
            near = resolve_likes(connection, query)
            pool = self.pool(connection, window)
            return Matches(len(pool), pool.upto, match_pool(connection, query, near, pool, self.ask(query, pool.known)))

        return await self._library.read(ask)

    def pool(self, connection: sqlite3.Connection, window: Window) -> Pool:
        """Return the papers of a window with what is known of them; for use inside `Library.read`.

        The last one is kept while nothing changes, since a backtest or a digest with its reasons asks several times.
        """
        register_functions(connection)
        known = self._meaning.look() if self._meaning else None
        state = (
            window,
            newest_change(connection),
            newest_listing(connection),
            known and (known.embedder.key, len(known.matrix)),
        )
        if self._last_pool is None or self._last_pool[0] != state:
            self._last_pool = (state, Pool(connection, window, known))
        return self._last_pool[1]

    def close(self) -> None:
        """Wait until what was learned of interests is kept; a process that ends without loses nothing of it either."""
        self._asking.close()

    def ask(self, query: Query, known: Known | None) -> Asked | None:
        """Return what an interest is about, as the model reads it; see `asking.py`. For use in a thread."""
        return self._asking.ask(query, known)

    async def nearest(self, query: Query, window: Window) -> Match | None:
        """Return the paper of a window that comes nearest to an interest without being wanted; None where none does.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Match | None:
            pool = self.pool(connection, window)
            return nearest_in_pool(
                connection, query, resolve_likes(connection, query), pool, self.ask(query, pool.known)
            )

        return await self._library.read(ask)

    async def explain(self, query: Query, paper_id: str) -> Verdict:
        """Say whether an interest wants a paper, and by what.

        Raises:
            QueryError: `like:` names a paper that the library does not hold.
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Verdict:
            near = resolve_likes(connection, query)
            pool = self.pool(connection, These((paper_id,)))
            return explain_paper(connection, query, near, (pool, paper_id), self.ask(query, pool.known))

        return await self._library.read(ask)

    async def people(self, name: str) -> Sequence[Person]:
        """Return the people of a name among the works of the library, whoever has the most first; see `authors.py`.

        Raises:
            LibraryError: the library cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Sequence[Person]:
            register_functions(connection)
            return find_people(connection, name)

        return await self._library.read(ask)

    async def similar(self, paper_id: str, *, limit: int) -> Found:
        """Return the papers nearest to one, itself left out.

        Raises:
            LibraryError: the library does not hold it, or cannot be read.
        """

        def ask(connection: sqlite3.Connection) -> Found:
            near = self._similar(connection, paper_id, limit) or self._near_by_words(connection, paper_id)
            if near is None:
                raise LibraryError(f"The library does not hold {paper_id}, so nothing can be compared with it.")
            return page_of_near(connection, paper_id, near, limit)

        return await self._library.read(ask)

    def _near_by_words(self, connection: sqlite3.Connection, paper_id: str) -> Near | None:
        postings = self._postings(connection)
        near = find_near(connection, paper_id, postings)
        if near is None or postings is None:
            return near
        there = standing(connection, list(near.scores))
        return replace(near, scores={number: near.scores[number] for number in there})

    def _similar(self, connection: sqlite3.Connection, paper_id: str, limit: int) -> Near | None:
        """Return what is near to a paper in meaning; None where that is not known."""
        known = self._meaning.look() if self._meaning else None
        numbers = list(paper_numbers(connection, [paper_id]).values()) if known else []
        liked = liked_vectors(known, numbers) if known and numbers else None
        if known is None or liked is None:
            return None
        nearest = known.matrix.nearest(aim(liked), max(limit + POOL, SCORED))
        found = {number: cosine for number, cosine in nearest.items() if number not in numbers}
        try:
            scores = rank_alike(connection, paper_id, found, self._postings(connection))
        except LibraryError as error:
            log.warning("%s Papers are ordered by meaning alone.", error)
            scores = rank_alike(connection, paper_id, found, None)
        there = standing(connection, list(scores)[: limit + POOL])
        return Near("", {number: scores[number] for number in there})


def _look_up_in(
    connection: sqlite3.Connection, query: Query, depth: int, postings: Postings | None
) -> tuple[Mapping[str, Near], Sequence[int], Words]:
    near = resolve_likes(connection, query, postings)
    called = papers_called(connection, compile_query(query.tree, near), asked_text(query))
    return near, called, look_up_words(connection, query, near, depth, postings)
