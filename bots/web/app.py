"""The web application: the page's own routes and those of platforms, within what holds for all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp

from bots.web import about, archive, digests, feed, health, paper, search, stats, today
from bots.web.hurry import in_a_hurry
from bots.web.safety import Safe
from bots.web.site import Site, read_static, sentence_page, site_of, static_path
from core.errors import LinkError, PaperboyError

log = logging.getLogger(__name__)

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
STATIC = {"style.css": "text/css", "page.js": "text/javascript"}
MODULES = (today, archive, paper, search, feed, digests, about, stats, health)
OWN_ROUTES: Sequence[BaseRoute] = [in_a_hurry(route) for module in MODULES for route in module.ROUTES]


def create_app(site: Site, *, routes: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Make the web application.

    Args:
        site: what is behind all pages; it learns here what is offered.
        routes: further ones, of platforms that are served here.
    """
    every = [*OWN_ROUTES, *map(_static_route, STATIC), *routes]
    site.offers = frozenset(route.path for route in every if isinstance(route, Route))
    app = Starlette(
        routes=every,
        middleware=[Middleware(GZipMiddleware, minimum_size=500)],
        exception_handlers={
            HTTPException: _http_error,
            ClientDisconnect: _hung_up,
            PaperboyError: _known_error,
            Exception: _unexpected_error,
        },
    )
    app.state.site = site
    app.router.redirect_slashes = False  # it would send people to whatever host the request names
    return Safe(app, base_url=site.base_url)  # outside of all, so that errors have the headers too


def _static_route(name: str) -> Route:
    body, media_type = read_static(name), STATIC[name]

    async def static(_request: Request) -> Response:
        return Response(body, media_type=media_type, headers=FOR_EVER)

    return Route(static_path(name), static)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND and (page := _without_slash(request)):
        return RedirectResponse(page, HTTPStatus.PERMANENT_REDIRECT)
    return sentence_page(request, error.status_code, headers=error.headers)


def _without_slash(request: Request) -> str:
    """Return our address of a page that was asked for with a slash behind it; nothing where there is no such page."""
    site, path = site_of(request), request.scope["path"].rstrip("/")
    asked = {**request.scope, "path": path}
    if path == request.scope["path"] or not any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
        return ""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{site.base_url}{quote(path.removeprefix(request.scope['root_path']))}{query}"


async def _hung_up(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it


async def _known_error(request: Request, error: Exception) -> Response:
    if isinstance(error, LinkError):
        return sentence_page(request, HTTPStatus.NOT_FOUND, sentence=str(error))
    log.warning("a page cannot be made: %s", error)
    return sentence_page(request, HTTPStatus.SERVICE_UNAVAILABLE)


async def _unexpected_error(request: Request, _error: Exception) -> Response:
    return sentence_page(request, HTTPStatus.INTERNAL_SERVER_ERROR)
