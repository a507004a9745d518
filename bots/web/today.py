"""Today: the papers that are trending, with everything one can do from there above them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.reading_room import Shelf
from bots.web.lists import Item, item_of
from bots.web.site import Site, render, site_of
from core.chat.message import Kind, Message, text
from core.papers.browsing import count_fields, day_after, day_before
from core.papers.windows import Between, Newest, Window

FIELD = re.compile(r"[A-Za-z][A-Za-z-]{0,19}(\.[A-Za-z-]{1,19})?")
CHIPS = 8
CHOICES = 100
WAITING = "The first papers are being fetched; look again in a minute."


@dataclass(frozen=True, slots=True)
class Front:
    """What the page shows.

    Attributes:
        message: the digest, for its lines and its small print.
        items: its papers.
        fields: categories of the day's papers with how many each has, most first.
        before: the day with papers before this one, if there is any.
        after: the one after it.
    """

    message: Message
    items: tuple[Item, ...] = ()
    fields: Sequence[tuple[str, int]] = ()
    before: date | None = None
    after: date | None = None


async def today(request: Request) -> Response:
    """Show the newest papers, or those of one day; of all fields, or of one."""
    site = site_of(request)
    field, day = read_field(request), read_day(request.query_params.get("day", ""))
    shelf = await site.room.shelf()
    front = await site.room.once(("today", field, day), lambda: _compose(site, shelf, field, day))
    return render(
        request,
        "today.html",
        front=front,
        field=field,
        day=day,
        chips=front.fields[:CHIPS],
        choices=front.fields[:CHOICES],
        sample=shelf.sample,
        asked={"interests": request.query_params.get("interests", "") or (f"cat:{field}" if field else "")},
    )


def read_field(request: Request) -> str:
    """Return the category or archive that is asked for, or nothing.

    Raises:
        HTTPException: 400, this is none.
    """
    field = request.query_params.get("field", "").strip().removesuffix(".*")
    if field and not FIELD.fullmatch(field):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    return field


def read_day(typed: str) -> date | None:
    """Return a day written as 2026-11-23; None where nothing is written.

    Raises:
        HTTPException: 400, this is no day.
    """
    if not typed.strip():
        return None
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", typed):
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    try:
        return date.fromisoformat(typed)
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from error


async def _compose(site: Site, shelf: Shelf, field: str, day: date | None) -> Front:
    if shelf.waiting:
        return Front(Message(Kind.DIGEST, lines=(text(WAITING),)))
    settings = site.house.settings
    edition = await shelf.newsroom.front_page(
        site.house.clock(),
        interests=f"cat:{field}" if field else "",
        day=day,
        top=settings.digest.everything_top,
    )
    papers = [item.ranked.paper for item in edition.digest.chosen]
    items = tuple(item_of(card, paper) for card, paper in zip(edition.message.cards, papers, strict=True))
    window: Window = Newest() if day is None else Between(day, day)
    library, here = shelf.newsroom.library, day or site.room.today
    return Front(
        edition.message,
        items,
        await library.read(lambda connection: count_fields(connection, window)),
        await library.read(lambda connection: day_before(connection, here)),
        await library.read(lambda connection: day_after(connection, here)),
    )


ROUTES = (Route("/", today),)
