"""EDGE. Discord as a Platform: connection, deliveries, and what we may do where.

Addresses are `discord:CHANNEL_ID` and, for a person's direct messages, `discord:@USER_ID`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Self

import discord

from bots.discord import doctor
from bots.discord.listener import Listener, quieten
from bots.discord.marks import marked, parts_among
from bots.discord.payload import payloads
from bots.discord.permissions import Place, may_read, missing_to_post
from bots.discord.registration import same_commands
from bots.discord.replies import Replies
from bots.discord.rest import DELAYS, Rest, point_at
from core.chat.message import Message
from core.clock import Clock
from core.delivery.platform import Answer, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure
from core.settings import Settings

log = logging.getLogger(__name__)

_PAGE, _PAGES = 100, 5  # how far back `find` looks: messages a call, calls
_LAST_ANSWERS = 5.0  # seconds that answers under way get at the end
_LONGEST_PAUSE = 60.0
_SKEW = timedelta(minutes=1)


class Discord:
    """Discord, by gateway and REST.

    Args:
        token: the bot's.
        api_url: of the REST API; empty means Discord's own.
        gateway_url: of the gateway; empty means Discord's own.
        delays: seconds before each repetition of a call, and of a failed start, whose pauses go on doubling.
    """

    name = "discord"

    def __init__(
        self, token: str, *, api_url: str = "", gateway_url: str = "", delays: Sequence[float] = DELAYS
    ) -> None:
        quieten()
        point_at(api_url, gateway_url)
        self._token = token
        self._gateway_url = gateway_url
        self._first_pause = delays[0]
        self._rest = Rest(token, delays=delays)
        self._listener: Listener | None = None
        self._replies: Replies | None = None
        self._connected = asyncio.Event()
        self._closing = False
        self._pauses = 0
        self._channels: dict[str, str] = {}

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Self:  # noqa: ARG003 - platforms are made alike
        """Make it of the settings; `DISCORD_TOKEN` has to be set."""
        token = settings.secrets.discord_token
        assert token is not None
        return cls(token.get_secret_value(), api_url=settings.discord.api_url, gateway_url=settings.discord.gateway_url)

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message as bodies of Discord messages; see `bots.discord.payload`."""
        return payloads(message)

    async def listen(self, answer: Answer) -> None:
        """Answer what people ask until cancelled; an unreachable Discord is tried again and again.

        Raises:
            DeliveryError: REVOKED when the token is not accepted.
        """
        self._replies = Replies(rest=self._rest, answer=answer, render=self.payload)
        while not self._closing:
            self._listener = Listener(self._replies, on_connect=self._is_connected, gateway_url=self._gateway_url)
            try:
                await self._register(self._listener)
                await self._listener.run_once(self._token)
                reason = "Discord ended the connection."
            except DeliveryError as error:
                if error.kind is DeliveryFailure.REVOKED:
                    raise
                reason = str(error)
            pause = min(self._first_pause * 2**self._pauses, _LONGEST_PAUSE)
            self._pauses += 1
            log.warning("Discord: %s Trying again in %.0f s.", reason, pause)
            await asyncio.sleep(pause)

    def _is_connected(self) -> None:
        self._pauses = 0
        self._connected.set()

    async def _register(self, listener: Listener) -> None:
        """Tell Discord our commands if it does not know them as they are."""
        ours = listener.commands()
        path = "/applications/{application_id}/commands"
        application = (await self._rest.call("GET", "/applications/@me"))["id"]
        registered = await self._rest.call("GET", path, application_id=application)
        if same_commands(registered, ours):
            return
        try:
            await self._rest.call("PUT", path, json=ours, application_id=application)
        except DeliveryError as error:
            if error.kind not in {DeliveryFailure.REJECTED, DeliveryFailure.FORBIDDEN}:
                raise
            log.error("Discord: the commands could not be registered: %s", error)
        else:
            log.info("Discord: commands registered")

    async def ready(self) -> None:
        """Return once the gateway was connected."""
        await self._connected.wait()

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Post a message; see `core.delivery.platform.Platform.deliver`."""
        channel = await self._channel(address)
        parts = list(done)
        for part, payload in list(enumerate(self.payload(message)))[len(done) :]:
            body = marked(payload, key, part)
            posted = await self._rest.call("POST", "/channels/{channel_id}/messages", json=body, channel_id=channel)
            parts.append(_message_id(posted))
            if sent is not None:
                await sent(parts[-1])
        return Receipt(tuple(parts), self._url(channel, parts))

    async def _channel(self, address: str) -> str:
        """Return the id of the channel behind an address; a person's is opened first."""
        place = address.removeprefix("discord:")
        person = place.removeprefix("@")
        if not (person.isascii() and person.isdigit()):
            raise DeliveryError(DeliveryFailure.REJECTED, f"{address!r} is not an address on Discord.")
        if place == person:
            return place
        if person not in self._channels:
            opened = await self._rest.call("POST", "/users/@me/channels", json={"recipient_id": person})
            self._channels[person] = _message_id(opened)
        return self._channels[person]

    def _url(self, channel: str, parts: Sequence[str]) -> str:
        if channel in self._channels.values():
            server = "@me"
        elif (known := self._cached(channel)) is not None:
            server = str(known.guild.id)
        else:
            return ""
        return f"https://discord.com/channels/{server}/{channel}/{parts[0]}" if parts else ""

    def _cached(self, channel: str) -> Place | None:
        found = self._listener.get_channel(int(channel)) if self._listener is not None else None
        return found if isinstance(found, Place) else None

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for a delivery's parts among our messages; None where we may not read, or there are too many since."""
        channel = await self._channel(address)
        known = self._cached(channel)
        if known is not None and not may_read(known):
            # Without Read Message History, Discord answers with an empty list instead of an error.
            return None
        messages: list[dict[str, Any]] = []
        after = discord.utils.time_snowflake(since - _SKEW)
        for _ in range(_PAGES):
            page = await self._history(channel, after)
            if page is None:
                return None
            messages += (message for message in page if message["author"]["id"] == self._rest.me["id"])
            if len(page) < _PAGE:
                return parts_among(messages, key)
            after = max(int(message["id"]) for message in page)
        return None

    async def _history(self, channel: str, after: int) -> list[dict[str, Any]] | None:
        try:
            page: list[dict[str, Any]] = await self._rest.call(
                "GET",
                "/channels/{channel_id}/messages",
                params={"limit": str(_PAGE), "after": str(after)},
                channel_id=channel,
            )
        except DeliveryError as error:
            if error.kind is DeliveryFailure.FORBIDDEN:
                return None
            raise
        return page

    async def reachable(self, address: str) -> str | None:
        """Return None when paperboy can post there, else why not and how to mend it."""
        try:
            channel = await self._channel(address)
            known = self._cached(channel)
            if known is not None:
                return missing_to_post(known) or None
            await self._rest.call("GET", "/channels/{channel_id}", channel_id=channel)
        except DeliveryError as error:
            return str(error)
        return None

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check token, application, commands, gateway and servers; see `bots.discord.doctor`."""
        return await doctor.check(self._rest, Listener().commands())

    async def close(self) -> None:
        """Disconnect, after answers under way got a moment to arrive."""
        self._closing = True
        if self._replies is not None:
            await self._replies.settle(_LAST_ANSWERS)
        if self._listener is not None and not self._listener.is_closed():
            with suppress(discord.DiscordException, OSError):
                await self._listener.close()
        await self._rest.close()


def _message_id(created: Any) -> str:
    """Return the id of what was created; an answer without one leaves open whether it was."""
    if not isinstance(created, dict) or "id" not in created:
        raise DeliveryError(DeliveryFailure.UNKNOWN, "Discord gave an answer that does not say what it did.")
    return str(created["id"])
