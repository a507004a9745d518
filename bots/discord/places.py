"""Where an address lies, what paperboy may do there, and who runs it.

The gateway tells all of it as long as it is connected; the REST API is asked for what the gateway does not know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import discord

from bots.discord.failures import MISSING_ACCESS, DiscordError
from bots.discord.listener import Listener
from bots.discord.looks import Looker
from bots.discord.permissions import Place, invitation, may_read, missing_to_post
from bots.discord.posts import message_id
from bots.discord.rest import Rest
from core.errors import DeliveryError, DeliveryFailure

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0


class Places:
    """The channels and people that addresses name.

    Attributes:
        listener: the connection of the moment.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._direct: dict[str, str] = {}
        self._servers: dict[str, str] = {}
        self._forums: set[str] = set()
        self.listener: Listener | None = None

    async def channel(self, address: str) -> str:
        """Return the id of the channel behind an address; a person's is opened first."""
        place = address.removeprefix("discord:")
        person = place.removeprefix("@")
        if not (person.isascii() and person.isdigit()):
            raise DeliveryError(DeliveryFailure.REJECTED, f"{address!r} is not an address on Discord.")
        if place == person:
            return place
        if person not in self._direct:
            opened = await self._rest.call("POST", "/users/@me/channels", json={"recipient_id": person})
            self._direct[person] = message_id(opened)
        return self._direct[person]

    def follow(self, listener: Listener) -> None:
        """Ask this connection from now on."""
        self.listener = listener

    def _known(self, channel: str | None) -> Place | None:
        """Return what the gateway knows of a channel; nothing while it is not connected or a server is away."""
        number = int(channel) if channel is not None and channel.isdigit() else 0
        if self.listener is None or not self.listener.is_ready() or self.listener.is_closed():
            return None
        found = self.listener.get_channel(number)
        return found if isinstance(found, Place) and not found.guild.unavailable else None

    def seems_open(self, channel: str) -> bool:
        """Tell whether the gateway says that paperboy may post there."""
        known = self._known(channel)
        return known is not None and not missing_to_post(known)

    async def may_read(self, channel: str) -> bool:
        """Tell whether a look into a channel shows what is there.

        Without Read Message History, Discord answers with an empty list instead of an error.

        Raises:
            DeliveryError: by kind; nobody can tell at the moment.
        """
        if channel in self._direct.values():
            return True
        if (known := self._known(channel)) is not None:
            return may_read(known)
        try:
            return (await Looker(self._rest).look_at(channel)).may_read
        except DiscordError as error:
            if error.kind is DeliveryFailure.FORBIDDEN:
                return False
            raise

    def is_forum(self, channel: str) -> bool:
        """Tell whether a channel is a forum, as far as the gateway or an earlier refusal told."""
        return channel in self._forums or isinstance(self._known(channel), discord.ForumChannel)

    def remember_forum(self, channel: str) -> None:
        """Keep in mind that a channel takes posts, and no messages."""
        self._forums.add(channel)

    async def look_at(self, channel: str) -> str | None:
        """Return why paperboy cannot post in a server's channel, and how to mend it; None when it can.

        Raises:
            DeliveryError: by kind; RETRY when nobody can tell.
        """
        if (known := self._known(channel)) is not None:
            return missing_to_post(known) or None
        try:
            return (await Looker(self._rest).look_at(channel)).missing or None
        except DiscordError as error:
            raise self.explained(error, channel) from None

    def explained(self, error: DiscordError, channel: str) -> DiscordError:
        """Tell a removal apart from a missing permission: both are told by one code, and are mended differently."""
        listener = self.listener
        if (
            error.code != MISSING_ACCESS
            or not channel.isdigit()
            or listener is None
            or not listener.is_ready()
            or self._known(channel)
        ):
            return error
        words = (
            "paperboy was removed from this channel's server, or may not see the channel any more; "
            f"invite it again with {invitation(str(listener.application_id))} or allow it View Channel there."
        )
        return DiscordError(DeliveryFailure.GONE, words, code=error.code)

    async def link(self, channel: str, message: str, *, within: str = "") -> str:
        """Return the address of a message; empty when Discord does not tell soon which server it is in.

        `within` is the forum of a post.
        """
        try:
            server = await asyncio.wait_for(self.server(within or channel), ASK_SECONDS)
        except (DeliveryError, TimeoutError) as error:
            log.info("Discord: the server of a channel is not known: %s", str(error) or "no answer in time")
            return ""
        return f"https://discord.com/channels/{server}/{channel}/{message}" if server else ""

    async def server(self, channel: str) -> str:
        """Return the id of a channel's server, "@me" for direct messages."""
        if channel in self._direct.values():
            return "@me"
        if (known := self._known(channel)) is not None:
            self._servers[channel] = str(known.guild.id)
        if channel not in self._servers:
            shown = await self._rest.call("GET", "/channels/{channel_id}", channel_id=channel)
            self._servers[channel] = str(shown.get("guild_id") or "")
        return self._servers[channel]

    async def stewards(self, address: str) -> Sequence[str]:
        """Return the owner of the server that a channel lies in; nobody for a person, or where it is not known."""
        if address.startswith("discord:@"):
            return ()
        try:
            owner = await self._owner(await self.server(await self.channel(address)))
        except DeliveryError as error:
            log.warning("Discord: nobody is known who runs the server: %s", error)
            return ()
        return (f"discord:@{owner}",) if owner else ()

    async def _owner(self, server: str) -> Any:
        if not server.isdigit():
            return None
        guild: discord.Guild | None = self.listener.get_guild(int(server)) if self.listener is not None else None
        if guild is not None and guild.owner_id:
            return guild.owner_id
        return (await self._rest.call("GET", "/guilds/{guild_id}", guild_id=server)).get("owner_id")
