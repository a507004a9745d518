"""The archive: what was listed on a day, in a week or in a month, most upvoted first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.reading_room import Shelf
from bots.web.lists import Item, item_of
from bots.web.paging import Pages, read_page
from bots.web.periods import PERIODS, Period, day_of, month_of, read_period, week_of
from bots.web.site import Site, render, site_of
from bots.web.today import CHIPS, read_field
from core.chat.cards import card_of
from core.chat.render import chosen_why
from core.digests.digest import Chosen
from core.digests.ranking import Ranked
from core.papers.browsing import count_by_day, count_by_month, count_fields, day_after, day_before, list_papers
from core.papers.paper import Paper
from core.papers.rows import read_papers
from core.papers.windows import Between

PAGE = 25
LAST_PAGE = 400


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of a period.

    Attributes:
        items: its papers.
        total: how many the whole period has, of the field.
        fields: the period's categories with how many papers each has, most first.
        days: its days with how many papers each has, of a week or a month.
        before: the period with papers before it, if there is one.
        after: the one after it.
    """

    items: tuple[Item, ...]
    total: int
    fields: Sequence[tuple[str, int]]
    days: Sequence[tuple[Period, int]]
    before: Period | None
    after: Period | None


async def archive(request: Request) -> Response:
    """Show all months that have papers."""
    shelf = await site_of(request).room.shelf()
    months = await site_of(request).room.once("months", lambda: shelf.newsroom.library.read(count_by_month))
    by_year: dict[int, list[tuple[Period, int]]] = {}
    for first, count in months.items():
        by_year.setdefault(first.year, []).append((month_of(first), count))
    return render(request, "archive.html", years=by_year, sample=shelf.sample)


async def period(request: Request, kind: str) -> Response:
    """Show one page of a day, a week or a month."""
    site = site_of(request)
    asked = read_period(kind, request.path_params["name"])
    if asked is None or asked.first > site.room.today + timedelta(days=1):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    field, number = read_field(request), read_page(request, LAST_PAGE)
    shelf = await site.room.shelf()
    shown = await site.room.once((asked, field, number), lambda: _read(site, shelf, asked, field, number))
    pages = Pages(number, PAGE, shown.total, {"field": field} if field else {})
    if number > pages.count:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return render(
        request,
        "period.html",
        period=asked,
        wider=[wide for wide in (week_of(asked.first), month_of(asked.first)) if _is_wider(wide, asked)],
        shown=shown,
        chips=shown.fields[:CHIPS],
        pages=pages,
        field=field,
        sample=shelf.sample,
    )


def _is_wider(one: Period, other: Period) -> bool:
    order = list(PERIODS)
    return order.index(one.kind) > order.index(other.kind)


async def _read(site: Site, shelf: Shelf, asked: Period, field: str, number: int) -> Shown:
    now = site.house.clock()
    window = Between(asked.first, asked.last)

    def read(connection: sqlite3.Connection) -> Shown:
        listed = list_papers(connection, window, field, limit=PAGE, offset=(number - 1) * PAGE)
        papers = read_papers(connection, listed.ids).values()
        days = count_by_day(connection, asked.first, asked.last) if asked.kind != "day" else {}
        cards = [card_of(paper, why=listed_why(paper), now=now) for paper in papers]
        return Shown(
            tuple(map(item_of, cards, papers)),
            listed.total,
            count_fields(connection, window),
            [(day_of(day), count) for day, count in days.items()],
            _like(asked, day_before(connection, asked.first)),
            _like(asked, day_after(connection, asked.last)),
        )

    def listed_why(paper: Paper) -> str:
        return chosen_why(Chosen(Ranked(paper, 0.0, 0.0, 0.0)), now)

    return await shelf.newsroom.library.read(read)


def _like(asked: Period, day: date | None) -> Period | None:
    return None if day is None else PERIODS[asked.kind](day)


ROUTES = (Route("/archive", archive), *(Route(f"/{kind}/{{name}}", partial(period, kind=kind)) for kind in PERIODS))
