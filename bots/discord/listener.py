"""The gateway: as many connections of discord.py as Discord asks for, which hand interactions on; no privileged intent.

A Listener lives as long as its connections do. discord.py resumes them by itself when Discord asks for it or the socket
breaks; what discord.py gives up on ends `run_once`, and whoever runs it starts a new one. (Its own `reconnect=True`
cannot: without any connection yet it fails on a missing socket, and its pauses grow to a quarter of an hour.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import discord
import yarl
from discord import app_commands

from bots.discord.completions import Completions
from bots.discord.failures import NETWORK_ERRORS, explain
from bots.discord.replies import Replies
from bots.discord.servers import Servers
from bots.discord.slash import Desk, Interaction, Make, Papers, about_messages
from core.delivery.platform import Payload
from core.errors import DeliveryError, DeliveryFailure, StoreError

log = logging.getLogger(__name__)

GUILDS_WAIT = 0.1  # seconds without news of a further server until discord.py calls itself ready
BAD_TOKEN = 4004  # close code of the gateway
OUTDATED = "paperboy's commands have just changed; restart Discord or try again in a minute."


class _Tree(app_commands.CommandTree[discord.Client]):
    """Tells people what discord.py itself found wrong, as a command that Discord still shows in an older form."""

    def __init__(self, client: discord.Client, replies: Replies | None) -> None:
        super().__init__(client)
        self._replies = replies

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        """Answer with one sentence what never became a Command; everything later has its answer already."""
        log.warning("Discord: %s", error, exc_info=getattr(error, "original", None))
        if self._replies is not None and not interaction.response.is_done():
            await self._replies.refuse(interaction, OUTDATED)


class Listener(discord.AutoShardedClient):
    """The connections to Discord, one a shard: https://docs.discord.com/developers/events/gateway#sharding .

    Args:
        replies: answers interactions; None for a client that never connects and only knows its commands.
        completions: what is offered while an option is typed.
        servers: told which servers paperboy joins and leaves.
        on_connect: called each time that a connection is up.
        gateway_url: where to resume instead of where Discord says; empty means as Discord says.
        numbers: which of the connections are this process's; None for all.
        shards: over how many connections Discord spreads our servers. discord.py would ask by itself, but then connect
            where the answer says, past an address that was set.
        trace: sees every call to the REST API.
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        replies: Replies | None = None,
        *,
        completions: Completions | None = None,
        servers: Servers | None = None,
        on_connect: Callable[[], object] = bool,
        gateway_url: str = "",
        shards: int = 1,
        numbers: Sequence[int] | None = None,
        trace: aiohttp.TraceConfig | None = None,
    ) -> None:
        # paperboy has no voice; discord.py would warn about missing libraries for it.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        intents = discord.Intents.none()
        intents.guilds = True
        super().__init__(
            intents=intents,
            shard_count=shards,
            shard_ids=list(range(shards)) if numbers is None else list(numbers),
            max_messages=None,
            guild_ready_timeout=GUILDS_WAIT,
            http_trace=trace or aiohttp.TraceConfig(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._replies = replies
        self._completions = completions
        self._servers = servers
        self._on_connect = on_connect
        self._gateway_url = gateway_url
        self._was_connecting = False
        self._tree = _Tree(self, replies)
        desk = Desk(self._respond, self._open_form, self._papers, self._numbers)
        self._tree.add_command(Papers(desk))
        for menu in about_messages(desk):
            self._tree.add_command(menu)

    def commands(self) -> list[Payload]:
        """Return our commands in the words of the API."""
        return [dict(command.to_dict(self._tree)) for command in self._tree.get_commands()]

    async def _respond(self, interaction: Interaction, make: Make) -> None:
        if self._replies is not None:
            await self._replies.respond(interaction, make)

    async def _open_form(self, interaction: Interaction, value: str) -> None:
        if self._replies is not None:
            await self._replies.open_form(interaction, value)

    async def _papers(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [] if self._completions is None else await self._completions.papers(interaction, typed)

    async def _numbers(self, interaction: Interaction, typed: str) -> list[tuple[str, int]]:
        return [] if self._completions is None else await self._completions.numbers(interaction, typed)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Drop what comes after the end: discord.py calls itself ready a moment later than it let go of its loop."""
        if self.loop is not discord.utils.MISSING:
            super().dispatch(event, *args, **kwargs)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Answer buttons and forms; commands reach the tree without us."""
        if self._replies is None:
            return
        if interaction.type is discord.InteractionType.component:
            await self._replies.press(interaction)
        elif interaction.type is discord.InteractionType.modal_submit:
            await self._replies.submit(interaction)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Greet."""
        await self._keep(guild, joined=True)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Greet as well where Discord told of it before it was whole."""
        await self._keep(guild, joined=True)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Pause what the server receives."""
        await self._keep(guild, joined=False)

    async def _keep(self, guild: discord.Guild, *, joined: bool) -> None:
        if self._servers is None:
            return
        try:
            await (self._servers.seen(guild) if joined else self._servers.left(guild))
        except StoreError as error:
            log.error("Discord: a server that was joined or left could not be kept: %s", error)

    def knows_of(self, server: int) -> bool:
        """Whether one of our connections is told of a server; see the link above."""
        count = self.shard_count or 1
        return self.shard_ids is None or (server >> 22) % count in self.shard_ids

    async def on_shard_ready(self, shard: int) -> None:
        """Stay with the address that was set: READY names Discord's own one for resuming."""
        if self._gateway_url:
            self._get_websocket(shard_id=shard).gateway = yarl.URL(self._gateway_url)

    async def on_ready(self) -> None:
        """Say that we are connected."""
        connections = f", over {self.shard_count} connections" if (self.shard_count or 1) > 1 else ""
        log.info("Discord: connected as %s, in %d server(s)%s", self.user, len(self.guilds), connections)
        self._on_connect()

    async def connect(self, *, reconnect: bool = True) -> None:
        """Connect and listen; see the client of discord.py."""
        self._was_connecting = True
        await super().connect(reconnect=reconnect)

    async def close(self) -> None:
        """Disconnect. A client of discord.py that has not begun to connect stumbles over what it closes."""
        if self._was_connecting:
            await super().close()
        else:
            await self.http.close()

    async def run_once(self, token: str) -> None:
        """Connect and listen until the connection is lost for good, and return.

        Raises:
            DeliveryError: REVOKED when the token is not accepted; otherwise why the connection could not be kept.
        """
        try:
            async with self:
                await self.login(token)
                await self.connect(reconnect=False)
        except discord.ConnectionClosed as error:
            if error.code == BAD_TOKEN:
                raise explain(discord.LoginFailure()) from error
            raise DeliveryError(DeliveryFailure.RETRY, f"Discord closed the connection ({error.code}).") from error
        except (discord.DiscordException, *NETWORK_ERRORS) as error:
            raise explain(error) from error


class _OneLine(logging.Filter):
    """Makes one line of what discord.py logs with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and (error := record.exc_info[1]) is not None:
            record.msg, record.args = f"{record.getMessage()}: {error!r}", ()
            record.exc_info = None
        return True


_ONE_LINE = _OneLine()


def quieten() -> None:
    """Keep discord.py's log to what an operator can use: at DEBUG it prints tokens and whole payloads."""
    logging.getLogger("discord").setLevel(logging.WARNING)
    # Its warnings about rate limits show addresses that hold the tokens of interactions; we log those waits ourselves.
    logging.getLogger("discord.http").setLevel(logging.ERROR)
    for name in ("discord.client", "discord.shard"):
        logging.getLogger(name).addFilter(_ONE_LINE)
