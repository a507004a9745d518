"""The page: today's digest as plain HTML that needs no script; and the same as a document of its own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bots.terminal.stats import COLUMNS, stats_notes
from core.chat.cards import is_web_address
from core.chat.message import Message, Text, plain
from core.chat.render import ARXIV_THANKS
from core.clock import Clock, system_clock
from core.errors import PaperboyError
from core.store.figures import Day

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")
STYLESHEET = f"/style.{hashlib.sha256(STYLE.encode()).hexdigest()[:16]}.css"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address can only be read.",
    500: "Something broke while this page was made; the log of paperboy says what.",
    503: "Today's papers cannot be shown right now; the log of paperboy says why.",
}


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.tests["web_address"] = is_web_address
    environment.globals["is_thanks"] = _is_thanks
    return environment


def _is_thanks(line: Text) -> bool:
    return plain(line) == ARXIV_THANKS


_ENVIRONMENT = _make_environment()


def render_html(message: Message) -> str:
    """Return a message as an HTML document that stands alone, its style within it."""
    return _render_digest(message, style=STYLE)


def _render_digest(message: Message, *, style: str = "") -> str:
    title = " · ".join(filter(None, (message.heading, "paperboy")))
    page = _ENVIRONMENT.get_template("digest.html").render(
        message=message,
        title=f"SAMPLE · {title}" if message.sample else title,
        thanks=ARXIV_THANKS,
        stylesheet=STYLESHEET,
        style=Markup(style),  # noqa: S704 - our own file, and `<style>` knows no entities
    )
    # Half a surrogate pair can stand in scraped text, and cannot be sent.
    return page.encode("utf-8", "replace").decode()


@dataclass(slots=True)
class _Edition:
    """What was shown last, for conditional requests.

    Attributes:
        body: the whole page.
        tag: its weak entity tag, since gzip changes bytes and not meaning.
        since: when a request first found it so, whole seconds.
    """

    body: str
    tag: str
    since: datetime


async def _no_figures() -> Mapping[date, Day]:
    return {}


def create_app(
    page: Callable[[], Awaitable[Message]],
    *,
    figures: Callable[[], Awaitable[Mapping[date, Day]]] = _no_figures,
    clock: Clock = system_clock,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Make the web application.

    Args:
        page: composes today's digest; whatever it raises becomes one sentence for the reader.
        figures: reads the service's own figures of the last days.
        clock: for Last-Modified.
        routes: further ones, of platforms that are served here.
    """
    shown: list[_Edition] = []

    async def front(request: Request) -> Response:
        try:
            body = _render_digest(await page())
        except PaperboyError as error:
            log.warning("the page cannot be made: %s", error)
            return _sentence_page(HTTPStatus.SERVICE_UNAVAILABLE)
        tag = f'W/"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
        if not shown or shown[0].tag != tag:
            shown[:] = [_Edition(body, tag, clock().replace(microsecond=0))]
        return _answer(request, shown[0])

    async def stats(_request: Request) -> Response:
        try:
            days = await figures()
        except PaperboyError as error:
            log.warning("the figures cannot be read: %s", error)
            return _sentence_page(HTTPStatus.SERVICE_UNAVAILABLE)
        body = _ENVIRONMENT.get_template("stats.html").render(
            columns=COLUMNS, days=days, notes=list(stats_notes(days)), stylesheet=STYLESHEET
        )
        return Response(body, media_type="text/html", headers=HEADERS | {"Cache-Control": "no-cache"})

    return Starlette(
        routes=[
            Route("/", front),
            Route("/stats", stats),
            Route("/healthz", _healthz),
            Route(STYLESHEET, _stylesheet),
            *routes,
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=500)],
        exception_handlers={HTTPException: _http_error, Exception: _unexpected_error},
    )


def _answer(request: Request, edition: _Edition) -> Response:
    headers = {
        **HEADERS,
        "ETag": edition.tag,
        "Last-Modified": format_datetime(edition.since, usegmt=True),
        "Cache-Control": "no-cache",
    }
    if _is_unchanged(request, edition):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(edition.body, media_type="text/html", headers=headers)


def _is_unchanged(request: Request, edition: _Edition) -> bool:
    """Whether the reader holds this edition; If-None-Match wins over the date (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return "*" in tags or edition.tag.removeprefix("W/") in tags
    try:
        return parsedate_to_datetime(request.headers.get("if-modified-since", "")) >= edition.since
    except (ValueError, TypeError):
        return False


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok", headers=HEADERS | {"Cache-Control": "no-store"})


async def _stylesheet(_request: Request) -> Response:
    headers = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(STYLE, media_type="text/css", headers=headers)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _sentence_page(HTTPStatus(error.status_code), dict(error.headers or {}))


async def _unexpected_error(_request: Request, _error: Exception) -> Response:
    return _sentence_page(HTTPStatus.INTERNAL_SERVER_ERROR)


def _sentence_page(status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    body = _ENVIRONMENT.get_template("sentence.html").render(
        title=status.phrase, sentence=SENTENCES.get(status, status.description), stylesheet=STYLESHEET
    )
    return Response(
        body, status, media_type="text/html", headers=HEADERS | {"Cache-Control": "no-store"} | (headers or {})
    )
