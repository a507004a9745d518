"""A platform that only remembers, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.chat.message import Message
from core.delivery.platform import Answer, PartSent, Payload, Receipt
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
    """

    name: str = "fake"
    posts: list[Post] = field(default_factory=list)
    failures: list[DeliveryError | None] = field(default_factory=list)
    find_failures: list[DeliveryError] = field(default_factory=list)
    lose_reply_after: int | None = None
    blind: bool = False
    looked: int = 0

    def payload(self, message: Message) -> Sequence[Payload]:
        return [{"title": card.title} for card in message.cards] or [{"title": message.heading}]

    async def listen(self, answer: Answer) -> None:
        raise AssertionError("nobody talks to this platform")

    async def ready(self) -> None:
        return None

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        names = list(done)
        for part in range(len(done), len(self.payload(message))):
            name = f"{address}#{len(self.posts)}"
            self.posts.append(Post(address, key, part, name, message))
            if self.lose_reply_after == part + 1:
                self.lose_reply_after = None
                raise DeliveryError(DeliveryFailure.UNKNOWN, "the connection broke")
            names.append(name)
            if sent is not None:
                await sent(name)
        return Receipt(tuple(names), url="https://example.org/1")

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        self.looked += 1
        if self.find_failures:
            raise self.find_failures.pop(0)
        if self.blind:
            return None
        return [post.name for post in self.posts if (post.address, post.key) == (address, key)]

    async def reachable(self, address: str) -> str | None:
        return None

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        return []

    async def close(self) -> None:
        return None
