"""The real service, killed -9 again and again while 50 channels are due, replies lost on the way: one digest each."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, time, timedelta

import pytest

from core.digests.subscription import DAILY
from core.store import State
from tests.fakes import make_change, make_subscription
from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import Channel, Fault, SlackServer
from tests.servers.sources import SourcesServer
from tests.shells import Shell

CHANNELS = [f"C{number}DUE" for number in range(49)]
KILLS = 5


async def subscribe_everyone(shell):
    """Subscribe 49 channels on Slack and one on Discord to a digest that was due at midnight."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    addresses = [f"slack:{slack_parts.TEAM}/{channel}" for channel in CHANNELS]
    for number, address in enumerate([*addresses, f"discord:{discord_parts.CHANNEL}"]):
        subscription = make_subscription(
            f"kill{number}",
            address,
            interests="grokking",
            at=time(0),
            timezone="UTC",
            days=DAILY,
            created_at=yesterday,
            active_from=yesterday,
        )
        async with shell.house(owner=True) as house:
            await house.store.add_subscription(subscription, make_change("subscribed", address, yesterday))


def digest_parts(slack, discord):
    """Count what stands in the channels, by delivery and part."""
    found = Counter()
    for post in slack.posts:
        payload = post.get("metadata", {}).get("event_payload", {})
        found[payload.get("key"), payload.get("part")] += 1
    found["discord", 0] = len(discord.messages.get(discord_parts.CHANNEL, []))
    return found


async def states(shell):
    async with shell.house() as house:
        latest = await house.store.latest_deliveries([f"kill{number}" for number in range(50)])
        return Counter(delivery.state for delivery in latest.values())


@pytest.mark.timeout(200)
async def test_fifty_channels_get_one_digest_each_though_paperboy_is_killed_five_times_meanwhile(
    tmp_path, stocked_home
):
    dice = random.Random(4)
    async with SlackServer() as slack, DiscordServer() as discord, AsyncExitStack() as stack:
        sources = stack.enter_context(SourcesServer())
        shell = Shell(tmp_path, sources.environment)
        shell.begin_with(stocked_home)
        await subscribe_everyone(shell)
        slack.channels |= {channel: Channel() for channel in CHANNELS}
        shell.environment |= {
            "SLACK_BOT_TOKEN": slack_parts.BOT_TOKEN,
            "SLACK_APP_TOKEN": slack_parts.APP_TOKEN,
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "DISCORD_TOKEN": discord_parts.TOKEN,
            "PAPERBOY_DISCORD__API_URL": discord.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": discord.gateway_url,
        }
        for _ in range(KILLS):
            before = len(slack.posts)
            slack.fail("chat.postMessage", *[Fault(landed=dice.random() < 0.6, drop=True)] * dice.randrange(3))
            killed, enough = asyncio.Event(), before + dice.randrange(1, 9)
            slack.fill(enough, Fault(wait=killed))  # else all might be over before the last kill
            service = stack.enter_context(shell.start("run"))
            await slack.until(lambda enough=enough: len(slack.posts) >= enough, 60)
            await asyncio.sleep(dice.random() / 20)
            service.process.kill()
            await asyncio.to_thread(service.process.wait)
            killed.set()
        assert len(slack.posts) < len(CHANNELS)
        slack.fill(len(CHANNELS) + 1, Fault(error="channel_not_found"))
        last = stack.enter_context(shell.start("run"))
        async with asyncio.timeout(120):
            while await states(shell) != {State.SENT: 50}:
                await asyncio.sleep(0.3)
        assert (await asyncio.to_thread(last.end)).code == 0
        day = datetime.now(UTC).date()
        parts = digest_parts(slack, discord)
        assert {key for key, count in parts.items() if count != 1} == set(), "twice, or not at all"
        assert {f"kill{number}/{day}" for number in range(49)} == {key for key, _ in parts} - {"discord"}
