"""The pages that mail needs: subscribe, confirm, unsubscribe, mark a paper. GET only asks; POST acts.

Mail programs and scanners open every link before a person does. What a link of a mail does is done by a button on the
page behind it, or by the one-click POST of RFC 8058, which comes without cookies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bots.email import links, people
from bots.email.addresses import mailbox, read_address
from bots.email.events import Events
from bots.email.fields import PRIVATE, field, read_top
from bots.email.preferences import Preferences
from bots.house import House, new_id
from bots.web.hurry import in_a_hurry
from bots.web.site import SUBSCRIBE, limit, read_form, render, sentence_page
from core.chat.latex import to_unicode
from core.delivery.optin import WORDING, ask, find_wish
from core.errors import LinkError, UsageError
from core.search.query import parse
from core.store import Mark
from core.store.correspondents import Wish

if TYPE_CHECKING:
    from bots.email.adapter import Email

FIELDS = ("email", "interests", "at", "timezone", "days", "top")
LONGEST_INTERESTS = 4_000
KINDS: Mapping[str, tuple[str, str]] = {
    "up": ("👍", "more like it will come"),
    "down": ("👎", "less like it will come"),
    "saved": ("🔖", "it is among your saved papers"),
}


def make_routes(house: House, email: Email) -> Sequence[BaseRoute]:
    """Return the routes of mail."""
    pages, preferences, events = Pages(house, email), Preferences(house, email.signer), Events(house, email.signer)
    both = ["GET", "POST"]
    looked_at = [
        Route("/subscribe", pages.subscribe, methods=both),
        Route("/email/confirm/{token}", pages.confirm, methods=both),
        Route("/email/unsubscribe/{token}", pages.unsubscribe, methods=both),
        Route("/email/mark/{token}", pages.mark, methods=both),
        Route("/email/preferences/{token}", preferences.answer, methods=both),
    ]
    return [*map(in_a_hurry, looked_at), Route("/email/events", events.answer, methods=["POST"])]


class Pages:
    """Their handlers."""

    def __init__(self, house: House, email: Email) -> None:
        self._house, self._email = house, email
        self._signer = email.signer

    async def subscribe(self, request: Request) -> Response:
        """Keep a wish and let it be asked about by mail; the answer is the same for every address."""
        if request.method != "POST":
            return render(request, "email/templates/subscribe_page.html", asked={}, problem="")
        limit(request, SUBSCRIBE)
        form = await read_form(request)
        try:
            address, wish = self._read_wish(form, request)
        except UsageError as error:
            asked = {name: value for name in FIELDS if (value := field(form, name))}
            problem = f"{error} {error.hint}".strip()
            return render(
                request, "email/templates/subscribe_page.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, asked=asked,
                problem=problem, headers=PRIVATE,
            )  # fmt: skip
        await self._keep(address, wish)
        return render(request, "email/templates/asked.html", headers=PRIVATE, address=mailbox(address))

    def _read_wish(self, form: FormData, request: Request) -> tuple[str, Wish]:
        defaults = self._house.settings.digest
        words = field(form, "interests").strip()
        if len(words) > LONGEST_INTERESTS or not all(char.isprintable() or char.isspace() for char in words):
            raise UsageError(f"Interests can have {LONGEST_INTERESTS:,} characters, without control characters.")
        words = " ".join(words.split())
        parse(words)
        wish = Wish(
            id=new_id(),
            words=words,
            at=field(form, "at") or f"{defaults.at:%H:%M}",
            timezone=field(form, "timezone") or defaults.timezone,
            days=field(form, "days") or defaults.days,
            top=read_top(field(form, "top") or str(defaults.top)),
            asked_at=self._house.clock(),
            asked_from=request.client.host if request.client else "",
        )
        people.options_of(wish)
        return read_address(field(form, "email")), wish

    async def _keep(self, address: str, wish: Wish) -> None:
        """Keep a wish where that is allowed; the mail goes out behind the answer, whose time must tell nothing."""
        store, name = self._house.store, await self._signer.names.of(address)
        most = self._house.settings.email.confirmations_per_day
        while True:
            known = await store.correspondent(name)
            wished = ask(known, name, address, wish, mails_a_day=most)
            if wished is None or await store.keep_correspondent(wished, expected=known):
                break
        self._email.postman.wake()

    async def confirm(self, request: Request) -> Response:
        """Ask whether to begin; begin."""
        name, identifier = self._signer.read_pair(links.CONFIRM, request.path_params["token"])
        known = await self._house.store.correspondent(name)
        wish = find_wish(known, identifier, self._house.clock())
        address = known.address if known is not None else ""
        if request.method != "POST":
            return render(
                request, "email/templates/confirm.html", headers=PRIVATE, wish=wish, wording=WORDING,
                address=mailbox(address),
            )  # fmt: skip
        await read_form(request)
        given_from = request.client.host if request.client else ""
        try:
            await people.confirm_wish(self._house, name, identifier, given_from=given_from)
        except UsageError as error:
            return sentence_page(request, HTTPStatus.UNPROCESSABLE_ENTITY, sentence=f"{error} {error.hint}".strip())
        preferences = self._signer.preferences(name)
        return render(
            request, "email/templates/confirmed.html", headers=PRIVATE, wish=wish, address=mailbox(address),
            preferences=preferences,
        )  # fmt: skip

    async def unsubscribe(self, request: Request) -> Response:
        """Ask whether to end a subscription; end it, also for a mail program that comes without cookies."""
        name, identifier = self._signer.read_pair(links.UNSUBSCRIBE, request.path_params["token"])
        subscription = await self._house.store.subscription(identifier)
        if subscription is not None and await self._signer.names.of(subscription.address) != name:
            raise LinkError("This link belongs to another address.")
        interests = subscription.interests or "everything" if subscription is not None else ""
        ended = subscription is None
        if request.method == "POST":
            await read_form(request, ours=False)
            if subscription is not None:
                await people.end_subscription(self._house, subscription.address, identifier)
            ended = True
        return render(
            request, "email/templates/unsubscribe.html", headers=PRIVATE, interests=interests, ended=ended,
            preferences=self._signer.preferences(name),
        )  # fmt: skip

    async def mark(self, request: Request) -> Response:
        """Ask which mark a paper gets; keep it."""
        name, identifier = self._signer.read_pair(links.MARK, request.path_params["token"])
        address = await people.find_address(self._house, self._signer, name)
        paper = await self._house.library.paper(identifier)
        if paper is None:
            raise LinkError("This paper is not in the library any more.")
        kind, done = request.query_params.get("as", ""), ""
        if request.method == "POST":
            kind = field(await read_form(request), "as")
            if kind in KINDS:
                await self._keep_mark(address, identifier, kind)
                done = KINDS[kind][1]
        preferences = self._signer.preferences(await self._signer.names.of(address))
        return render(
            request, "email/templates/mark.html", headers=PRIVATE, title=to_unicode(paper.title), paper=identifier,
            kinds=KINDS, kind=kind, done=done, preferences=preferences,
        )  # fmt: skip

    async def _keep_mark(self, address: str, paper: str, kind: str) -> None:
        """Keep a mark; sent twice, it is not taken back."""
        store = self._house.store
        held = {mark.kind for mark in await store.marks(person=address, place=address) if mark.paper == paper}
        if kind not in held:
            await store.mark(Mark(address, address, paper, kind, self._house.clock()))
