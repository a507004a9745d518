"""Joining a server greets once; leaving pauses, and after thirty days nothing is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bots.discord import Discord
from bots.discord.servers import KEPT_FOR
from core.chat.message import Kind, Message, text
from core.digests.subscription import Pause
from tests.fakes import MemoryStore, make_change, make_mark, make_subscription
from tests.servers.discord import (
    ALICE,
    CHANNEL,
    OTHER_CHANNEL,
    READ_SEND_HISTORY,
    SEND,
    TOKEN,
    DiscordServer,
    Fault,
)
from tests.servers.discord_limits import walk

HERE = f"discord:{CHANNEL}"


class Running:
    """A Discord that listens while the block runs, and whose clock can be moved."""

    def __init__(self, server, store):
        self.now = datetime.now(UTC)
        self.discord = Discord(
            TOKEN,
            store=store,
            api_url=server.api_url,
            gateway_url=server.gateway_url,
            delays=(0.01, 0.02),
            clock=lambda: self.now,
        )

    async def __aenter__(self):
        self.listening = asyncio.create_task(self.discord.listen(say_hello))
        await asyncio.wait_for(self.discord.ready(), 20)
        return self

    async def __aexit__(self, *_):
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.discord.close()

    async def look_after(self):
        await self.discord._servers.round(self.discord._connection.guilds())


async def say_hello(_):
    return Message(Kind.ANSWER, lines=(text("hello"),))


async def until(condition):
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture
async def store():
    kept = MemoryStore()
    await kept.add_subscription(make_subscription("s1", HERE), make_change(address=HERE))
    return kept


def said(server, channel):
    return [
        "\n".join(item.get("content", "") for item in walk(message["components"]))
        for message in server.messages.get(channel, [])
    ]


async def answered(server):
    await (await server.slash("help")).answered()


async def test_a_server_that_invites_paperboy_is_greeted_once_with_how_to_begin(server):
    server.in_guild = False
    store = MemoryStore()
    async with Running(server, store):
        await server.add_bot()

        async def greeted():
            return said(server, CHANNEL)

        await until(greeted)
    async with Running(server, store) as running:
        await running.look_after()
        await answered(server)
    (greeting,) = said(server, CHANNEL) + said(server, OTHER_CHANNEL)
    assert "/papers subscribe" in greeting
    asked = await server_click_opens_the_form(server, store)
    assert asked.modal["title"] == "Have papers delivered here"


async def server_click_opens_the_form(server, store):
    async with Running(server, store):
        asked = await server.click(server.messages[CHANNEL][0], "Subscribe…")
        return await asked.until(lambda asked: asked.modal)


async def test_a_server_where_paperboy_has_long_been_is_not_greeted(server):
    async with Running(server, MemoryStore()) as running:
        await running.look_after()
        await answered(server)
    assert server.messages == {}


async def test_where_no_channel_is_open_the_owner_is_greeted(server):
    server.in_guild = False
    server.everyone = READ_SEND_HISTORY & ~SEND
    async with Running(server, MemoryStore()):
        await server.add_bot()

        async def greeted():
            return ALICE in server.direct and said(server, server.direct[ALICE])

        await until(greeted)
    assert said(server, CHANNEL) == []


async def test_a_channel_that_refuses_the_greeting_is_passed_over(server):
    server.in_guild = False
    server.faults = [
        Fault(f"POST /channels/{CHANNEL}/messages", status=403, body={"code": 50013, "message": "Missing Permissions"})
    ]
    async with Running(server, MemoryStore()):
        await server.add_bot()

        async def greeted():
            return said(server, OTHER_CHANNEL)

        await until(greeted)
    assert said(server, CHANNEL) == []


async def test_leaving_pauses_and_forgets_after_thirty_days_and_not_before(server, store):
    elsewhere = await store.add_subscription(make_subscription("s2", f"discord:@{ALICE}"), make_change())
    await store.mark(make_mark(person=f"discord:@{ALICE}", place=HERE))
    async with Running(server, store) as running:
        await running.look_after()
        await server.remove_bot()

        async def paused():
            (kept,) = await store.subscriptions(HERE)
            return kept.pause is not None

        await until(paused)
        (kept,) = await store.subscriptions(HERE)
        assert not kept.pause.by_hand
        assert "removed from the server" in kept.pause.reason
        assert "removed from the server" in (await store.changes(HERE))[0].what
        running.now += KEPT_FOR - timedelta(minutes=1)
        await running.look_after()
        assert await store.subscriptions(HERE)
        running.now += timedelta(minutes=2)
        await running.look_after()
    assert await store.subscriptions() == [elsewhere]
    assert (await store.marks(place=HERE), await store.changes(HERE)) == ([], [])


async def test_a_server_that_was_left_while_nobody_listened_is_noticed(server, store):
    async with Running(server, store) as running:
        await running.look_after()
    server.in_guild = False
    async with Running(server, store) as running:
        await running.look_after()
        (kept,) = await store.subscriptions(HERE)
        assert kept.pause is not None
        running.now += KEPT_FOR
        await running.look_after()
    assert await store.subscriptions() == []


async def test_a_server_that_invites_paperboy_back_loses_nothing(server, store):
    async with Running(server, store) as running:
        await running.look_after()
        await server.remove_bot()

        async def paused():
            (kept,) = await store.subscriptions(HERE)
            return kept.pause is not None

        await until(paused)
        await server.add_bot()

        async def greeted():
            return said(server, CHANNEL)

        await until(greeted)
        running.now += KEPT_FOR * 2
        await running.look_after()
        assert await running.discord.reachable(HERE) is None
    assert await store.subscriptions(HERE)


async def test_a_pause_by_hand_stays_one(server, store):
    (kept,) = await store.subscriptions(HERE)
    by_hand = replace(kept, pause=Pause("by request", kept.created_at))
    await store.replace_subscription(by_hand, make_change())
    async with Running(server, store) as running:
        await running.look_after()
    server.in_guild = False
    async with Running(server, store) as running:
        await running.look_after()
    assert await store.subscriptions(HERE) == [by_hand]
