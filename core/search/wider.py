"""A search that goes on outside where the library knows too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.papers.paper import arxiv_id
from core.papers.tokens import tokens
from core.search.engine import Engine
from core.search.hits import Found, Hit
from core.search.hybrid import asked_text
from core.search.interests import ENOUGH
from core.search.outside import Brought, Outside
from core.search.query import Query
from core.search.reasons import MAX_REASON, held_words, telling_leaves
from core.search.tree import Word

FROM_OUTSIDE = "from outside"
FEW = 5


async def search_wider(engine: Engine, outside: Outside | None, query: Query, *, limit: int, offset: int = 0) -> Found:
    """Search the library; where it knows too little and `outside` is given, ask there too and search again.

    What came from outside and was not among the hits follows them, where it meets the filters. The answer says who was
    asked and who did not answer; then the library's own hits stand as they are.

    Raises:
        QueryError, LibraryError: as `Engine.search` does.
    """
    found = await engine.search(query, limit=limit, offset=offset)
    if outside is None or offset or query.likes or not knows_little(query, found):
        return found
    named = query.named
    paper = arxiv_id(named.text) or "" if named and not named.doi else ""
    text = asked_text(query)
    if not paper and not tokens(text):
        return found
    brought = await outside.ask(text, paper=paper)
    if not brought.asked:
        return found
    again = await engine.search(query, limit=limit) if brought.papers else found
    return replace(await _merged(engine, query, again, brought, limit), notes=(*again.notes, *_sentences(brought)))


def knows_little(query: Query, found: Found) -> bool:
    """Whether the first page of a search is poor: few hits, or none of the first that holds most of the words."""
    if len(found.hits) < FEW:
        return True
    words = [leaf for leaf in telling_leaves(query.tree) if isinstance(leaf, Word)]
    held = held_words(words, [hit.paper for hit in found.hits[:FEW]])
    return max(sum(shown == (word,) for word, shown in one.items()) for one in held) < ENOUGH * len(words)


async def _merged(engine: Engine, query: Query, found: Found, brought: Brought, limit: int) -> Found:
    fresh = await engine.meeting(query, brought.papers)
    ids = {hit.paper.id for hit in found.hits}
    hits = [_marked(hit) if hit.paper.id in set(brought.papers) else hit for hit in found.hits]
    more = [Hit(paper, 0.0, FROM_OUTSIDE) for paper in fresh if paper.id not in ids]
    room = max(limit - len(hits), min(len(more), limit // 2))  # the library's weakest hits make place for them
    kept = hits[: limit - min(room, len(more))]
    return Found((*kept, *more[: limit - len(kept)]), found.total + len(more), found.notes)


def _marked(hit: Hit) -> Hit:
    why = f"{FROM_OUTSIDE}; {hit.why}" if hit.why else FROM_OUTSIDE
    return replace(hit, why=why if len(why) <= MAX_REASON else f"{why[: MAX_REASON - 1]}…")


def _sentences(brought: Brought) -> Sequence[str]:
    asked = f"The library knows little about this, so the words went to {' and '.join(brought.asked)} too."
    return (asked, *(f"{failure}." for failure in brought.failures))
