"""EDGE. Being connected to Discord: begun, kept, begun anew, ended; and commands told to Discord where they changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import discord

from bots.discord.completions import Completions
from bots.discord.division import Division
from bots.discord.listener import Listener
from bots.discord.registration import same_commands
from bots.discord.replies import Replies
from bots.discord.rest import Rest
from bots.discord.servers import Servers
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.shares import Share

log = logging.getLogger(__name__)

_LAST_ANSWERS = 5.0  # seconds that answers under way get at the end
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what comes in.

    Attributes:
        replies: answers interactions.
        completions: what is offered while an option is typed.
        servers: told which servers paperboy joins and leaves.
    """

    replies: Replies
    completions: Completions
    servers: Servers


class Connection:
    """One connection to Discord after the other, as long as paperboy runs.

    Args:
        rest: for what is asked before connecting.
        token: the bot's.
        gateway_url: where the gateway is; empty means where Discord says.
        first_pause: seconds before a failed start is tried again; they double from one try to the next.
        division: which of Discord's shards are this process's.
        began: told of each Listener that is made.
    """

    def __init__(
        self,
        rest: Rest,
        token: str,
        *,
        gateway_url: str,
        first_pause: float,
        division: Division,
        began: Callable[[Listener], None],
    ) -> None:
        self._division = division
        self._rest = rest
        self._token = token
        self._gateway_url = gateway_url
        self._first_pause = first_pause
        self._began = began
        self._listener: Listener | None = None
        self._replies: Replies | None = None
        self._connected = asyncio.Event()
        self._closing = False
        self._pauses = 0

    async def keep(self, ears: Ears) -> None:
        """Stay connected until cancelled; an unreachable Discord is tried again and again.

        Raises:
            DeliveryError: REVOKED when the token is not accepted.
        """
        self._replies = ears.replies
        while not self._closing:
            try:
                await self._keep_for_now(ears)
                reason = "Discord ended the connection."
            except StoreError as error:
                reason = f"which shards are ours is not known: {error}"
            except DeliveryError as error:
                if error.kind is DeliveryFailure.REVOKED:
                    raise
                reason = str(error)
            await self._pause(reason)

    async def _pause(self, reason: object) -> None:
        """Say what went wrong, and wait before the next try."""
        pause = min(self._first_pause * 2**self._pauses, _LONGEST_PAUSE)
        self._pauses += 1
        log.warning("Discord: %s Trying again in %.0f s.", reason, pause)
        await asyncio.sleep(pause)

    async def _keep_for_now(self, ears: Ears) -> None:
        """Be connected for this process's share of Discord's shards, whatever becomes of it, until Discord ends it."""
        total = self._division.total or int((await self._rest.call("GET", "/gateway/bot")).get("shards") or 1)
        if self._division.is_shared:
            self._connected.set()  # others may be connected, and posting needs no connection
        async with self._division.joined(total) as member:
            while True:
                async with member.share() as share:
                    self._listener = self._new_listener(ears, share)
                    self._began(self._listener)
                    await self._register(self._listener)
                    if not await self._run_until(share.changed, self._listener):
                        return
                log.info("Discord: the shards are divided anew")

    async def _run_until(self, changed: asyncio.Event, listener: Listener) -> bool:
        """Be connected until Discord ends it, or until the share changes, which is told."""
        running = asyncio.create_task(listener.run_once(self._token))
        waiting = asyncio.create_task(changed.wait())
        try:
            await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            return not running.done()
        finally:
            for task in (running, waiting):
                task.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)

    def _new_listener(self, ears: Ears, share: Share) -> Listener:
        return Listener(
            ears.replies,
            completions=ears.completions,
            servers=ears.servers,
            on_connect=self._is_connected,
            gateway_url=self._gateway_url,
            shards=share.total,
            numbers=share.numbers,
            trace=self._rest.invalid.trace,
        )

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

    async def stand_by(self) -> None:
        """Make sure of the token, and leave the gateway to others until cancelled.

        Raises:
            DeliveryError: REVOKED when the token is not accepted.
        """
        while True:
            try:
                await self._rest.call("GET", "/applications/@me")
            except DeliveryError as error:
                if error.kind is DeliveryFailure.REVOKED:
                    raise
                await self._pause(error)
            else:
                break
        self._connected.set()
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """Return once the gateway was connected, or others see to that."""
        await self._connected.wait()

    def is_ours(self, server: int) -> bool:
        """Whether this process is told of a server."""
        return self._listener is not None and self._listener.knows_of(server)

    def guilds(self) -> Sequence[discord.Guild] | None:
        """Return the servers that paperboy is in; None while nobody knows."""
        listener = self._listener
        return listener.guilds if listener is not None and listener.is_ready() and not listener.is_closed() else None

    async def close(self) -> None:
        """Disconnect, after answers under way got a moment to arrive."""
        self._closing = True
        if self._replies is not None:
            await self._replies.settle(_LAST_ANSWERS)
        if self._listener is not None and not self._listener.is_closed():
            with suppress(discord.DiscordException, OSError):
                await self._listener.close()
