"""Each type of channel that takes messages can be subscribed and gets digests: text, voice, announcements, stage."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bots.discord import Discord
from core.chat import commands as c
from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import MemoryStore, make_change, make_subscription
from tests.servers.discord import (
    CONNECT,
    GUILD,
    OTHER_CHANNEL,
    READ_SEND_HISTORY,
    SEND,
    TOKEN,
    VOICES,
    DiscordServer,
)

HERE = f"discord:{OTHER_CHANNEL}"
KINDS = {"text": 0, "voice": 2, "announcement": 5, "stage": 13}
SHORT = Message(Kind.DIGEST, heading="Papers for grokking", lines=(text("nothing today"),))
LONG = Message(Kind.DIGEST, heading="Papers", cards=tuple(Card(f"2310.{n:05}", f"Paper {n}") for n in range(60)))
ALL = READ_SEND_HISTORY | CONNECT


@pytest.fixture(params=KINDS.values(), ids=KINDS)
async def server(request):
    async with DiscordServer() as running:
        running.other_kind, running.everyone = request.param, ALL
        yield running


@asynccontextmanager
async def connected(server, asked):
    async def answer(request):
        asked.append(request)
        return SHORT

    store = MemoryStore()
    await store.add_subscription(make_subscription("s1", HERE), make_change())
    discord = Discord(TOKEN, store=store, api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,))
    listening = asyncio.create_task(discord.listen(answer))
    await asyncio.wait_for(discord.ready(), 20)
    try:
        yield discord
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await discord.close()


async def test_it_is_subscribed_posted_to_found_and_changed(server):
    asked = []
    async with connected(server, asked) as discord:
        shown = server.text_channel(OTHER_CHANNEL)
        await (await server.slash("subscribe", interests="x", channel=OTHER_CHANNEL, shown=shown)).answered()
        assert (asked[0].command, asked[0].place, asked[0].may_manage) == (c.Subscribe("x"), HERE, True)
        assert await discord.reachable(HERE) is None
        receipt = await discord.deliver(HERE, SHORT, key="k")
        assert receipt.url == f"https://discord.com/channels/{GUILD}/{OTHER_CHANNEL}/{receipt.parts[0]}"
        since = datetime.now(UTC) - timedelta(minutes=5)
        assert await discord.find(HERE, "k", since) == list(receipt.parts)
        changed = await discord.edit(HERE, LONG, key="k", parts=receipt.parts)
        assert [message["id"] for message in server.messages[OTHER_CHANNEL]] == list(changed.parts)
        assert all(well for _, well, _ in await discord.check())


async def test_a_missing_right_is_named_as_it_is_called_there_and_nothing_is_posted(server):
    server.everyone = ALL & ~(CONNECT if server.other_kind in VOICES else SEND)
    named = "Connect" if server.other_kind in VOICES else "Send Messages"
    async with connected(server, []) as discord:
        assert f"allow it {named} there" in await discord.reachable(HERE)
        with pytest.raises(DeliveryError) as caught:
            await discord.deliver(HERE, SHORT, key="k")
        assert caught.value.kind in {DeliveryFailure.FORBIDDEN, DeliveryFailure.GONE}
        found = {what: (well, told) for what, well, told in await discord.check()}
        assert not found["Discord channels"][0]
        assert server.messages == {}
        await server.allow(ALL)
        async with asyncio.timeout(20):
            while await discord.reachable(HERE) is not None:
                await asyncio.sleep(0.01)
        assert await discord.deliver(HERE, SHORT, key="k")
