"""Several processes over one database: roles, kills in between, two of a kind by mistake; one digest each."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from bots.house import open_house
from core.digests.subscription import DAILY
from core.papers.plan import keep_state, source_states
from core.settings import Settings
from core.store import State
from core.store.postgres import PostgresStore
from tests.fakes import make_change, make_subscription
from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import Channel, Fault, SlackServer
from tests.servers.sources import NOWHERE, addresses
from tests.shells import Shell
from tests.stories import TITLE, TITLE_ID
from tests.worlds import make_record

CHANNELS = [f"C{number}DUE" for number in range(40)]
KILLS = 4


class Town:
    """One Slack, one Discord, one database, and as many processes as are started."""

    def __init__(self, folder, url, slack, discord, stack):
        self.folder, self.url, self.slack, self.discord = folder, url, slack, discord
        self._stack = stack
        self._started = 0

    async def learn(self):
        """Put the morning's paper into the library that all share."""
        whole = {"home": self.folder / "filling", "secrets": {"database_url": self.url}, "model": {"enabled": False}}
        async with open_house(Settings.model_validate(whole), owner=True) as house:
            today = datetime.now(UTC)
            record = make_record(TITLE_ID, TITLE, day=today.date(), published=today - timedelta(days=1))
            await house.library.ingest([record], now=today)
            for state in (await source_states(house.library)).values():
                await keep_state(house.library, replace(state, ok_at=today))

    def start(self, *words):
        """Start a process with a data folder of its own."""
        self._started += 1
        folder = self.folder / str(self._started)
        folder.mkdir()
        environment = {
            "DATABASE_URL": self.url,
            "PAPERBOY_SECRET_KEY": "thirty-two characters are enough for it",
            "SLACK_BOT_TOKEN": slack_parts.BOT_TOKEN,
            "SLACK_APP_TOKEN": slack_parts.APP_TOKEN,
            "PAPERBOY_SLACK__API_URL": self.slack.api_url,
            "DISCORD_TOKEN": discord_parts.TOKEN,
            "PAPERBOY_DISCORD__API_URL": self.discord.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": self.discord.gateway_url,
            "PAPERBOY_QUEUE__GONE_AFTER": "9",
            "PAPERBOY_QUEUE__AT_ONCE": "2",
        }
        shell = Shell(folder, addresses(NOWHERE) | environment)
        return self._stack.enter_context(shell.start("run", *words))

    async def subscribe(self, interests, *places):
        """Subscribe places to a digest that was due at midnight."""
        store = await PostgresStore.open(self.url)
        yesterday = datetime.now(UTC) - timedelta(days=1)
        for number, address in enumerate(places):
            fields = {"at": time(0), "timezone": "UTC", "days": DAILY, "interests": interests}
            await store.add_subscription(
                make_subscription(f"r{number}", address, created_at=yesterday, active_from=yesterday, **fields),
                make_change("subscribed", address, yesterday),
            )
        await store.close()

    async def states(self, count):
        store = await PostgresStore.open(self.url)
        try:
            latest = await store.latest_deliveries([f"r{number}" for number in range(count)])
            return Counter(delivery.state for delivery in latest.values())
        finally:
            await store.close()

    async def until(self, condition, seconds=120):
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.2)

    def parts(self):
        """Count what stands in the channels, by delivery and part."""
        found = Counter()
        for post in self.slack.posts:
            payload = post.get("metadata", {}).get("event_payload", {})
            found[payload.get("key"), payload.get("part")] += 1
        for post in self.discord.messages.get(discord_parts.CHANNEL, []):
            found["discord", TITLE in str(post)] += 1
        return found


@pytest.fixture
async def town(tmp_path, database_url):
    async with SlackServer() as slack, DiscordServer() as discord, AsyncExitStack() as stack:
        slack.channels |= {channel: Channel() for channel in CHANNELS}
        opened = Town(tmp_path, database_url, slack, discord, stack)
        await opened.learn()
        yield opened


@pytest.mark.timeout(280)
async def test_two_workers_and_two_bots_deliver_a_day_of_digests_once_with_kills_in_between(town):
    dice = random.Random(8)
    places = [*(f"slack:{slack_parts.TEAM}/{channel}" for channel in CHANNELS), f"discord:{discord_parts.CHANNEL}"]
    await town.subscribe("grokking", *places)
    bots = [town.start("--role", "bot") for _ in range(2)]
    workers = [town.start("--role", "worker") for _ in range(2)]
    for kill in range(KILLS):
        before = len(town.slack.posts)
        town.slack.fail("chat.postMessage", *[Fault(landed=dice.random() < 0.6, drop=True)] * dice.randrange(3))
        enough = before + dice.randrange(1, 5)
        await town.slack.until(lambda enough=enough: len(town.slack.posts) >= enough, 90)
        victim = workers.pop(0)
        victim.process.kill()
        await asyncio.to_thread(victim.process.wait)
        # The last two are started as if each were alone, by mistake.
        workers.append(town.start(*(["--role", "worker"] if kill < KILLS - 2 else [])))
        if kill == 1:
            bots[0].process.kill()
    assert len(town.slack.posts) < len(CHANNELS), "all was over before the last kill"

    async def all_sent():
        return await town.states(len(places)) == {State.SENT: len(places)}

    await town.until(all_sent)
    # One process is connected to Discord's one shard; where that was the one that died, another took it.
    assert town.discord.identified in {1, 2}
    await town.slack.slash("search grokking")
    await town.slack.until(lambda: TITLE in str(town.slack.replies), 60)
    ended = [await asyncio.to_thread(process.end) for process in (*workers, bots[1])]
    assert [one.code for one in ended] == [0, 0, 0]
    day = datetime.now(UTC).date()
    parts = town.parts()
    assert {key for key, count in parts.items() if count != 1} == set(), "twice, or not at all"
    assert {f"r{number}/{day}" for number in range(len(CHANNELS))} | {"discord"} == {key for key, _ in parts}


@pytest.mark.data_folder
def test_a_role_without_a_database_is_refused_in_one_sentence(tmp_path):
    shell = Shell(tmp_path, addresses(NOWHERE))
    for role in ("bot", "worker", "fetch", "web"):
        done = shell.run("run", "--role", role)
        assert done.code == 2
        assert f"--role {role}: roles need a database that the processes share; set DATABASE_URL" in done.complaint
