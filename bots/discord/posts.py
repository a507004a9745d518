"""Messages of a delivery: posted, looked for, and changed where they are, each with its delivery's mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bots.discord.failures import GONE_MESSAGE, UNKNOWN_MESSAGE, DiscordError
from bots.discord.marks import in_place, marked, numbered_parts
from bots.discord.payload import payloads
from bots.discord.rest import Rest
from core.chat.message import Kind, Message, text
from core.delivery.platform import PartSent, Payload
from core.errors import DeliveryError, DeliveryFailure

MARK = Message(Kind.ANSWER, lines=(text("…"),))
PAGE, PAGES = 100, 5  # how far back is looked: messages a call, calls
CANNOT_LOOK = (
    "The longer message was not put in place of the shorter one: paperboy cannot see what stands below it; "
    "allow it Read Message History there (channel settings, Permissions, add paperboy)."
)


class Posts:
    """Posts messages of several parts, one below the other."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def send(
        self, channel: str, bodies: Sequence[Payload], *, key: str, done: Sequence[str], sent: PartSent | None
    ) -> tuple[str, ...]:
        """Post what is not done yet, and return the ids of all parts."""
        parts = list(done)
        for part, payload in list(enumerate(bodies))[len(done) :]:
            parts.append(await self._post(channel, payload, key, part))
            if sent is not None:
                await sent(parts[-1])
        return tuple(parts)

    async def _post(self, channel: str, payload: Payload, key: str, part: int) -> str:
        body = marked(payload, key, part)
        return message_id(
            await self._rest.call("POST", "/channels/{channel_id}/messages", json=body, channel_id=channel)
        )

    async def change(
        self, channel: str, bodies: Sequence[Payload], *, key: str, parts: Sequence[str], may_look: bool
    ) -> tuple[str, ...]:
        """Put other bodies where these parts are, and return the ids of all parts; repeating it is harmless.

        Where the bodies are more, and nobody can see whether an earlier try posted the further ones, nothing is
        changed: they might stand there twice.

        Raises:
            DeliveryError: by kind; REJECTED when a part is not there any more.
        """
        if not parts:
            raise DeliveryError(DeliveryFailure.REJECTED, GONE_MESSAGE)
        further: Mapping[int, str] = {}
        if len(bodies) > len(parts):
            messages = await self.since(channel, int(parts[-1])) if may_look else None
            if messages is None:
                raise DeliveryError(DeliveryFailure.REJECTED, CANNOT_LOOK)
            further = numbered_parts(messages, key)
        for part, message in enumerate(parts):
            await self._put(channel, message, bodies[part] if part < len(bodies) else None, key, part)
        names = list(parts)
        for part in range(len(parts), len(bodies)):
            if part in further:
                await self._put(channel, further[part], bodies[part], key, part)
                names.append(further[part])
            else:
                names.append(await self._post(channel, bodies[part], key, part))
        return tuple(names)

    async def _put(self, channel: str, message: str, payload: Payload | None, key: str, part: int) -> None:
        """Change a part; None makes a mark of it, unless somebody has deleted it already."""
        shown = payloads(MARK)[0] if payload is None else payload
        try:
            await self._rest.call(
                "PATCH",
                "/channels/{channel_id}/messages/{message_id}",
                json=in_place(shown, key, part),
                channel_id=channel,
                message_id=message,
            )
        except DiscordError as error:
            if payload is not None or error.code != UNKNOWN_MESSAGE:
                raise

    async def since(self, channel: str, after: int) -> list[dict[str, Any]] | None:
        """Return our own messages behind an id; None where we may not read, or where there are too many."""
        messages: list[dict[str, Any]] = []
        for _ in range(PAGES):
            page = await self._page(channel, after)
            if page is None:
                return None
            messages += (message for message in page if message["author"]["id"] == self._rest.me["id"])
            if len(page) < PAGE:
                return messages
            after = max(int(message["id"]) for message in page)
        return None

    async def _page(self, channel: str, after: int) -> list[dict[str, Any]] | None:
        try:
            page: list[dict[str, Any]] = await self._rest.call(
                "GET",
                "/channels/{channel_id}/messages",
                params={"limit": str(PAGE), "after": str(after)},
                channel_id=channel,
            )
        except DeliveryError as error:
            if error.kind is DeliveryFailure.FORBIDDEN:
                return None
            raise
        return page


def message_id(created: Any) -> str:
    """Return the id of what was created; an answer without one leaves open whether it was."""
    if not isinstance(created, dict) or "id" not in created:
        raise DeliveryError(DeliveryFailure.UNKNOWN, "Discord gave an answer that does not say what it did.")
    return str(created["id"])
