"""Search by the whole query language, with the reasons of hits, and where a query cannot be read."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.web.lists import item_of
from bots.web.paging import Pages, read_page
from bots.web.site import SEARCH, limit, render, site_of
from core.chat.guide import EXAMPLES
from core.chat.inquiries import SENT_OUT, STAYS_HERE
from core.chat.render import hit_card
from core.errors import QueryError
from core.search.hits import Found
from core.search.query import Query, parse, point_at
from core.search.wider import search_wider

PAGE = 10
LAST_PAGE = 30


async def search(request: Request) -> Response:
    """Show one page of hits, or the help of the language where nothing was asked."""
    site = site_of(request)
    typed = request.query_params.get("q")
    shelf = await site.room.shelf()
    privacy = SENT_OUT if site.house.settings.search.ask_outside else STAYS_HERE
    if typed is None:
        return render(
            request, "search.html", typed="", found=None, pages=None, privacy=privacy, examples=EXAMPLES,
            sample=shelf.sample,
        )  # fmt: skip
    limit(request, SEARCH)
    number = read_page(request, LAST_PAGE)

    async def look(query: Query) -> Found:
        outside = None if shelf.sample else site.house.outside
        return await search_wider(shelf.newsroom.engine, outside, query, limit=PAGE, offset=(number - 1) * PAGE)

    begun = site.house.clock()
    try:
        query = parse(typed)
        found = await site.room.once(("search", typed, number), lambda: look(query))
    except QueryError as error:
        return query_error_page(request, error)
    now = site.house.clock()
    site.took("search", (now - begun).total_seconds())
    return render(
        request,
        "search.html",
        typed=typed,
        found=found,
        items=[item_of(hit_card(hit, now), hit.paper) for hit in found.hits],
        pages=Pages(number, PAGE, found.total, {"q": typed}, LAST_PAGE),
        privacy=privacy,
        examples=EXAMPLES,
        sample=shelf.sample,
    )


def query_error_page(request: Request, error: QueryError) -> Response:
    """Point at the place where a query cannot be read, and say the right form."""
    return render(
        request,
        "query_error.html",
        status=HTTPStatus.BAD_REQUEST,
        headers={"Cache-Control": "no-store"},
        typed=error.query,
        sentence=str(error),
        pointed=point_at(error),
        hint=error.hint,
        examples=EXAMPLES,
    )


ROUTES = (Route("/search", search),)
