"""`paperboy run` with Slack and Discord of our own: subscriptions made there are delivered there, once.

What takes a minute happens in one fixture, all of it at the same time; the tests look at what became of it.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.shells import Shell

SECRETS = (slack_parts.BOT_TOKEN, slack_parts.APP_TOKEN, discord_parts.TOKEN)
TITLE, TITLE_ID = "Grokking in Small Transformers", "2611.00001"


@asynccontextmanager
async def open_town(folder, home, environment):
    """One Slack, one Discord, and a shell whose paperboy knows them; its papers are in `home` already."""
    async with SlackServer() as slack, DiscordServer() as discord:
        shell = Shell(folder, environment)
        shutil.copytree(home, shell.home)
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


@pytest.fixture(scope="module")
def stories(tmp_path_factory, stocked_home):
    async def happen():
        with SourcesServer() as sources:
            return await asyncio.gather(
                deliver_in_peace(tmp_path_factory.mktemp("peace"), stocked_home, sources.environment),
                die_in_mid_delivery(tmp_path_factory.mktemp("death"), stocked_home, sources.environment),
            )

    return asyncio.run(happen())


@pytest.mark.timeout(280)
def test_what_is_subscribed_in_a_channel_is_confirmed_there(stories):
    peace, _ = stories
    for reply in (peace.slack_reply, peace.discord_reply):
        assert "Subscribed as #1 to grokking" in reply
        assert TITLE in reply
    assert f"slack:{slack_parts.TEAM}/{slack_parts.MEMBER} #1  grokking" in peace.listed
    assert f"discord:{discord_parts.CHANNEL} #1  grokking" in peace.listed


def test_each_place_gets_its_digest_at_its_minute_once_also_after_a_restart(stories):
    peace, _ = stories
    assert len(peace.slack_posts) == 1
    assert len(peace.discord_posts) == 1
    assert peace.codes == [0, 0]
    assert peace.why.count("delivered") >= 2


def test_after_a_kill_in_mid_delivery_there_is_exactly_one_post(stories):
    _, death = stories
    assert len(death.slack_posts) == 1
    assert "delivered" in death.why
    assert death.codes == [0]


def test_no_secret_and_no_traceback_is_in_what_is_said(stories):
    for story in stories:
        assert "stopped" in story.said
        assert not [secret for secret in SECRETS if secret in story.said]
        assert "Traceback" not in story.said


async def test_a_platform_whose_token_is_revoked_does_not_silence_the_other(tmp_path, stocked_home):
    async with open_town(tmp_path, stocked_home, addresses(NOWHERE)) as (shell, slack, discord):
        slack.refused_tokens = {slack_parts.BOT_TOKEN: "token_revoked", slack_parts.APP_TOKEN: "token_revoked"}
        with shell.start("run") as service:
            await discord.connected()
            asked = await (await discord.slash("search", query="grokking")).answered()
            assert TITLE in str(asked.shown)
            await asyncio.to_thread(service.until, lambda: "slack is not served" in service.err)
            assert (await asyncio.to_thread(service.end)).code == 0
        assert slack_parts.BOT_TOKEN not in service.err


async def test_the_doctor_looks_at_both_platforms_and_names_the_one_that_is_ill(tmp_path, stocked_home):
    with SourcesServer() as sources:
        async with open_town(tmp_path, stocked_home, sources.environment) as (shell, slack, _):
            well = await asyncio.to_thread(shell.run, "doctor")
            slack.refused_tokens = {slack_parts.BOT_TOKEN: "invalid_auth"}
            ill = await asyncio.to_thread(shell.run, "doctor")
    assert (well.code, well.err) == (0, "")
    assert "ok    slack" in well.out
    assert "ok    discord" in well.out
    assert ill.code == 1
    bad = [line for line in ill.out.splitlines() if line.startswith("FAIL")]
    assert bad
    assert all(line.startswith("FAIL  slack") for line in bad)
    assert not [secret for secret in SECRETS if secret in well.out + ill.out + ill.err]


async def test_only_one_platform_is_served_when_only_one_is_asked_for(tmp_path, stocked_home):
    async with open_town(tmp_path, stocked_home, addresses(NOWHERE)) as (shell, slack, discord):
        with shell.start("run", "--only", "discord") as service:
            await discord.connected()
            assert (await asyncio.to_thread(service.end)).code == 0
        assert slack.calls == []
        assert "the page is at" not in service.err
