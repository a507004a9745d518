"""`paperboy run` with Slack and Discord of our own: subscriptions made there are delivered there, once.

What takes a minute is told in `tests/stories.py`; the tests look at what became of it.
"""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tests.servers import discord as discord_parts
from tests.servers import slack as slack_parts
from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.stories import TITLE, open_town

SECRETS = (slack_parts.BOT_TOKEN, slack_parts.APP_TOKEN, discord_parts.TOKEN)


@pytest.mark.timeout(280)
def test_what_is_subscribed_in_a_channel_is_confirmed_there(stories):
    peace, _ = stories
    for reply in (peace.slack_reply, peace.discord_reply):
        assert "Subscribed as" in reply
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


def test_every_line_is_one_document_that_names_what_it_belongs_to_and_tells_nobodys_words(stories):
    for story in stories:
        lines = [json.loads(line) for line in story.said.splitlines()]
        assert all({"time", "level", "part", "message"} <= line.keys() for line in lines)
        queued = {line["delivery"] for line in lines if re.fullmatch(r"delivery \S+ queued: .*", line["message"])}
        settled = {line["delivery"] for line in lines if re.search(r" sent by | found where ", line["message"])}
        assert queued == settled
        asked = [line for line in lines if line["message"].startswith("subscribe answered on ")]
        assert asked
        assert len({line["request"] for line in asked}) == len(asked)
        assert "grokking" not in story.said.lower(), "what people ask for is theirs"


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
            slack.channels["C1"] = slack_parts.Channel()  # to which what is in stock is subscribed
            well = await asyncio.to_thread(shell.run, "doctor")
            slack.refused_tokens = {slack_parts.BOT_TOKEN: "invalid_auth"}
            ill = await asyncio.to_thread(shell.run, "doctor")
    assert (well.code, well.err) == (0, ""), well.out
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
