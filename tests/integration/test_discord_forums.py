"""Digests in forum and media channels: a post each, found again, changed in place."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bots.discord import Discord
from bots.discord.forums import post_name
from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import MemoryStore
from tests.servers.discord import FORUM, GUILD, MEMBER, READ_SEND_HISTORY, SEND, TOKEN, DiscordServer, Fault

HERE = f"discord:{FORUM}"
LONG = Message(
    Kind.DIGEST,
    heading="Papers for grokking",
    lines=(text("Monday 23 November 2026 · 20 of 300 new papers"),),
    cards=tuple(Card(f"2310.{n:05}", f"Paper {n}", summary="x " * 400) for n in range(30)),
)
SHORT = Message(Kind.DIGEST, lines=(text("No arXiv announcement today."),))


@pytest.fixture(params=[15, 16], ids=["forum", "media"])
async def server(request):
    async with DiscordServer() as running:
        running.with_forum = True
        running.forum_kind = request.param
        yield running


async def nothing(_request):
    return Message(Kind.ANSWER)


@pytest.fixture(params=[True, False], ids=["connected", "by REST alone"])
async def discord(server, request):
    running = Discord(
        TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01, 0.02)
    )
    listening = asyncio.create_task(running.listen(nothing))
    if request.param:
        await asyncio.wait_for(running.ready(), 20)
    else:
        listening.cancel()
    yield running
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await running.close()


def long_ago():
    return datetime.now(UTC) - timedelta(minutes=5)


async def test_a_digest_is_a_post_that_is_named_by_its_heading_and_goes_on_below(server, discord):
    told = []

    async def sent(part):
        told.append(part)

    receipt = await discord.deliver(HERE, LONG, key="k", sent=sent)
    ((number, thread),) = server.threads.items()
    assert thread["name"] == "Papers for grokking · Monday 23 November 2026"
    assert list(receipt.parts) == told == [message["id"] for message in server.messages[number]]
    assert len(told) > 1
    assert receipt.url == f"https://discord.com/channels/{GUILD}/{number}/{number}"
    assert await discord.find(HERE, "k", long_ago()) == told
    assert await discord.find(HERE, "other", long_ago()) == []


async def test_a_second_digest_is_a_second_post(server, discord):
    for key in ("a", "b"):
        await discord.deliver(HERE, SHORT, key=key)
    assert [len(server.messages[thread]) for thread in server.threads] == [1, 1]


async def test_posting_goes_on_in_the_post_that_was_begun(server, discord):
    first = await discord.deliver(HERE, LONG, key="k")
    (thread,) = server.threads
    server.messages[thread] = server.messages[thread][:1]
    again = await discord.deliver(HERE, LONG, key="k", done=first.parts[:1])
    assert (list(server.threads), len(again.parts)) == ([thread], len(first.parts))


async def test_a_post_whose_reply_is_lost_is_not_made_twice_and_is_found(server, discord):
    server.faults = [Fault(f"POST /channels/{FORUM}/threads", drop=True, applied=True)]
    with pytest.raises(DeliveryError) as caught:
        await discord.deliver(HERE, SHORT, key="k")
    assert caught.value.kind is DeliveryFailure.UNKNOWN
    assert await discord.find(HERE, "k", long_ago()) == list(server.threads)


async def test_a_post_is_found_after_a_restart_before_the_gateway_has_told_that_it_is_a_forum(server, discord):
    receipt = await discord.deliver(HERE, LONG, key="k")
    later = Discord(TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,))
    assert await later.find(HERE, "k", long_ago()) == list(receipt.parts)
    await later.close()


async def test_a_digest_in_a_post_is_changed_in_place(server, discord):
    first = await discord.deliver(HERE, SHORT, key="k")
    changed = await discord.edit(HERE, LONG, key="k", parts=first.parts)
    assert changed.parts[0] == first.parts[0]
    assert len(server.messages[first.parts[0]]) == len(changed.parts) > 1
    assert len(server.threads) == 1


@pytest.mark.parametrize(
    ("tags", "required", "applied"),
    [
        ([{"id": "1", "name": "Talks"}, {"id": "2", "name": "Papers"}], False, ["2"]),
        ([{"id": "1", "name": "Talks"}], False, []),
        ([{"id": "0", "name": "Staff", "moderated": True}, {"id": "1", "name": "Talks"}], True, ["1"]),
    ],
)
async def test_a_post_gets_the_tag_that_fits_or_one_where_one_is_needed(server, discord, tags, required, applied):
    server.tags, server.forum_flags = tags, 1 << 4 if required else 0
    await discord.deliver(HERE, SHORT, key="k")
    (thread,) = server.threads.values()
    assert thread["applied_tags"] == applied


async def test_a_forum_whose_tags_are_all_for_moderators_says_how_to_mend_it(server, discord):
    server.tags, server.forum_flags = [{"id": "0", "name": "Staff", "moderated": True}], 1 << 4
    with pytest.raises(DeliveryError, match="add one that is not for moderators only") as caught:
        await discord.deliver(HERE, SHORT, key="k")
    assert caught.value.kind is DeliveryFailure.FORBIDDEN


async def test_a_missing_right_in_a_forum_is_called_as_discord_calls_it_there(server):
    server.everyone = READ_SEND_HISTORY & ~SEND
    discord = Discord(
        TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,)
    )
    listening = asyncio.create_task(discord.listen(nothing))
    await asyncio.wait_for(discord.ready(), 20)
    assert "Create Posts" in await discord.reachable(HERE)
    await server.allow(READ_SEND_HISTORY)
    while (await discord.reachable(HERE)) is not None:
        await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await discord.close()


async def test_a_command_in_a_post_is_about_the_forum(server):
    asked = []

    async def answer(request):
        asked.append(request)
        return Message(Kind.ANSWER, lines=(text("done"),))

    discord = Discord(
        TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,)
    )
    listening = asyncio.create_task(discord.listen(answer))
    await asyncio.wait_for(discord.ready(), 20)
    post = {"id": "9000", "type": 11, "parent_id": FORUM, "name": "a post", "guild_id": GUILD, "owner_id": "1"}
    post |= {"message_count": 1, "member_count": 1, "rate_limit_per_user": 0, "permissions": MEMBER}
    post |= {
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 60,
            "archive_timestamp": "2026-01-01T00:00:00+00:00",
            "locked": False,
        }
    }
    await (await server.slash("list", channel="9000", shown=post)).answered()
    assert [request.place for request in asked] == [HERE]
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await discord.close()


def test_the_name_of_a_post_is_never_empty_or_too_long():
    assert post_name(Message(Kind.ANSWER)) == "Papers"
    assert len(post_name(Message(Kind.DIGEST, heading="words " * 90))) <= 100
