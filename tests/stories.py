"""What takes a minute with Slack and Discord of our own, told as stories: they happen all at once, in a thread."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.servers.sources import SourcesServer
from tests.shells import Shell

TITLE, TITLE_ID = "Grokking in Small Transformers", "2611.00001"


@asynccontextmanager
async def open_town(folder, home, environment):
    """One Slack, one Discord, and a shell whose paperboy knows them; its papers are in `home` already."""
    async with SlackServer() as slack, DiscordServer() as discord:
        shell = Shell(folder, environment)
        shell.begin_with(home)
        shell.environment |= {
            "SLACK_BOT_TOKEN": slack_parts.BOT_TOKEN,
            "SLACK_APP_TOKEN": slack_parts.APP_TOKEN,
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "DISCORD_TOKEN": discord_parts.TOKEN,
            "PAPERBOY_DISCORD__API_URL": discord.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": discord.gateway_url,
            "PAPERBOY_LOG__LEVEL": "debug",
        }
        yield shell, slack, discord


async def connected(service, slack, discord):
    """Wait until both platforms are served."""
    await asyncio.to_thread(service.page)
    await slack.until(lambda: slack.connected)
    await discord.connected()


def next_minute():
    """The next full minute that leaves time to subscribe, as it is written in a command."""
    return f"{datetime.now(UTC) + timedelta(seconds=75):%H:%M}"


def digests(posts):
    return [post for post in posts if TITLE in str(post)]


@dataclass
class Story:
    """What happened in one town."""

    slack_posts: list = field(default_factory=list)
    discord_posts: list = field(default_factory=list)
    slack_reply: str = ""
    discord_reply: str = ""
    listed: str = ""
    why: str = ""
    said: str = ""
    codes: list = field(default_factory=list)


def end_story(story, shell, slack, discord, *services):
    story.slack_posts = digests(slack.posts)
    story.discord_posts = digests(discord.messages.get(discord_parts.CHANNEL, []))
    story.listed = shell.run("subscriptions", "list").out
    story.why = shell.run("why", TITLE_ID).out
    story.said = "".join(service.out + service.err for service in services)
    return story


async def deliver_in_peace(folder, home, environment):
    """Subscribe on both platforms, wait for the digests, restart, and look whether anything comes again."""
    story = Story()
    async with open_town(folder, home, environment) as (shell, slack, discord), AsyncExitStack() as stack:
        first = stack.enter_context(shell.start("run"))
        await connected(first, slack, discord)
        at = next_minute()
        await slack.slash(f"subscribe grokking at {at} in UTC daily")
        asked = await discord.slash("subscribe", interests="grokking", at=at, timezone="UTC", days="daily")
        story.discord_reply = str((await asked.answered()).shown)
        await slack.until(lambda: slack.replies)
        story.slack_reply = str(slack.replies)
        await slack.until(lambda: digests(slack.posts), 130)
        await slack.until(lambda: digests(discord.messages.get(discord_parts.CHANNEL, [])))
        story.codes.append((await asyncio.to_thread(first.end)).code)
        second = stack.enter_context(shell.start("run"))
        await connected(second, slack, discord)
        opened = len(slack.replies)
        await slack.slash("list")
        await slack.until(lambda: len(slack.replies) > opened)
        story.codes.append((await asyncio.to_thread(second.end)).code)
        return end_story(story, shell, slack, discord, first, second)


async def die_in_mid_delivery(folder, home, environment):
    """Slack takes the post and its answer never comes: paperboy is killed there, and started again."""
    story = Story()
    async with open_town(folder, home, environment) as (shell, slack, discord), AsyncExitStack() as stack:
        first = stack.enter_context(shell.start("run"))
        await connected(first, slack, discord)
        await slack.slash(f"subscribe grokking at {next_minute()} in UTC daily")
        await slack.until(lambda: slack.replies)
        answered = asyncio.Event()
        slack.fail("chat.postMessage", slack_parts.Fault(landed=True, wait=answered, drop=True))
        await slack.until(lambda: digests(slack.posts), 130)
        first.process.kill()
        await asyncio.to_thread(first.process.wait)
        answered.set()
        second = stack.enter_context(shell.start("run"))
        await connected(second, slack, discord)
        await slack.until(lambda: slack.made("conversations.history"), 60)
        await asyncio.to_thread(second.until, lambda: "delivered" in shell.run("why", TITLE_ID).out)
        story.codes.append((await asyncio.to_thread(second.end)).code)
        return end_story(story, shell, slack, discord, first, second)


def tell_stories(folder: Path, home: Path) -> list[Story]:
    """Let both happen, with a stocked data folder each."""

    async def happen() -> list[Story]:
        with SourcesServer() as sources:
            return await asyncio.gather(
                deliver_in_peace(folder / "peace", home, sources.environment),
                die_in_mid_delivery(folder / "death", home, sources.environment),
            )

    for name in ("peace", "death"):
        (folder / name).mkdir()
    return asyncio.run(happen())
