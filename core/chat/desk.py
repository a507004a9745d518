"""Answers every Request with a Message; what a person did wrong is said in it, never raised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from core.chat import commands as c
from core.chat.inquiries import Inquiries
from core.chat.message import Message
from core.chat.orders import Orders
from core.chat.parsing import parse_command
from core.chat.pointing import Pointing
from core.chat.render import error_message
from core.clock import Clock
from core.errors import PaperboyError

Took = Callable[[str, float], None]
"""Told what was done and how many seconds it took."""


class Desk:
    """Where commands arrive."""

    def __init__(
        self, *, inquiries: Inquiries, orders: Orders, clock: Clock, took: Took = lambda _what, _seconds: None
    ) -> None:
        self._clock = clock
        self._took = took
        pointing = Pointing(inquiries)
        self._answers: dict[type, Callable[..., Awaitable[Message]]] = {
            c.Search: inquiries.search,
            c.Today: inquiries.today,
            c.Why: inquiries.why,
            c.Similar: inquiries.similar,
            c.Cite: inquiries.cite,
            c.Saved: inquiries.saved,
            c.Help: inquiries.help,
            c.Show: inquiries.show,
            c.About: pointing.about,
            c.Suggest: pointing.suggest,
            c.Press: inquiries.press,
            c.Preview: orders.preview,
            c.Subscribe: orders.subscribe,
            c.ListAll: orders.list_all,
            c.Unsubscribe: orders.unsubscribe,
            c.Pause: orders.pause,
            c.Resume: orders.resume,
            c.Edit: orders.edit,
        }

    async def answer(self, request: c.Request) -> Message:
        """Answer a request; every PaperboyError becomes a message of kind ERROR."""
        if request.acknowledged_in is not None:
            self._took("acknowledgement", request.acknowledged_in)
        begun = self._clock()
        try:
            command: Any = parse_command(request.command) if isinstance(request.command, str) else request.command
            answer = await self._answers[type(command)](command, request, begun)
        except PaperboyError as error:
            return error_message(error)
        if isinstance(command, c.Search):
            self._took("search", (self._clock() - begun).total_seconds())
        return answer
