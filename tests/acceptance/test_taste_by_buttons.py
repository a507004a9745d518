"""👍 and 👎, pressed on Slack and on Discord as they really arrive, change the next digest there and nowhere else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.discord import Discord
from bots.house import make_house
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from core.papers.library import Library
from core.settings import Settings
from tests.fakes import MemoryStore
from tests.integration.slack_rooms import listening
from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.slacks import slack_at
from tests.worlds import MONDAY, make_record, upvotes

AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)
LIKED, ALIKE = "Glaciers Melt Faster Than Models Say", "How Glaciers Slide: Melt Water Below Arctic Ice"
BEGUN = "subscribe top 1 at 08:00 in UTC daily"


def of_monday():
    melting = "Glaciers in the Arctic lose ice as melt water runs below them."
    return (
        make_record("2611.00001", LIKED, abstract=melting, signals=upvotes(41)),
        make_record("2611.00002", "Auctions With Two Bidders"),
        make_record("2611.00003", "Sorting in Linear Time"),
    )


def of_tuesday():
    """Nobody has voted on any of these, so that the newest comes first where nothing was taught."""
    day, hour = TUESDAY.date(), timedelta(hours=1)
    others = ("Prime Gaps Revisited", "Compilers for Quantum Machines", "A Parser for Old Norse", "Grokking Again")
    return (
        make_record("2611.01000", ALIKE, day=day, published=MONDAY, abstract="Melt water lets Arctic glaciers slide."),
        *(
            make_record(f"2611.0100{number}", title, day=day, published=MONDAY + number * hour)
            for number, title in enumerate(others, 1)
        ),
    )


async def reachable(_address):
    return None


class Town:
    """One paperboy on a Slack and a Discord of our own; its clock is moved by hand."""

    def __init__(self, library, slack, discord):
        self.now = MONDAY
        self.slack, self.discord = slack, discord
        settings = Settings.model_validate({"model": {"enabled": False}})
        self.house = make_house(settings, library=library, store=MemoryStore(), clock=self.clock)
        addresses = {"api_url": discord.api_url, "gateway_url": discord.gateway_url}
        self.platforms = {
            "slack": slack_at(slack.api_url, sleep=slack_parts.Waits(), clock=self.clock, store=self.house.store),
            "discord": Discord(discord_parts.TOKEN, store=self.house.store, **addresses, delays=(0.01, 0.02)),
        }
        self.courier = Courier(
            Carrier(store=self.house.store, platforms=self.platforms, clock=self.clock, jitter=lambda: 0.5)
        )

    def clock(self):
        return self.now

    async def strike(self, now):
        self.now = now
        await fill_outbox(self.house.newsroom, self.house.store, now)
        while True:
            await self.courier.drain()
            if not self.courier.busy:
                return
            await self.courier.settled()

    async def learn(self, records):
        await self.house.library.ingest(records, now=self.now)

    async def slash_slack(self, words, channel=slack_parts.MEMBER):
        count = len(self.slack.replies)
        await self.slack.slash(words, channel=channel)
        await self.slack.until(lambda: len(self.slack.replies) > count)
        return str(self.slack.replies[-1])

    async def press_slack(self, post, action):
        count = len(self.slack.replies)
        await self.slack.press(post, action, alone=False)
        await self.slack.until(lambda: len(self.slack.replies) > count)
        return str(self.slack.replies[-1])

    async def subscribe_discord(self):
        options = {"interests": "", "at": "08:00", "timezone": "UTC", "days": "daily", "top": 1}
        return await (await self.discord.slash("subscribe", **options)).answered()

    def on_discord(self, channel=discord_parts.CHANNEL):
        return self.discord.messages.get(channel, [])


@pytest.fixture
async def town(tmp_path):
    async with SlackServer() as slack_server, DiscordServer() as discord_server:
        library = await Library.open(tmp_path / "library.sqlite3")
        town = Town(library, slack_server, discord_server)
        desk = town.house.desk(reachable, lambda _what, _seconds: None)
        async with listening(town.platforms["slack"], desk), listening(town.platforms["discord"], desk):
            await town.learn(of_monday())
            yield town
        await library.close()


async def test_a_like_on_slack_changes_the_next_digest_there(town):
    assert "Subscribed" in await town.slash_slack(BEGUN)
    await town.strike(AT_EIGHT)
    (first,) = town.slack.posts
    assert LIKED in str(first)
    assert "kept" in await town.press_slack(first, "paperboy:up")
    town.now = TUESDAY - timedelta(hours=2)
    await town.learn(of_tuesday())
    today = await town.slash_slack("today")
    assert ALIKE in today
    await town.strike(TUESDAY)
    _, second = town.slack.posts
    assert ALIKE in str(second)
    assert "like 1 paper this channel marked 👍" in str(second)
    told = await town.slash_slack("taste")
    assert "1 liked, 0 disliked" in told
    assert "glaciers" in told


async def test_a_like_on_discord_changes_the_next_digest_there_and_not_on_slack(town):
    await town.slash_slack(BEGUN)
    await (
        await town.discord.slash("subscribe", interests="", at="08:00", timezone="UTC", days="daily", top=1)
    ).answered()
    await town.strike(AT_EIGHT)
    (first,) = town.on_discord()
    assert "kept" in str((await (await town.discord.click(first, "👍")).answered()).shown)
    town.now = TUESDAY - timedelta(hours=2)
    await town.learn(of_tuesday())
    await town.strike(TUESDAY)
    assert ALIKE in str(town.on_discord()[-1])
    assert "like 1 paper this channel marked 👍" in str(town.on_discord()[-1])
    assert ALIKE not in str(town.slack.posts[-1])
    assert "Grokking Again" in str(town.slack.posts[-1])


async def test_a_like_taken_back_and_a_taste_that_was_reset_change_nothing(town):
    await town.slash_slack(BEGUN)
    await (
        await town.discord.slash("subscribe", interests="", at="08:00", timezone="UTC", days="daily", top=1)
    ).answered()
    await town.strike(AT_EIGHT)
    (on_slack,), (on_discord,) = town.slack.posts, town.on_discord()
    await town.press_slack(on_slack, "paperboy:up")
    assert "taken back" in await town.press_slack(on_slack, "paperboy:up")
    await (await town.discord.click(on_discord, "👍")).answered()
    forgotten = await (await town.discord.slash("taste", reset=True)).answered()
    assert "Forgotten: what 1 marked paper had taught here." in str(forgotten.shown)
    town.now = TUESDAY - timedelta(hours=2)
    await town.learn(of_tuesday())
    await town.strike(TUESDAY)
    assert "Grokking Again" in str(town.slack.posts[-1])
    assert "Grokking Again" in str(town.on_discord()[-1])
