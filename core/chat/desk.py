"""Answers every Request with a Message; what a person did wrong is said in it, never raised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
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

Send = Callable[[c.Send, c.Request, datetime], Awaitable[Message]]
"""Sends a digest; the delivery wing does that."""

Took = Callable[[str, float], None]
"""Told what was done and how many seconds it took."""


class Desk:
    """Where commands arrive."""

    def __init__(
        self,
        *,
        inquiries: Inquiries,
        orders: Orders,
        send: Send,
        clock: Clock,
        took: Took = lambda _what, _seconds: None,
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
            c.Taste: inquiries.taste,
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
            c.Send: send,
        }

    async def answer(self, request: c.Request) -> Message:
        """Answer a request; every PaperboyError becomes a message of kind ERROR."""
        if request.acknowledged_in is not None:
            self._took("acknowledgement", request.acknowledged_in)
        begun = self._clock()
        try:
            command: Any = _read(request.command)
            answer = await self._answers[type(command)](command, request, begun)
        except PaperboyError as error:
            return error_message(error)
        if isinstance(command, c.Search):
            self._took("search", (self._clock() - begun).total_seconds())
        return answer


def _read(command: c.Command | str) -> c.Command:
    """Return the command that was typed, or that a button stands for."""
    if isinstance(command, c.Press) and command.action == "send":
        return parse_command(f"send {command.value}")
    return parse_command(command) if isinstance(command, str) else command
