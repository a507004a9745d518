"""Answers every Request with a Message; what a person did wrong is said in it, never raised."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import count
from typing import Any

from core.chat import commands as c
from core.chat.inquiries import Inquiries
from core.chat.message import Message
from core.chat.orders import Orders
from core.chat.parsing import parse_command
from core.chat.pointing import Pointing
from core.chat.render import error_message
from core.clock import Clock
from core.errors import LibraryError, PaperboyError, StoreError
from core.traces import begin_request

log = logging.getLogger(__name__)

Send = Callable[[c.Send, c.Request, datetime], Awaitable[Message]]
"""Sends a digest; the delivery wing does that."""

Took = Callable[[str, float], None]
"""Told what was done and how many seconds it took."""


WHILE_TYPING = (c.Suggest, c.Preview)


class Desk:
    """Where commands arrive.

    Args:
        took: told how long things took.
        name_request: returns a name for each request, by which its lines in the log are found.
    """

    def __init__(
        self,
        *,
        inquiries: Inquiries,
        orders: Orders,
        send: Send,
        clock: Clock,
        took: Took = lambda _what, _seconds: None,
        name_request: Callable[[], str] | None = None,
    ) -> None:
        self._clock = clock
        self._name_request = name_request or map(str, count(1)).__next__
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
        begin_request(self._name_request())
        if request.acknowledged_in is not None:
            self._took("acknowledgement", request.acknowledged_in)
        begun = self._clock()
        command: Any = None
        try:
            command = _read(request.command)
            answer = await self._answers[type(command)](command, request, begun)
        except PaperboyError as error:
            _log_refused(command, request, error)
            return error_message(error)
        seconds = (self._clock() - begun).total_seconds()
        if isinstance(command, c.Search):
            self._took("search", seconds)
        level = logging.DEBUG if isinstance(command, WHILE_TYPING) else logging.INFO
        log.log(level, "%s answered on %s in %.0f ms", _name_of(command), _platform_of(request), seconds * 1000)
        return answer


def _log_refused(command: Any, request: c.Request, error: PaperboyError) -> None:
    """Log that a request got no answer; what a person mistyped is their own, what broke here is told."""
    if isinstance(error, (StoreError, LibraryError)):
        log.error("%s failed on %s: %s", _name_of(command), _platform_of(request), error)
    else:
        log.info("%s refused on %s: %s", _name_of(command), _platform_of(request), type(error).__name__)


def _name_of(command: Any) -> str:
    return "a request that cannot be read" if command is None else type(command).__name__.lower()


def _platform_of(request: c.Request) -> str:
    return request.place.partition(":")[0]


def _read(command: c.Command | str) -> c.Command:
    """Return the command that was typed, or that a button stands for."""
    if isinstance(command, c.Press) and command.action == "send":
        return parse_command(f"send {command.value}")
    return parse_command(command) if isinstance(command, str) else command
