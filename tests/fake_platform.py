"""A platform that only remembers, and fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.chat.message import Message
from core.delivery.platform import Answer, Ear, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure


@dataclass
class Post:
    """One part that arrived."""

    address: str
    key: str
    part: int
    name: str
    message: Message


@dataclass
class FakePlatform:
    """Takes each card of a message as a part of its own.

    Attributes:
        failures: raised by the next calls of `deliver`, before anything arrives; None lets one through.
        lose_reply_after: so many parts arrive, then the reply is lost.
        blind: `find` cannot look.
        unreachable: by address, what `reachable` says; a DeliveryError is raised. Nothing can be delivered there.
        run_by: by address, its stewards.
    """

    name: str = "fake"
    can_edit: bool = True
    ear: Ear = Ear.CONNECTION
    posts: list[Post] = field(default_factory=list)
    failures: list[DeliveryError | None] = field(default_factory=list)
    find_failures: list[DeliveryError] = field(default_factory=list)
    lose_reply_after: int | None = None
    blind: bool = False
    looked: int = 0
    edited: int = 0
    edit_failures: list[DeliveryError | None] = field(default_factory=list)
    unreachable: dict[str, str | DeliveryError] = field(default_factory=dict)
    run_by: dict[str, Sequence[str]] = field(default_factory=dict)
    _made: int = 0

    def payload(self, message: Message) -> Sequence[Payload]:
        return [{"title": card.title} for card in message.cards] or [{"title": message.heading}]

    async def listen(self, answer: Answer) -> None:
        raise AssertionError("nobody talks to this platform")

    async def stand_by(self) -> None:
        await asyncio.Event().wait()

    async def ready(self) -> None:
        return None

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self._refuse_unreachable(address)
        names = list(done)
        for part in range(len(done), len(self.payload(message))):
            name = self._post(address, key, part, message)
            if self.lose_reply_after == part + 1:
                self.lose_reply_after = None
                raise DeliveryError(DeliveryFailure.UNKNOWN, "the connection broke")
            names.append(name)
            if sent is not None:
                await sent(name)
        return Receipt(tuple(names), url="https://example.org/1")

    def _refuse_unreachable(self, address: str) -> None:
        why = self.unreachable.get(address)
        if isinstance(why, DeliveryError):
            raise why
        if why is not None:
            raise DeliveryError(DeliveryFailure.FORBIDDEN, why)

    def _post(self, address: str, key: str, part: int, message: Message) -> str:
        name = f"{address}#{self._made}"
        self._made += 1
        self.posts.append(Post(address, key, part, name, message))
        return name

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        failure = self.edit_failures.pop(0) if self.edit_failures else None
        if failure is not None:
            raise failure
        self._refuse_unreachable(address)
        self.edited += 1
        there = {post.name: post for post in self.posts if (post.address, post.key) == (address, key)}
        wanted = len(self.payload(message))
        names = list(parts)
        for part, name in enumerate(names):
            if name not in there:
                raise DeliveryError(DeliveryFailure.REJECTED, "the message is not there any more")
            there[name].message = message if part < wanted else Message(message.kind, heading="…")
        for part in range(len(names), wanted):
            twin = next((post for post in there.values() if post.part == part), None)
            if twin is not None:
                twin.message = message
            names.append(twin.name if twin is not None else self._post(address, key, part, message))
        return Receipt(tuple(names), url="https://example.org/1")

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        self.looked += 1
        if self.find_failures:
            raise self.find_failures.pop(0)
        if self.blind:
            return None
        return [post.name for post in self.posts if (post.address, post.key) == (address, key)]

    async def reachable(self, address: str) -> str | None:
        why = self.unreachable.get(address)
        if isinstance(why, DeliveryError):
            raise why
        return why

    async def stewards(self, address: str) -> Sequence[str]:
        return self.run_by.get(address, ())

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        return []

    async def close(self) -> None:
        return None
