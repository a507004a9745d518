"""What paperboy is, what it keeps, and where help is: pages that the listings of platforms ask for."""

from __future__ import annotations

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bots.web.site import render, site_of
from core.chat.cards import is_web_address
from core.chat.guide import EXAMPLES, MEANINGS
from core.chat.inquiries import SENT_OUT, STAYS_HERE
from core.chat.parsing import FORMS

PAGES = ("about", "privacy", "support")
PRIVATE_PATHS = ("/digest/", "/email/", "/search", "/feed", "/cite/")


async def show(request: Request, name: str) -> Response:
    """Show one of the pages."""
    settings = site_of(request).house.settings
    contact = settings.web.contact
    return render(
        request,
        f"{name}.html",
        forms=[(form, MEANINGS[name]) for name, form in FORMS.items()],
        examples=EXAMPLES,
        contact=contact,
        contact_link=_link_to(contact),
        queries=SENT_OUT if settings.search.ask_outside else STAYS_HERE,
    )


def _link_to(contact: str) -> str:
    if is_web_address(contact):
        return contact
    return f"mailto:{contact}" if re.fullmatch(r"[^\s@/:?]+@[^\s@/:?]+", contact) else ""


async def robots(request: Request) -> Response:
    """Ask crawlers to leave alone what is private, or costs work."""
    lines = "".join(f"Disallow: {site_of(request).prefix}{path}\n" for path in PRIVATE_PATHS)
    return PlainTextResponse(f"User-agent: *\n{lines}", headers={"Cache-Control": "public, max-age=86400"})


ROUTES = (*(Route(f"/{name}", partial(show, name=name)) for name in PAGES), Route("/robots.txt", robots))
