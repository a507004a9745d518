"""What paperboy may do in a channel, asked of the REST API: for processes that hold no connection to the gateway."""

from __future__ import annotations

from dataclasses import dataclass

import discord

from bots.discord.failures import LOCKED
from bots.discord.rest import Rest
from bots.discord.rights import THREADS, allowed, lacking, reads
from core.delivery.platform import Payload
from core.errors import DeliveryError, DeliveryFailure


@dataclass(frozen=True, slots=True)
class Look:
    """A channel of a server, as Discord shows it.

    Attributes:
        shown: the channel.
        place: the same, or the channel that a thread belongs to.
        may: what paperboy may do in `place`.
    """

    shown: Payload
    place: Payload
    may: discord.Permissions

    @property
    def missing(self) -> str:
        """Why paperboy cannot post there and how to mend it, or nothing."""
        state = self.shown.get("thread_metadata") or {}
        if state.get("archived") and state.get("locked"):
            return LOCKED
        return lacking(self.may, self.shown["type"], str(self.shown.get("name")))

    @property
    def may_read(self) -> bool:
        """Whether paperboy may read what was posted there."""
        return reads(self.may, self.place["type"])


class Looker:
    """Looks at channels, and at each server once."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._servers: dict[str, tuple[Payload, Payload]] = {}

    async def look_at(self, channel: str) -> Look:
        """Look at a channel of a server.

        Raises:
            DeliveryError: by kind; it refused, or nobody can tell at the moment.
        """
        shown = place = await self._rest.call("GET", "/channels/{channel_id}", channel_id=channel)
        if shown.get("type") in THREADS:
            place = await self._rest.call("GET", "/channels/{channel_id}", channel_id=shown["parent_id"])
        server = place.get("guild_id")
        if server is None:
            raise DeliveryError(DeliveryFailure.RETRY, "Discord does not tell which server the channel lies in.")
        guild, member = await self._server(server)
        return Look(shown, place, allowed(guild, member, place))

    async def _server(self, server: str) -> tuple[Payload, Payload]:
        if server not in self._servers:
            guild = await self._rest.call("GET", "/guilds/{guild_id}", guild_id=server)
            path, me = "/guilds/{guild_id}/members/{user_id}", self._rest.me["id"]
            self._servers[server] = (guild, await self._rest.call("GET", path, guild_id=server, user_id=me))
        return self._servers[server]
