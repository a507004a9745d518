"""Every way to lose a place, on Slack and on Discord: what the courier makes of it, and what people read.

What is written here is what stands in `/papers list`, in the word to whoever subscribed, and in the log.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from bots.discord import Discord
from core.chat.message import Card, Kind, Message, plain
from core.chat.render import subscription_line
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import write_message
from core.errors import DeliveryError
from core.store import State
from tests.fakes import MemoryStore, make_change, make_delivery, make_subscription
from tests.servers import discord as d
from tests.servers import slack as s
from tests.slacks import slack_at

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LETTER = Message(Kind.DIGEST, heading="Papers", cards=(Card("2611.00001", "One"),))
CHANNEL, PERSON = f"slack:T1/{s.MEMBER}", f"slack:T1/{s.ALICE}"
DISCORD_CHANNEL, DISCORD_PERSON = f"discord:{d.CHANNEL}", f"discord:@{d.BOB}"


async def answer(_):
    return LETTER


@asynccontextmanager
async def listening(platform):
    task = asyncio.create_task(platform.listen(answer))
    try:
        await asyncio.wait_for(platform.ready(), 20)
        yield platform
    finally:
        await platform.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def slack():
    waits = s.Waits()
    async with s.SlackServer() as server:
        platform = slack_at(server.api_url, clock=waits.clock, sleep=waits)
        async with listening(platform):
            yield server, platform


@pytest.fixture
async def discord():
    async with d.DiscordServer() as server:
        platform = Discord(
            d.TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,)
        )
        async with listening(platform):
            yield server, platform


async def carry(platform, address):
    """Let a courier carry one digest; returns what became of it and of its subscription."""
    store = MemoryStore()
    await store.add_subscription(make_subscription("s1", address), make_change(address=address))
    fields = {"address": address, "message": write_message(LETTER), "due_at": NOON, "composed_at": NOON}
    await store.enqueue(make_delivery("s1", NOON.date(), changed_at=NOON, **fields))
    courier = Courier(Carrier(store=store, platforms={platform.name: platform}, clock=lambda: NOON, jitter=lambda: 1.0))
    await courier.drain()
    await courier.settled()
    return await store.delivery("s1", NOON.date()), await store.subscription("s1")


async def read_by_people(platform, address):
    """Return the sentence in the list of subscriptions, once the digest of the day is given up."""
    delivery, subscription = await carry(platform, address)
    assert delivery.state is State.DEAD
    shown = plain(subscription_line(subscription, None)).partition("paused: ")[2]
    assert delivery.note == subscription.pause.reason == shown
    assert not subscription.pause.by_hand
    return shown


def archive(server):
    server.channels[s.MEMBER].archived = True


def delete(server):
    del server.channels[s.MEMBER]


def leave(server):
    server.channels[s.MEMBER].member = False


def refuse(code):
    def change(server):
        server.channels[s.MEMBER].refuses = code

    return change


def take_no_more(code):
    def change(server):
        server.unable[s.ALICE] = code

    return change


def switch_messages_off(server):
    server.channels["D1ALICE"] = s.Channel(refuses="messages_tab_disabled")


@pytest.mark.parametrize(
    ("change", "address", "sentence"),
    [
        (
            archive,
            CHANNEL,
            "The Slack channel is archived; unarchive it, or subscribe in another one. (is_archived)",
        ),
        (
            delete,
            CHANNEL,
            (
                "paperboy sees no such channel: if it is private, type /invite @paperboy there; if deleted, subscribe "
                "another. (channel_not_found)"
            ),
        ),
        (leave, CHANNEL, "paperboy is not in this Slack channel; type /invite @paperboy there. (not_in_channel)"),
        (
            refuse("restricted_action"),
            CHANNEL,
            "The workspace's settings keep paperboy from posting here; an admin can allow it. (restricted_action)",
        ),
        (
            refuse("restricted_action_read_only_channel"),
            CHANNEL,
            "This Slack channel is read-only; an admin can let paperboy post. (restricted_action_read_only_channel)",
        ),
        (
            take_no_more("user_disabled"),
            PERSON,
            "The Slack account of this person is switched off; an admin can switch it on again. (user_disabled)",
        ),
        (
            take_no_more("cannot_dm_bot"),
            PERSON,
            "Slack lets a bot not write to another bot; subscribe as a person, or in a channel. (cannot_dm_bot)",
        ),
        (
            switch_messages_off,
            PERSON,
            'The app takes no direct messages; switch "Messages Tab" on under "App Home". (messages_tab_disabled)',
        ),
    ],
)
async def test_a_lost_place_on_slack_pauses_with_the_way_to_mend_it(slack, change, address, sentence):
    server, platform = slack
    change(server)
    assert await read_by_people(platform, address) == sentence
    assert await platform.reachable(address) is not None


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("token_revoked", "SLACK_BOT_TOKEN was revoked; install the app again and set the new one. (token_revoked)"),
        (
            "account_inactive",
            (
                "SLACK_BOT_TOKEN belongs to a removed app or workspace; install the app again and set the new one. "
                "(account_inactive)"
            ),
        ),
        (
            "team_disabled",
            (
                "SLACK_BOT_TOKEN belongs to a workspace that was switched off; install the app in another one. "
                "(team_disabled)"
            ),
        ),
    ],
)
async def test_a_token_that_slack_takes_no_more_pauses_with_the_way_to_mend_it(slack, code, sentence):
    server, platform = slack
    server.refused_tokens[s.BOT_TOKEN] = code
    assert await read_by_people(platform, CHANNEL) == sentence
    assert await platform.reachable(CHANNEL) == sentence


async def lose_channel(server):
    await server.delete_channel(d.CHANNEL)


async def lose_server(server):
    await server.remove_bot()


async def lose_view(server):
    await server.allow(0)


async def lose_sending(server):
    await server.allow(d.VIEW)


async def close_messages(server):
    server.closed_dms.add(d.BOB)


async def leave_every_shared_server(server):
    server.direct[d.BOB] = "802"
    server.access["802"] = (403, 50278)


async def is_reachable(platform, address):
    try:
        return await platform.reachable(address) is None
    except DeliveryError:
        return False


def knows(server, platform):
    """Whether the gateway's news has arrived."""
    place = platform._connection._listener.get_channel(int(d.CHANNEL))
    if d.CHANNEL in server.access:
        return place is None
    return place.permissions_for(place.guild.me).value & server.everyone == server.everyone and (
        place.permissions_for(place.guild.me).send_messages == bool(server.everyone & d.SEND)
    )


