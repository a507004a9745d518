"""What has come in from Slack is noted by kind and day, so that `doctor` can tell what never did."""

from __future__ import annotations

import asyncio

import pytest

from bots.slack.arrivals import FACT, KINDS, describe, read
from core.chat import commands as c
from core.chat.message import Kind, Message
from tests.integration.slack_rooms import WAYS, open_room
from tests.servers.slack import ALICE, MEMBER

PAPERS = [{"domain": "arxiv.org", "url": "https://arxiv.org/abs/2310.01234"}]


@pytest.fixture(name="room", params=WAYS)
async def run_room(request):
    async with open_room(WAYS[request.param]) as opened:
        opened.desk.answers[c.Saved] = Message(Kind.ANSWER)
        yield opened


async def noted(room, kinds):
    async with asyncio.timeout(20):
        while set(await read(room.store)) != set(kinds):
            await asyncio.sleep(0.01)


async def do_everything(room):
    await room.server.slash("search q")
    answer = await room.replied()
    await room.server.press(answer, "paperboy:page", alone=True)
    await room.server.shortcut("find_papers", "grokking")
    await room.server.event("app_home_opened", user=ALICE, tab="home")
    await room.server.event("app_mention", user=ALICE, channel=MEMBER, text="<@U0BOT> list", ts="9.1")
    await room.server.event("message", channel_type="im", user=ALICE, channel="D1ALICE", text="list", ts="9.2")
    await room.server.event("link_shared", user=ALICE, channel=MEMBER, message_ts="9.1", links=PAPERS)


async def test_each_kind_that_came_is_noted_with_its_day(room):
    await room.server.slash("search q")
    await room.replied()
    await noted(room, {"command"})
    assert await read(room.store) == {"command": room.clock().date()}
    await do_everything(room)
    await noted(room, KINDS)


async def test_what_comes_often_is_written_down_once_a_day(room):
    await room.server.slash("search q")
    await noted(room, {"command"})
    await room.store.set_fact(FACT, "{}")
    await room.server.slash("search q")
    await room.replied(2)
    assert await read(room.store) == {}
    room.clock.pass_by(days=1)
    await room.server.slash("search q")
    await noted(room, {"command"})


async def test_the_doctor_tells_what_never_came_and_where_to_look(room):
    await room.server.slash("search q")
    await noted(room, {"command"})
    line = describe(await read(room.store))
    assert f"/papers {room.clock().date()}" in line
    assert "never yet: buttons, the message shortcut, App Home, mentions, direct messages, links to papers" in line
    assert "App Manifest" in line


def test_when_all_have_come_there_is_nothing_to_look_for():
    day = dict.fromkeys(KINDS, "2026-11-25")
    assert "never" not in describe(day)
    assert "came in" not in describe({})
