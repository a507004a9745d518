"""The port that every platform fills: listen, render, deliver, look again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from core.chat.commands import Request
from core.chat.message import Message
from core.settings import Settings

Payload: TypeAlias = dict[str, Any]
"""One call's worth of a rendered message, in the platform's own words."""

Answer: TypeAlias = Callable[[Request], Awaitable[Message]]
"""Answers a command; never raises a PaperboyError (it is told in the Message)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a delivery arrived.

    Attributes:
        parts: the platform's names of the messages, in order, as `1700000000.000100`.
        url: address of the first one, where the platform tells it; else empty.
    """

    parts: tuple[str, ...]
    url: str = ""


class Ear(StrEnum):
    """How what people do reaches a platform."""

    CONNECTION = "connection"
    """It connects to the service, which tells it."""
    PAGE = "page"
    """The service calls the web address."""
    NONE = "none"
    """Not at all; `listen` does what sending needs."""


PartSent: TypeAlias = Callable[[str], Awaitable[None]]
"""Called with a part's name right after it arrived, before the next one is sent."""


class Platform(Protocol):
    """Slack, Discord, a mailbox...: where people already are.

    `name` is the word before the colon in its addresses. `can_edit` tells whether a delivery can be changed where it
    arrived; where it cannot, a source that comes back late is for the next digest. `ear` tells where `listen` belongs:
    where work is shared, only some processes listen.
    """

    name: str
    can_edit: bool

    @property
    def ear(self) -> Ear:
        """How what people do reaches it."""

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether everything is set that it needs; it is switched on then."""

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message within the platform's limits, split where it must be; pure, drops no card, pings no one."""

    async def listen(self, answer: Answer) -> None:
        """Connect, then turn what people do into Requests until cancelled; acknowledges each before it answers.

        Raises:
            DeliveryError: of kind REVOKED when the platform does not accept our token.
        """

    async def stand_by(self) -> None:
        """Get ready to deliver, in place of `listen`, where another process listens; until cancelled.

        Raises:
            DeliveryError: of kind REVOKED when the platform does not accept our token.
        """

    async def ready(self) -> None:
        """Return once the platform takes deliveries: `listen` is connected, or `stand_by` made sure of our token."""

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Post a message and return its receipt.

        Args:
            address: where to, of this platform.
            message: what.
            key: the delivery's name; the platform stores it with the message, so that `find` knows it again.
            done: names of leading parts that arrived earlier; posting goes on behind them.
            sent: called after each further part arrived.

        Raises:
            DeliveryError: what happened, by kind; UNKNOWN when a part may have been taken.
        """

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for the parts of a delivery posted since then: their names in order, empty when there are none.

        None when looking is impossible (scope missing, limit).
        """

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery that arrived as these parts.

        Its parts change in place; those it has more are posted behind them, those it has fewer are shortened to a
        mark. Repeating it is harmless. Raises as `deliver` does.
        """

    async def reachable(self, address: str) -> str | None:
        """Return None when paperboy can post there, else one sentence: why not, and the way to mend it.

        Raises:
            DeliveryError: nobody can tell at the moment.
        """

    async def stewards(self, address: str) -> Sequence[str]:
        """Return addresses of the people who run the place an address lies in, at most three; empty if unknown."""

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check token, scopes and connection for `doctor`: (what, whether it is well, details or how to mend it)."""

    async def close(self) -> None:
        """Disconnect; the platform is not used afterwards."""