@pytest.mark.parametrize(
    ("change", "address", "sentence"),
    [
        (lose_channel, DISCORD_CHANNEL, "The channel does not exist any more; subscribe in another one."),
        (
            lose_server,
            DISCORD_CHANNEL,
            (
                "paperboy was removed from this channel's server, or may not see the channel any more; invite it again "
                "with https://discord.com/oauth2/authorize?client_id=101&scope=bot+applications.commands&permissions="
                "274877975552 or allow it View Channel there."
            ),
        ),
        (
            lose_view,
            DISCORD_CHANNEL,
            (
                "paperboy cannot see this channel; allow it View Channel and Send Messages there "
                "(channel settings, Permissions, add paperboy)."
            ),
        ),
        (
            lose_sending,
            DISCORD_CHANNEL,
            (
                "paperboy may not post in this channel; allow it Send Messages there "
                "(channel settings, Permissions, add paperboy)."
            ),
        ),
        (
            close_messages,
            DISCORD_PERSON,
            (
                "This person takes no direct messages from paperboy; a server that both are in has a privacy setting "
                "for it."
            ),
        ),
        (
            leave_every_shared_server,
            DISCORD_PERSON,
            "This person shares no server with paperboy any more; direct messages need one in common.",
        ),
    ],
)
async def test_a_lost_place_on_discord_pauses_with_the_way_to_mend_it(discord, change, address, sentence):
    server, platform = discord
    await change(server)
    async with asyncio.timeout(20):
        while not knows(server, platform):
            await asyncio.sleep(0.005)
    assert await read_by_people(platform, address) == sentence
    assert await platform.reachable(address) is not None


async def test_a_token_that_discord_takes_no_more_pauses_with_the_way_to_mend_it(discord):
    server, platform = discord
    server.valid_token = "another"
    assert await read_by_people(platform, DISCORD_CHANNEL) == (
        "Discord does not accept DISCORD_TOKEN; make a new one in the developer portal (Bot, Reset Token), "
        "set it and start paperboy again."
    )


@pytest.mark.parametrize(
    ("lose", "mend"),
    [
        (archive, lambda server: setattr(server.channels[s.MEMBER], "archived", False)),
        (leave, lambda server: setattr(server.channels[s.MEMBER], "member", True)),
        (delete, lambda server: server.channels.update({s.MEMBER: s.Channel()})),
    ],
)
async def test_a_place_on_slack_is_reachable_again_as_soon_as_it_is_mended(slack, lose, mend):
    server, platform = slack
    lose(server)
    await read_by_people(platform, CHANNEL)
    mend(server)
    assert await platform.reachable(CHANNEL) is None
    delivery, _ = await carry(platform, CHANNEL)
    assert delivery.state is State.SENT
    assert delivery.note.startswith("https://test.example/archives/")


@pytest.mark.parametrize(
    ("lose", "mend"),
    [
        (lose_sending, lambda server: server.allow(d.READ_SEND_HISTORY)),
        (lose_view, lambda server: server.allow(d.READ_SEND_HISTORY)),
        (lose_server, lambda server: server.add_bot()),
    ],
)
async def test_a_place_on_discord_is_reachable_again_as_soon_as_it_is_mended(discord, lose, mend):
    server, platform = discord
    await lose(server)
    await read_by_people(platform, DISCORD_CHANNEL)
    await mend(server)
    async with asyncio.timeout(20):
        while not await is_reachable(platform, DISCORD_CHANNEL):
            await asyncio.sleep(0.005)
    delivery, _ = await carry(platform, DISCORD_CHANNEL)
    assert delivery.state is State.SENT
    assert delivery.note == f"https://discord.com/channels/{d.GUILD}/{d.CHANNEL}/{delivery.parts[0]}"
