"""The page behind a mail's preferences link: what comes, when, how much; saved papers; delete everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from bots.email import links, people
from bots.email.addresses import mailbox
from bots.house import House
from bots.web.site import paper_path, read_form, render
from core.chat import commands as c
from core.chat.latex import to_unicode
from core.chat.message import Message, plain
from core.chat.parsing import days_text, parse_days, parse_time, parse_timezone
from core.digests.subscription import Subscription
from core.errors import LinkError, UsageError
from core.store import Mark

PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow"}
SAVED_AT_MOST = 200
DELETED = "Everything of this address was deleted. It is not written to again."
LIFTED = "This address can be written to again. Subscribe on the page, and confirm by mail, to begin."


class Preferences:
    """Shows and changes them.

    Args:
        house: what is behind the page.
        signer: reads the links.
    """

    def __init__(self, house: House, signer: links.Signer) -> None:
        self._house, self._signer = house, signer
        self._deeds: Mapping[str, Callable[[str, FormData, datetime], Awaitable[str]]] = {
            "change": self._change,
            "pause": self._pause,
            "resume": self._resume,
            "end": self._end,
            "unsave": self._unsave,
        }

    async def answer(self, request: Request) -> Response:
        """Show the preferences, or do what a form of theirs says and show them again."""
        name = str(self._signer.read(links.PREFERENCES, request.path_params["token"]))
        known = await self._house.store.correspondent(name)
        if known is not None and known.blocked_at is not None:
            return await self._lift(request, name)
        address = await people.find_address(self._house, self._signer, name)
        said, problem = "", ""
        if request.method == "POST":
            form = await read_form(request)
            do = _field(form, "do")
            if do == "delete" and _field(form, "sure") == "yes":
                await people.erase(self._house, self._signer, address)
                return self._gone(request, said=DELETED, blocked=True)
            try:
                said = await self._do(do, address, form)
            except UsageError as error:
                problem = f"{error} {error.hint}".strip()
        return await self._show(request, address, said, problem)

    async def _do(self, do: str, address: str, form: FormData) -> str:
        deed = self._deeds.get(do)
        if deed is None:
            raise UsageError("Tick the box to delete everything." if do == "delete" else "There is no such button.")
        return await deed(address, form, self._house.clock())

    async def _show(self, request: Request, address: str, said: str, problem: str) -> Response:
        subscriptions = await self._house.store.subscriptions(address)
        return render(
            request,
            "email/templates/preferences.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            headers=PRIVATE,
            address=mailbox(address),
            subscriptions=[(item, _days(item)) for item in subscriptions],
            saved=await self._saved(address),
            said=said,
            problem=problem,
        )

    async def _saved(self, address: str) -> Sequence[tuple[str, str, str]]:
        """Return saved papers, newest first: id, title, path."""
        marks = [mark.paper for mark in await self._house.store.marks(person=address) if mark.kind == "saved"]
        newest = marks[: -SAVED_AT_MOST - 1 : -1]
        papers = await self._house.library.papers(newest)
        titles = {paper: to_unicode(papers[paper].title) if paper in papers else paper for paper in newest}
        return [(paper, titles[paper], paper_path(paper)) for paper in newest]

    async def _lift(self, request: Request, name: str) -> Response:
        if request.method == "POST":
            form = await read_form(request)
            if _field(form, "do") == "lift":
                await people.lift(self._house, name)
                return self._gone(request, said=LIFTED, blocked=False)
        return self._gone(request, said=DELETED, blocked=True)

    @staticmethod
    def _gone(request: Request, *, said: str, blocked: bool) -> Response:
        return render(request, "email/templates/gone.html", headers=PRIVATE, said=said, blocked=blocked)

    async def _change(self, address: str, form: FormData, now: datetime) -> str:
        days, weekly = parse_days(_field(form, "days"))
        top = _field(form, "top")
        if not (top.isascii() and top.isdigit() and 1 <= int(top[:4]) <= 50):
            raise UsageError("The number of papers is between 1 and 50.")
        options = c.Options(
            at=parse_time(_field(form, "at")) if _field(form, "at") else None,
            timezone=parse_timezone(_field(form, "timezone")),
            days=days,
            weekly=weekly,
            top=int(top),
            quiet=_field(form, "quiet") == "yes",
        )
        interests = " ".join(_field(form, "interests").split())
        command = c.Edit(_number(form), interests, options)
        return _first(await people.orders_of(self._house).edit(command, _request(address), now))

    async def _pause(self, address: str, form: FormData, now: datetime) -> str:
        await people.orders_of(self._house).pause(c.Pause(_number(form)), _request(address), now)
        return "Paused. It goes on when you say so here."

    async def _resume(self, address: str, form: FormData, now: datetime) -> str:
        return _first(await people.orders_of(self._house).resume(c.Resume(_number(form)), _request(address), now))

    async def _end(self, address: str, form: FormData, now: datetime) -> str:
        command = c.Unsubscribe(_number(form))
        return _first(await people.orders_of(self._house).unsubscribe(command, _request(address), now))

    async def _unsave(self, address: str, form: FormData, now: datetime) -> str:
        paper = _field(form, "paper")
        saved = {mark.paper for mark in await self._house.store.marks(person=address) if mark.kind == "saved"}
        if paper in saved:
            await self._house.store.mark(Mark(address, address, paper, "saved", now))
        return "It is not among your saved papers any more."


def _days(subscription: Subscription) -> str:
    return days_text(subscription.days, weekly=subscription.weekly)


def _request(address: str) -> c.Request:
    return c.Request(c.Help(), person=address, place=address, private=True, may_manage=True)


def _first(message: Message) -> str:
    return plain(message.lines[0]) if message.lines else ""


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _number(form: FormData) -> int:
    typed = _field(form, "number")
    if not (typed.isascii() and typed.isdigit() and len(typed) < 7):
        raise LinkError("This form is from another version of paperboy.")
    return int(typed)
