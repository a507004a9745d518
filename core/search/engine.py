"""Search, interests and the reasons for both, over one library.

A search ranks the whole library; `match` asks which papers of a window an interest wants; `explain` says why one paper
is or is not among them. All three read the same compiled query (`lexical.py`).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from core.errors import LibraryError, QueryError
from core.papers.library import Library, newest_listing
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.schema import gathered
from core.papers.tokens import tokens
from core.papers.windows import These, Window
from core.search.asking import Asking
from core.search.authors import Person, find_people, person_of
from core.search.hybrid import (
    Ranked,
    aim,
    asked_likes,
    asked_text,
    is_current,
    liked_vectors,
    paper_numbers,
    rank_by_both,
)
from core.search.interests import (
    ENOUGH,
    NEAR_IN_MEANING,
    Asked,
    Match,
    Verdict,
    explain_paper,
    match_pool,
    nearest_in_pool,
)
from core.search.kept_interests import KeptInterests
from core.search.lexical import Near, compile_query, register_functions
from core.search.meaning import Known, Meaning
from core.search.pool import Pool
from core.search.postings import Postings, WordLists
from core.search.query import Query
from core.search.ranking import alike_titles, find_near, papers_called, rank_by_words
from core.search.reasons import MAX_REASON, TITLE_MATCHES, held_words, reasons, telling_leaves
from core.search.tree import Author, Word, all_leaves

if TYPE_CHECKING:
    from core.search.model import Vectors

log = logging.getLogger(__name__)

POOL = 50
SPARE = 20
"""Ranked by both, so many are looked at beyond the page: for the withdrawn, and for titles like the query."""
FEW = 5


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
    """A page of hits.

    Attributes:
        total: how many there are in all; of a search by meaning, how many were ranked.
        notes: sentences about how it was searched, where that was not as usual.
    """

    hits: tuple[Hit, ...]
    total: int
    notes: tuple[str, ...] = ()


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
        self._embedding = ThreadPoolExecutor(1, thread_name_prefix="query")
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
        # The model works while the words are looked up.
        vector = self._embedding.submit(known.embedder.embed_query, text) if known and text else None
        near = resolve_likes(connection, query)
        liked = liked_vectors(known, paper_numbers(connection, likes)) if known else None
        if known is not None and liked is not None:

            def direction() -> Vectors:
                return aim([*liked, *([vector.result()] if vector else [])])

            called = papers_called(connection, compile_query(query.tree, near), text)
            ranked = self._rank(connection, query, near, offset + limit + POOL, known, direction)
            return _page_of_both(connection, query, near, ranked, called, slice(offset, offset + limit))
        found = _page_by_words(connection, query, near, limit, offset)
        missing = self._meaning.missing if self._meaning and tokens(text) and known is None and not query.named else ""
        return replace(found, notes=(f"Searched by words alone: {missing}.",) if missing else ())

    def _rank(
        self,
        connection: sqlite3.Connection,
        query: Query,
        near: Mapping[str, Near],
        depth: int,
        known: Known,
        direction: Callable[[], Vectors],
    ) -> Ranked:
        postings = self._postings(connection)
        if postings is not None:
            try:
                return rank_by_both(connection, query, near, depth, known, postings, direction)
            except LibraryError as error:
                log.warning("%s The library's own index answers.", error)
        return rank_by_both(connection, query, near, depth, known, None, direction)

    def _known(self, query: Query, text: str, likes: Sequence[str]) -> Known | None:
        if self._meaning is None or query.named or not (tokens(text) or likes):
            return None
        return self._meaning.open()

    def _postings(self, connection: sqlite3.Connection) -> Postings | None:
        postings = self._lists.open(connection)
        return postings if postings is not None and is_current(connection, postings) else None

    async def knows_little(self, query: Query, found: Found) -> bool:
        """Whether the first page of a search is poor: few hits, or none of the first that holds most of the words.

        Raises:
            LibraryError: the library cannot be read.
        """
        if len(found.hits) < FEW:
            return True
        words = [leaf for leaf in telling_leaves(query.tree) if isinstance(leaf, Word)]
        ids = [hit.paper.id for hit in found.hits[:FEW]]

        def ask(connection: sqlite3.Connection) -> bool:
            held = held_words(connection, words, paper_numbers(connection, ids))
            return max(map(len, held.values()), default=0) < ENOUGH * len(words)

        return await self._library.read(ask)

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
        (change,) = connection.execute("SELECT coalesce(max(change), 0) FROM papers").fetchone()
        state = (window, change, newest_listing(connection), known and (known.embedder.key, len(known.matrix)))
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
            page = list(near.scores.items())[:limit]
            return _found(connection, page, {number: f"like {paper_id}" for number, _ in page}, len(near.scores))

        return await self._library.read(ask)

    def _near_by_words(self, connection: sqlite3.Connection, paper_id: str) -> Near | None:
        postings = self._postings(connection)
        near = find_near(connection, paper_id, postings.rank if postings else None)
        if near is None or postings is None:
            return near
        there = _standing(connection, list(near.scores))
        return replace(near, scores={number: near.scores[number] for number in there})

    def _similar(self, connection: sqlite3.Connection, paper_id: str, limit: int) -> Near | None:
        """Return what is near to a paper in meaning; None where that is not known."""
        known = self._meaning.look() if self._meaning else None
        numbers = paper_numbers(connection, [paper_id]) if known else []
        liked = liked_vectors(known, numbers) if known and numbers else None
        if known is None or liked is None:
            return None
        found = known.matrix.nearest(aim(liked), limit + POOL)
        there = _standing(connection, [number for number in found if number not in numbers])
        return Near("", {number: max(0.0, min(1.0, found[number])) for number in there})


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
    return found | _resolve_people(connection, query)


def _resolve_people(connection: sqlite3.Connection, query: Query) -> dict[str, Near]:
    """Look up the works of each author who is told from others of the name by a paper."""
    found: dict[str, Near] = {}
    for author in (leaf for leaf in all_leaves(query.tree) if isinstance(leaf, Author) and leaf.of):
        person = person_of(find_people(connection, author.name), author.of)
        if person is None:
            place = max(query.text.lower().find("au:"), 0)
            told = f"au: the library holds no {author.of} by {author.name}."
            raise QueryError(told, query=query.text, position=place)
        found[author.key] = Near("", dict.fromkeys((work.number for work in person.works), 0.0))
    return found


def _page_by_words(
    connection: sqlite3.Connection, query: Query, near: Mapping[str, Near], limit: int, offset: int
) -> Found:
    compiled = compile_query(query.tree, near)
    ranking = rank_by_words(connection, compiled, max(offset + limit, POOL) + POOL)
    text = asked_text(query)
    pool = _standing(connection, list(ranking.scores)[:POOL])
    titled = list(dict.fromkeys([*papers_called(connection, compiled, text), *alike_titles(text, pool)]))
    scores = _titled_first(titled, ranking.scores)
    if query.named:  # an id is no word to rank by, and what it names could not be meant more
        scores = {number: score or 1.0 for number, score in scores.items()}
    page = list(scores.items())[offset : offset + limit]
    why = reasons(connection, query.tree, near, [number for number, _ in page])
    why |= dict.fromkeys(set(titled), TITLE_MATCHES)
    return _found(connection, page, why, max(ranking.total, len(titled)))


def _page_of_both(
    connection: sqlite3.Connection,
    query: Query,
    near: Mapping[str, Near],
    ranked: Ranked,
    called: Sequence[int],
    wanted: slice,
) -> Found:
    first = list(islice(ranked.scores, wanted.stop + SPARE))
    there = _standing(connection, first)
    titled = list(dict.fromkeys([*called, *alike_titles(asked_text(query), dict(islice(there.items(), POOL)))]))
    gone = len(first) - len(there)
    scores = _titled_first(titled, {number: ranked.scores[number] for number in there})
    page = list(scores.items())[wanted]
    liked = {**near} | {paper: Near("", dict.fromkeys(ranked.near, 1.0)) for paper in asked_likes(query)}
    why = reasons(connection, query.tree, liked, [number for number, _ in page])
    why = {number: _meant(words, near=number in ranked.near or not words) for number, words in why.items()}
    why |= dict.fromkeys(set(titled), TITLE_MATCHES)
    return _found(connection, page, why, max(len(ranked.scores) - gone, len(titled)))


def _titled_first(titled: Sequence[int], scores: Mapping[int, float]) -> dict[int, float]:
    first = dict.fromkeys(titled, 1.0)
    return first | {number: score for number, score in scores.items() if number not in first}


def _meant(words: str, *, near: bool) -> str:
    """Add to a reason that the paper is near in meaning."""
    if not near or words.startswith("like "):
        return words
    room = MAX_REASON - len(NEAR_IN_MEANING) - 2
    told = words if len(words) <= room else f"{words[: room - 1]}…"
    return f"{told}; {NEAR_IN_MEANING}" if told else NEAR_IN_MEANING


def _standing(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Return the titles of those of some papers that are not withdrawn, in the same order."""
    these = "number IN (SELECT value FROM json_each(?))"
    query = f"SELECT json_group_array(json_array(number, title)) FROM papers WHERE NOT withdrawn AND {these}"  # noqa: S608 - constants
    titles = dict(gathered(connection, query, (json.dumps(list(numbers)),)))
    return {number: titles[number] for number in numbers if number in titles}


def _found(
    connection: sqlite3.Connection, page: Sequence[tuple[int, float]], why: Mapping[int, str], total: int
) -> Found:
    marks = ",".join("?" * len(page))
    query = f"SELECT number, id FROM papers WHERE number IN ({marks})"  # noqa: S608 - marks
    ids = dict(connection.execute(query, [number for number, _ in page]))
    papers = read_papers(connection, list(ids.values()))
    return Found(tuple(Hit(papers[ids[n]], round(score, 4), why.get(n, "")) for n, score in page), total)
