"""One paper: what is known of it, how it fared, how to cite it, and what is near to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bots.reading_room import Shelf
from bots.web.lists import Item, item_of
from bots.web.site import Site, answer, paper_path, render, site_of
from core.chat.bibtex import bibtex, citation_key
from core.chat.cards import card_of, signal_words
from core.chat.latex import to_unicode
from core.chat.message import Card
from core.chat.render import hit_card, long_day
from core.digests.silence import source_label
from core.papers.browsing import read_history
from core.papers.paper import Paper, arxiv_id

SIMILAR = 5
NAMES = {"upvotes": "upvotes", "comments": "comments", "stars": "stars of its code", "points": "points"}
SHOWN_DAYS = 30
FIRST_AUTHORS = 16
MOST_AUTHORS = 100  # a page stays small also where an experiment signs with thousands
WIDTH, HEIGHT = 240, 40
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Curve:
    """How a signal went.

    Attributes:
        label: which, and whose.
        days: the last reading of each day, oldest first.
        points: the same as an SVG line of WIDTH by HEIGHT; empty for a single day.
    """

    label: str
    days: Sequence[tuple[date, int]]
    points: str


@dataclass(frozen=True, slots=True)
class Whole:
    """A paper as its page shows it, in readable text."""

    paper: Paper
    card: Card
    facts: str
    authors: Sequence[str]
    abstract: str
    listed: Sequence[str]
    votes: str
    curves: Sequence[Curve]
    similar: Sequence[Item]
    citation: str


async def paper(request: Request) -> Response:
    """Show a paper; its other names lead here."""
    site, typed = site_of(request), request.path_params["paper"]
    shelf = await site.room.shelf()
    known = await _find(shelf, typed)
    if known.id != typed.strip():
        return RedirectResponse(site.url(paper_path(known.id)), HTTPStatus.MOVED_PERMANENTLY)
    whole = await site.room.once(("paper", known.id), lambda: _read(site, shelf, known))
    return render(
        request, "paper.html", whole=whole, card=whole.card, paper=whole.paper, sample=shelf.sample,
        first_authors=FIRST_AUTHORS, most_authors=MOST_AUTHORS, width=WIDTH, height=HEIGHT,
    )  # fmt: skip


async def cite(request: Request) -> Response:
    """Send a paper's BibTeX as a file."""
    known = await _find(await site_of(request).room.shelf(), request.path_params["paper"])
    name = re.sub(r"[^A-Za-z0-9_-]", "", citation_key(known)) or "paper"
    return answer(
        request,
        bibtex(known),
        media_type="application/x-bibtex; charset=utf-8",
        headers={"Cache-Control": "no-cache", "Content-Disposition": f'attachment; filename="{name}.bib"'},
    )


async def _find(shelf: Shelf, typed: str) -> Paper:
    library = shelf.newsroom.library
    typed = typed.encode("utf-8", "replace").decode()
    known = await library.paper(typed) or await library.paper(typed.strip())
    if known is None and (identifier := arxiv_id(typed)):
        known = await library.paper(identifier)
    if known is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return known


async def _read(site: Site, shelf: Shelf, known: Paper) -> Whole:
    now = site.house.clock()
    card = card_of(known, now=now)
    field = "" if known.journal_ref else next(iter(known.categories), "")  # it stands below, with the others
    history = await shelf.newsroom.library.read(lambda connection: read_history(connection, known.id))
    found = await shelf.newsroom.engine.similar(known.id, limit=SIMILAR)
    return Whole(
        paper=known,
        card=card,
        facts=card.facts.removeprefix(field).removeprefix(" · "),
        authors=[_readable(name) for name in dict.fromkeys(known.authors) if name.strip()],
        abstract=_readable(known.abstract),
        listed=[f"{source_label(item.source)}, {long_day(item.day)}" for item in known.listings],
        votes=signal_words(known, now),
        curves=_curves(history),
        similar=[item_of(hit_card(hit, now), hit.paper) for hit in found.hits],
        citation=bibtex(known),
    )


def _readable(text: str) -> str:
    return _TURNING.sub("", to_unicode(text))


def _curves(history: Mapping[tuple[str, str], Sequence[tuple[date, float]]]) -> list[Curve]:
    curves = []
    for (name, source), readings in history.items():
        if name in NAMES:
            days = [(day, int(value)) for day, value in readings[-SHOWN_DAYS:]]
            curves.append(Curve(f"{NAMES[name]}, {source_label(source)}", days, draw(days)))
    return curves


def draw(days: Sequence[tuple[date, int]]) -> str:
    """Return the points of a line from the left edge to the right one, from nothing below to the highest above."""
    if len(days) < 2:
        return ""
    span = (days[-1][0] - days[0][0]).days
    highest = max(value for _, value in days) or 1
    return " ".join(
        f"{(day - days[0][0]).days * WIDTH / span:.1f},{HEIGHT - max(value, 0) * HEIGHT / highest:.1f}"
        for day, value in days
    )


ROUTES = (Route("/paper/{paper:path}", paper), Route("/cite/{paper:path}", cite))
