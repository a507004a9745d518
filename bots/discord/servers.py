"""Servers that paperboy joins and leaves: one greeting, a pause, and in the end nothing kept.

joined ──> greeted once, where somebody may see it
removed ──> its subscriptions are paused ──┬─ back: they go on
└─ not back in 30 days: all about its channels is forgotten
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import discord
import msgspec

from bots.discord.dialogs import NEW
from bots.discord.permissions import missing_to_post
from core.chat.message import Kind, Message, Span, text
from core.clock import Clock
from core.digests.subscription import Pause
from core.errors import DeliveryError, DeliveryFailure, StoreError, log_level
from core.store import Change, Store

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=30)
_NEW_FOR = timedelta(days=1)
_MOST_TRIES = 3
_FACT = "discord servers"
_REMOVED = "paperboy was removed from the server; invite it again, and this goes on."

GREETING = Message(
    Kind.ANSWER,
    heading="paperboy brings the day's research papers",
    lines=(
        text(
            "Once a day it posts the few new papers that matter to a channel, each with the reason why it is there. "
            "Whoever may manage a channel begins there with ",
            Span("/papers subscribe", code=True),
            ", or here with the button below; a direct message with it works for oneself.",
        ),
        text(Span("/papers search", code=True), " finds papers, ", Span("/papers help", code=True), " shows the rest."),
    ),
    buttons=(NEW,),
)


@dataclass(frozen=True, slots=True)
class _Known:
    """A server that paperboy is in, or was.

    Attributes:
        left: since when it is not in it any more.
        places: addresses there about which something may be kept.
    """

    left: datetime | None = None
    places: tuple[str, ...] = field(default=())


class Servers:
    """Keeps in the store which servers there are.

    Args:
        store: where that and everything about their channels is kept.
        clock: where the time comes from.
        tell: posts a message at an address, under a key; raises DeliveryError.
    """

    def __init__(self, *, store: Store, clock: Clock, tell: Callable[[str, Message, str], Awaitable[object]]) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._lock = asyncio.Lock()

    async def seen(self, guild: discord.Guild) -> None:
        """Greet a server that paperboy has just joined; what was paused when it left goes on by itself."""
        name, now = str(guild.id), self._clock()
        async with self._lock:
            known = await self._read()
            before = known.get(name)
            if before is not None and before.left is None:
                return
            # Kept first: no greeting is better than one at each start.
            await self._write({**known, name: _Known()})
        joined = guild.me.joined_at
        if before is not None or (joined is not None and now - joined < _NEW_FOR):
            await self._greet(guild, f"greeting/{name}/{now:%Y-%m-%dT%H:%M}")

    async def _greet(self, guild: discord.Guild, key: str) -> None:
        for address in _where_to_greet(guild):
            try:
                await self._tell(address, GREETING, key)
            except DeliveryError as error:
                log.info("Discord: no greeting at %s: %s", address, error)
                if error.kind is not DeliveryFailure.UNKNOWN:
                    continue
            return

    async def left(self, guild: discord.Guild) -> None:
        """Pause what the channels of a server receive, and begin to count the days until it is forgotten."""
        async with self._lock:
            known = await self._read()
            before = known.get(str(guild.id), _Known())
            await self._leave(known, str(guild.id), {*before.places, *_all_places(guild)})
        log.info("Discord: removed from a server; its subscriptions are paused")

    async def _leave(self, known: dict[str, _Known], name: str, places: Iterable[str]) -> None:
        now = self._clock()
        here = frozenset(places)
        await self._write({**known, name: _Known(now, tuple(sorted(here)))})
        for item in await self._store.subscriptions():
            if item.address in here and item.pause is None:
                paused = replace(item, pause=Pause(_REMOVED, now, by_hand=False))
                change = Change(now, item.address, "paperboy", f"paused #{item.number}: removed from the server")
                await self._store.replace_subscription(paused, change)

    async def erase(self, name: str, guild: discord.Guild | None) -> None:
        """Forget at once all that is kept about the channels of a server, given its id; paperboy may stay in it.

        Raises:
            StoreError: not all of it is forgotten.
        """
        async with self._lock:
            known = await self._read()
            for address in sorted({*known.get(name, _Known()).places, *_all_places(guild)}):
                await self._store.forget(address)
            known.pop(name, None)
            await self._write(known if guild is None else {**known, name: _Known()})

    async def round(self, guilds: Iterable[discord.Guild]) -> None:
        """Notice servers that were left while nobody listened, and forget those that were left long ago.

        Raises:
            StoreError: what is kept cannot be read or changed.
        """
        here = {str(guild.id): guild for guild in guilds}
        async with self._lock:
            known = await self._read()
            used = {item.address for item in await self._store.subscriptions()}
            used |= {mark.place for mark in await self._store.marks()}
            for name, guild in here.items():
                if not guild.unavailable:
                    # A thread that was archived meanwhile is none that the gateway tells of, and still one of them.
                    before = used.intersection(known.get(name, _Known()).places)
                    known[name] = _Known(places=tuple(sorted({*before, *_places_in(guild, used)})))
            await self._write(known)
            for name in [name for name, item in known.items() if item.left is None and name not in here]:
                await self._leave(known, name, known[name].places)
                known = await self._read()
            await self._forget_old(known)

    async def _forget_old(self, known: dict[str, _Known]) -> None:
        now = self._clock()
        for name, item in list(known.items()):
            if item.left is None or now - item.left < KEPT_FOR:
                continue
            for address in item.places:
                await self._store.forget(address)
            del known[name]
            await self._write(known)
            log.info("Discord: forgot all about a server that was left %d days ago", KEPT_FOR.days)

    async def _read(self) -> dict[str, _Known]:
        kept = await self._store.fact(_FACT)
        return msgspec.json.decode(kept, type=dict[str, _Known]) if kept else {}

    async def _write(self, known: dict[str, _Known]) -> None:
        await self._store.set_fact(_FACT, msgspec.json.encode(known).decode())


def _places_in(guild: discord.Guild, addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        number = address.removeprefix("discord:")
        if number.isascii() and number.isdigit() and guild.get_channel_or_thread(int(number)) is not None:
            yield address


def _all_places(guild: discord.Guild | None) -> Iterator[str]:
    for place in (*guild.channels, *guild.threads) if guild is not None else ():
        yield f"discord:{place.id}"


def _where_to_greet(guild: discord.Guild) -> Iterator[str]:
    """Yield addresses: where the server welcomes people, its first channels where paperboy may post, its owner."""
    channels = [guild.system_channel, *sorted(guild.text_channels, key=lambda channel: channel.position)]
    open_ones = [f"discord:{channel.id}" for channel in channels if channel and not missing_to_post(channel)]
    yield from list(dict.fromkeys(open_ones))[:_MOST_TRIES]
    if guild.owner_id:
        yield f"discord:@{guild.owner_id}"


async def care_for(servers: Servers, guilds: Callable[[], Iterable[discord.Guild] | None], every: float) -> None:
    """Take a round now and then, as long as somebody knows which servers there are; ends when it is cancelled."""
    while True:
        if (here := guilds()) is not None:
            try:
                await servers.round(here)
            except StoreError as error:
                log.log(log_level(error), "Discord: servers could not be looked after: %s", error)
        await asyncio.sleep(every)
