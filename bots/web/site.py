"""What every route of the page needs, those of platforms too: templates, forms that are ours, rates, errors.

    @route("/subscribe", methods=["POST"])
    async def subscribe(request):
        limit(request, "subscribe")                  # or 429
        form = await read_form(request)              # or 403, 413, 415
        return render(request, "email/templates/asked.html", email=form.get("email", ""))

A template extends `base.html`, and writes a form's token as `<input type="hidden" name="csrf" value="{{ csrf }}">`. A
platform's own lie in its folder and go by `PLATFORM/templates/NAME.html`. Addresses are written `{{ url("/about") }}`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bots.house import House
from bots.reading_room import ReadingRoom
from bots.web.forms import FIELD, STALE, Guard, is_foreign, read_bounded_form
from bots.web.rates import Limiter, Rate
from core.chat.cards import is_web_address
from core.chat.message import Text, plain
from core.chat.render import ARXIV_THANKS, long_day
from core.store.figures import Day

FOLDER = Path(__file__).parent
SEARCH = "search"
SUBSCRIBE = "subscribe"
SENTENCES: Mapping[int, str] = {
    400: "This cannot be read as it was sent.",
    403: STALE,
    404: "There is nothing at this address.",
    405: "This address cannot be asked in this way.",
    413: "That is more than can be taken here.",
    415: "Only what a form of these pages sends can be taken here.",
    429: "That was too often; wait a little and try again.",
    500: "Something broke while this page was made; the log of paperboy says what.",
    503: "This cannot be shown right now; the log of paperboy says why.",
}
_PLACE = f"csrf-{secrets.token_hex(16)}"
"""Stands in a rendered page where the form's token comes; no paper can hold it, for nobody can guess it."""


@dataclass
class Site:
    """What is behind all pages; routes find it by `site_of`.

    Attributes:
        house: library, store, settings, clock, keys.
        room: what the page reads: the library, or the sample while there is nothing else.
        figures: reads the service's own figures of the last days.
        unready: says why the service cannot work right now; nothing when it can.
        took: told what was done, and how many seconds it took.
        offers: the addresses that are served, to link to none that is not (`/slack/install`, `/subscribe`).
        role: what this process does of all that paperboy does.
    """

    house: House
    room: ReadingRoom
    figures: Callable[[], Awaitable[Mapping[date, Day]]]
    unready: Callable[[], Awaitable[Sequence[str]]]
    took: Callable[[str, float], None] = lambda _what, _seconds: None
    offers: frozenset[str] = field(default=frozenset())
    role: str = "all"

    @cached_property
    def guard(self) -> Guard:
        """What guards forms."""
        key, *old = self.house.keys().derive_all("forms of the page")
        return Guard(key, secure=self.base_url.startswith("https:"), old=old)

    @cached_property
    def limiter(self) -> Limiter:
        """How often one client may ask."""
        web = self.house.settings.web
        rates = {
            SEARCH: Rate(web.searches_per_minute, timedelta(minutes=1)),
            SUBSCRIBE: Rate(web.subscribes_per_hour, timedelta(hours=1)),
        }
        return Limiter(rates, self.house.clock)

    @property
    def base_url(self) -> str:
        """The address people use, without a slash at its end."""
        return self.house.settings.web.base_url

    @cached_property
    def prefix(self) -> str:
        """The path of the base address, mostly empty."""
        return quote(urlsplit(self.base_url).path.rstrip("/"), safe="/%")

    def url(self, path: str) -> str:
        """Return the address of one of our pages, to be written into a page."""
        return f"{self.prefix}{path}"


def site_of(request: Request) -> Site:
    """Return the site that a request was sent to."""
    found = request.app.state.site
    assert isinstance(found, Site)
    return found


