"""EDGE. Discord as a Platform: connection, deliveries, and what we may do where.

Addresses are `discord:CHANNEL_ID` and, for a person's direct messages, `discord:@USER_ID`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Self
from uuid import uuid4

import discord
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from bots.discord import doctor
from bots.discord.completions import Completions
from bots.discord.connection import Connection, Ears
from bots.discord.dialogs import Dialogs
from bots.discord.division import Division
from bots.discord.erasing import Erasing
from bots.discord.failures import SHOWN, DiscordError
from bots.discord.forms import Fields, new_fields
from bots.discord.forums import NO_TEXT, Forums
from bots.discord.invalid import MOST_INVALID, InvalidRequests
from bots.discord.listener import Listener, quieten
from bots.discord.marks import parts_among
from bots.discord.payload import payloads
from bots.discord.permissions import invitation
from bots.discord.places import Places
from bots.discord.posts import Posts
from bots.discord.replies import Replies
from bots.discord.rest import DELAYS, Rest, point_at
from bots.discord.servers import Servers, care_for
from bots.house import House
from bots.refusals import Refusals
from bots.state import database_of
from core.chat.commands import Request
from core.chat.message import Message
from core.clock import Clock, system_clock
from core.delivery.platform import Answer, Ear, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure
from core.settings import Settings
from core.shares import Shares
from core.store import Store

log = logging.getLogger(__name__)

WHOLE = Division()
DEFAULTS = Fields(when="08:00", timezone="UTC", days="weekdays", size="5")
_PERSON = "discord:@"
_MOST_LOOKED_AT = 50
_CARE_EVERY = 3600.0  # seconds
_SKEW = timedelta(minutes=1)


class Discord:
    """Discord, by gateway and REST.

    Args:
        token: the bot's.
        store: what forms show, and which servers were greeted.
        api_url: of the REST API; empty means Discord's own.
        gateway_url: of the gateway; empty means Discord's own.
        delays: seconds before each repetition of a call, and of a failed start, whose pauses go on doubling.
        most_invalid: refusals in ten minutes from which on nothing is sent; see `bots.discord.invalid`.
        defaults: what the form of a new subscription shows.
        division: which of Discord's shards are this process's.
        clock: where the time comes from.
    """

    name = "discord"
    can_edit = True
    ear = Ear.CONNECTION

    def __init__(  # noqa: PLR0913 - each has its default, and `from_settings` is what most call
        self,
        token: str,
        *,
        store: Store,
        api_url: str = "",
        gateway_url: str = "",
        delays: Sequence[float] = DELAYS,
        most_invalid: int = MOST_INVALID,
        defaults: Fields = DEFAULTS,
        division: Division = WHOLE,
        clock: Clock = system_clock,
    ) -> None:
        quieten()
        point_at(api_url, gateway_url)
        self._store = store
        self._rest = Rest(token, delays=delays, invalid=InvalidRequests(most=most_invalid))
        self._places = Places(self._rest)
        self._connection = Connection(
            self._rest,
            token,
            gateway_url=gateway_url,
            first_pause=delays[0],
            division=division,
            began=self._places.follow,
        )
        self._posts = Posts(self._rest)
        self._forums = Forums(self._rest, self._posts)
        self._servers = Servers(store=store, clock=clock, tell=self._tell)
        self._dialogs = Dialogs(rest=self._rest, store=store, defaults=defaults)
        self._refusals = Refusals(time.monotonic)

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether the token is set."""
        return settings.secrets.discord_token is not None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock, store: Store) -> Self:
        """Make it of the settings; `DISCORD_TOKEN` has to be set."""
        token = settings.secrets.discord_token
        assert token is not None
        digest = settings.digest
        return cls(
            token.get_secret_value(),
            store=store,
            api_url=settings.discord.api_url,
            gateway_url=settings.discord.gateway_url,
            defaults=new_fields(digest),
            division=Division(settings.discord.shards, shares_of(store)),
            clock=clock,
        )

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message as bodies of Discord messages; see `bots.discord.payload`."""
        return payloads(message)

    async def listen(self, answer: Answer) -> None:
        """Answer what people ask until cancelled; an unreachable Discord is tried again and again.

        Raises:
            DeliveryError: REVOKED when the token is not accepted.
        """

        async def answer_here(request: Request) -> Message:
            self._refusals.forget(request.place)
            return await answer(request)

        replies = Replies(
            rest=self._rest,
            answer=answer_here,
            render=self.payload,
            dialogs=self._dialogs,
            erasing=Erasing(self._store, self._servers.erase),
            elsewhere=self._post_elsewhere,
        )
        care = asyncio.create_task(self._care())
        try:
            await self._connection.keep(Ears(replies, Completions(store=self._store, answer=answer), self._servers))
        finally:
            care.cancel()

    async def _care(self) -> None:
        await self.ready()
        await care_for(self._servers, self._connection.guilds, self._connection.is_ours, _CARE_EVERY)

    async def _tell(self, address: str, message: Message, key: str) -> Receipt:
        return await self.deliver(address, message, key=key)

    async def _post_elsewhere(self, address: str, bodies: Sequence[Payload]) -> None:
        await self._posts.send(await self._places.channel(address), bodies, key=uuid4().hex, done=(), sent=None)

    async def stand_by(self) -> None:
        """Make sure of the token, then deliver over REST alone.

        Raises:
            DeliveryError: REVOKED when the token is not accepted.
        """
        await self._connection.stand_by()

    async def ready(self) -> None:
        """Return once the gateway was connected."""
        await self._connection.ready()

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Post a message; see `core.delivery.platform.Platform.deliver`."""
        async with self._noting(address):
            channel = await self._places.channel(address)
            bodies = self.payload(message)
            if not self._places.is_forum(channel):
                try:
                    parts = await self._posts.send(channel, bodies, key=key, done=done, sent=sent)
                    return Receipt(parts, await self._places.link(channel, parts[0]))
                except DiscordError as error:
                    if error.code != NO_TEXT:
                        raise
                    self._places.remember_forum(channel)
            parts = await self._forums.send(channel, message, bodies, key=key, done=done, sent=sent)
        return Receipt(parts, await self._places.link(parts[0], parts[0], within=channel))

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery; further parts go below it, surplus ones become "…".

        Raises:
            DeliveryError: as `deliver`; REJECTED when a part is not there any more, or when nobody can see whether
                the further ones are there already.
        """
        async with self._noting(address):
            forum = channel = await self._places.channel(address)
            if parts and self._places.is_forum(forum):
                channel = parts[0]
            may_look = await self._places.may_read(channel)
            names = await self._posts.change(channel, self.payload(message), key=key, parts=parts, may_look=may_look)
        return Receipt(names, await self._places.link(channel, names[0], within=forum))

    @asynccontextmanager
    async def _noting(self, address: str) -> AsyncIterator[None]:
        """Ask no place again that refused, until it looks open or somebody there asks paperboy for something."""
        self._refuse_again(address)
        try:
            yield
        except DiscordError as error:
            failure = self._places.explained(error, address.removeprefix("discord:"))
            if failure.kind in {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN}:
                self._refusals.remember(address, failure)
            raise failure from error
        self._refusals.forget(address)

    def _refuse_again(self, address: str) -> None:
        refusal = self._refusals.recall(address)
        if refusal is None:
            return
        if _is_shown(refusal) and self._places.seems_open(address.removeprefix("discord:")):
            self._refusals.forget(address)
        else:
            raise DeliveryError(refusal.kind, str(refusal))

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for a delivery's parts among our messages; None where we may not read, or there are too many since."""
        channel = await self._places.channel(address)
        if not await self._places.may_read(channel):
            return None
        after = discord.utils.time_snowflake(since - _SKEW)
        if not self._places.is_forum(channel):
            try:
                messages = await self._posts.since(channel, after)
                return None if messages is None else parts_among(messages, key)
            except DiscordError as error:
                if error.code != NO_TEXT:
                    raise
                self._places.remember_forum(channel)
        return await self._forums.find(await self._places.server(channel), channel, key, after)

    async def reachable(self, address: str) -> str | None:
        """Return None when paperboy can post there, else why not and how to mend it.

        Some refusals, as of a person who takes no direct messages, show only in posting: those hold for a day, or until
        somebody there asks paperboy for something.

        Raises:
            DeliveryError: of kind RETRY when nobody can tell.
        """
        try:
            channel = await self._places.channel(address)
            why = None if address.startswith(_PERSON) else await self._places.look_at(channel)
        except DeliveryError as error:
            if error.kind in {DeliveryFailure.RETRY, DeliveryFailure.UNKNOWN}:
                raise DeliveryError(DeliveryFailure.RETRY, str(error), retry_after=error.retry_after) from error
            return str(error)
        refusal = self._refusals.recall(address)
        if why is None and refusal is not None and not _is_shown(refusal):
            return str(refusal)
        if why is None:
            self._refusals.forget(address)
        return why

    async def stewards(self, address: str) -> Sequence[str]:
        """Return the owner of the server that a channel lies in."""
        return await self._places.stewards(address)

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check token, application, commands, gateway and servers; see `bots.discord.doctor`."""
        addresses = dict.fromkeys(item.address for item in await self._store.subscriptions())
        places = [address.removeprefix("discord:") for address in addresses if address.startswith("discord:")]
        channels = [place for place in places if place.isdigit()][:_MOST_LOOKED_AT]
        return await doctor.check(self._rest, Listener().commands(), channels)

    def routes(self, house: House) -> Sequence[BaseRoute]:
        """Return the address behind "Add to Discord" on the page, where the settings name the application."""
        if not (application := house.settings.discord.application_id):
            return ()

        async def install(_request: HttpRequest) -> RedirectResponse:
            return RedirectResponse(invitation(application), status_code=303)

        return (Route("/discord/install", install, methods=["GET"]),)

    async def close(self) -> None:
        """Disconnect, after answers under way got a moment to arrive."""
        await self._connection.close()
        await self._rest.close()


def _is_shown(refusal: DeliveryError) -> bool:
    return isinstance(refusal, DiscordError) and refusal.code in SHOWN


def shares_of(store: Store) -> Shares | None:
    """Return what divides shards among the processes that share a store; None where one process owns it."""
    database = database_of(store)
    return None if database is None else Shares(database.url, "discord shard")