def render(
    request: Request,
    template: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> Response:
    """Answer with a page.

    A reader who holds it already gets 304. A page with a form is for this reader alone, and brings the cookie that
    belongs to the form's token.

    Args:
        request: what is answered.
        template: its name, see above.
        status: of HTTP.
        headers: further ones; `Cache-Control` is `no-cache` unless they say otherwise.
        values: what the template is given.
    """
    site = site_of(request)
    body = ENVIRONMENT.get_template(template).render(
        url=site.url, offers=site.offers, settings=site.house.settings, csrf=_PLACE, **values
    )
    given = {"Cache-Control": "no-cache", **(headers or {})}
    if _PLACE in body:
        return _page_with_form(request, body, status, given)
    return answer(request, body, status=status, headers=given)


def _page_with_form(request: Request, body: str, status: int, headers: dict[str, str]) -> Response:
    guard = site_of(request).guard
    held = guard.nonce(request)
    nonce = held or guard.new_nonce()
    if headers["Cache-Control"] == "no-cache":
        headers["Cache-Control"] = "private, no-cache"
    # The token is written otherwise each time and means the same: the tag tells whose it is, and what else is there.
    response = answer(
        request, body.replace(_PLACE, guard.token(nonce)), status=status, headers=headers,
        tagged=body.replace(_PLACE, held),
    )  # fmt: skip
    if not held and response.status_code != HTTPStatus.NOT_MODIFIED:
        response.set_cookie(guard.cookie, nonce, secure=guard.secure, httponly=True, samesite="lax", path="/")
    return response


def answer(
    request: Request,
    body: str,
    *,
    status: int = HTTPStatus.OK,
    media_type: str = "text/html",
    headers: Mapping[str, str] | None = None,
    changed: datetime | None = None,
    tagged: str = "",
) -> Response:
    """Answer with a text, or with 304 where the reader holds it already.

    Args:
        request: what is answered.
        body: the text.
        status: of HTTP; only a 200 is ever answered by 304.
        media_type: of the text.
        headers: further ones.
        changed: when it last changed (aware, UTC), where that is known.
        tagged: what the entity tag is made of, where that is not the body.
    """
    # Half a surrogate pair can stand in scraped text, and cannot be sent.
    sent = body.encode("utf-8", "replace")
    seen = tagged.encode("utf-8", "replace") or sent
    all_headers = dict(headers or {})
    if status == HTTPStatus.OK:
        # Weak, since compression changes bytes and not meaning.
        all_headers["ETag"] = f'W/"{hashlib.sha256(seen).hexdigest()[:32]}"'
        if changed is not None:
            all_headers["Last-Modified"] = format_datetime(changed.replace(microsecond=0), usegmt=True)
        if _is_held(request, all_headers["ETag"], changed):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=all_headers)
    return Response(sent, status, media_type=media_type, headers=all_headers)


def _is_held(request: Request, tag: str, changed: datetime | None) -> bool:
    """Whether the reader holds this; If-None-Match wins over the date (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag.removeprefix("W/") in tags
    since = request.headers.get("if-modified-since")
    if since is None or changed is None:
        return False
    try:
        return parsedate_to_datetime(since) >= changed.replace(microsecond=0)
    except (ValueError, TypeError):
        return False


def sentence_page(
    request: Request, status: int, *, sentence: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a page of one sentence, which nobody keeps."""
    phrase = HTTPStatus(status)
    return render(
        request,
        "sentence.html",
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        title=phrase.phrase,
        sentence=sentence or SENTENCES.get(status, phrase.description),
    )


async def read_form(request: Request, *, ours: bool = True) -> FormData:
    """Return the fields of a form that one of our pages sent, or of anybody's where not `ours` (RFC 8058).

    Raises:
        HTTPException: 403 where the token is missing or does not fit; 413, 415 where it is no form we take.
    """
    form = await read_bounded_form(request)
    if ours:
        guard = site_of(request).guard
        token = form.get(FIELD, "")
        if is_foreign(request) or not guard.fits(guard.nonce(request), token if isinstance(token, str) else ""):
            raise HTTPException(HTTPStatus.FORBIDDEN)
    return form


def limit(request: Request, what: str) -> None:
    """Count one request of a client, of the kind `SEARCH` or `SUBSCRIBE`.

    Raises:
        HTTPException: 429, with `Retry-After`, when there were too many.
    """
    client = request.client.host if request.client else ""
    if wait := site_of(request).limiter.wait(what, client):
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": str(wait)})


def paper_path(identifier: str) -> str:
    """Return the path of a paper's page; what a browser would take for other folders stands in one piece."""
    if identifier in {".", ".."}:
        return f"/paper/%20{identifier}"  # browsers take %2E for a dot, too; spaces around an id are left out
    folders = {"", ".", ".."} & set(identifier.split("/"))
    return f"/paper/{quote(identifier.encode('utf-8', 'replace'), safe=':' if folders else ':/')}"


def _is_thanks(line: Text) -> bool:
    return plain(line) == ARXIV_THANKS


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([FOLDER / "templates", FOLDER.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["web_address"] = is_web_address
    environment.tests["thanks"] = _is_thanks
    environment.filters["long_day"] = long_day
    environment.filters["quoted"] = lambda text: quote(text.encode("utf-8", "replace"), safe="")
    environment.globals.update(thanks=ARXIV_THANKS, paper_path=paper_path, **_static_addresses())
    return environment


def read_static(name: str) -> str:
    """Return a file that pages need beside themselves."""
    return (FOLDER / "static" / name).read_text(encoding="utf-8")


def static_path(name: str) -> str:
    """Return its path, which changes with what it holds, so that browsers may keep it for ever."""
    stem, _, ending = name.partition(".")
    return f"/{stem}.{hashlib.sha256(read_static(name).encode()).hexdigest()[:16]}.{ending}"


def _static_addresses() -> dict[str, str]:
    return {"stylesheet": static_path("style.css"), "script": static_path("page.js")}


ENVIRONMENT = _make_environment()
