"""A digest that is changed where it stands, places that are not asked twice, limits: against a Discord on loopback."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bots.discord import Discord
from bots.discord.marks import component_id
from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import MemoryStore
from tests.servers.discord import (
    ALICE,
    BOB,
    CHANNEL,
    OTHER_CHANNEL,
    READ_SEND_HISTORY,
    TOKEN,
    VIEW,
    DiscordServer,
    Fault,
)
from tests.servers.discord_limits import problems, walk

HERE, THERE, BOBS = f"discord:{CHANNEL}", f"discord:{OTHER_CHANNEL}", f"discord:@{BOB}"
POSTS, EDITS = f"POST /channels/{CHANNEL}/messages", f"PATCH /channels/{CHANNEL}/messages/*"


def digest(papers, word="Paper"):
    cards = tuple(
        Card(f"2310.{n:05}", f"{word} {n}", f"https://arxiv.org/abs/2310.{n:05}", summary="x " * 400)
        for n in range(papers)
    )
    return Message(Kind.DIGEST, heading="Digest", lines=(text("Monday"),), cards=cards)


SHORT, LONG = digest(2), digest(60)
LATER_SHORT, LATER_LONG = digest(2, "Later"), digest(60, "Later")


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture
async def discord(server):
    running = Discord(
        TOKEN,
        store=MemoryStore(),
        api_url=server.api_url,
        gateway_url=server.gateway_url,
        delays=(0.01, 0.02),
        most_invalid=6,
    )
    yield running
    await running.close()


@pytest.fixture
async def connected(discord):
    async def answer(_):
        return SHORT

    listening = asyncio.create_task(discord.listen(answer))
    await asyncio.wait_for(discord.ready(), 20)
    yield discord
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


def long_ago():
    return datetime.now(UTC) - timedelta(hours=1)


async def until(holds):
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def failure_of(posting):
    with pytest.raises(DeliveryError) as raised:
        await posting
    return raised.value


def texts(message):
    return [item["content"] for item in walk(message["components"]) if "content" in item]


def titles(server):
    every = "\n".join(words for message in server.messages[CHANNEL] for words in texts(message))
    return [line.partition("[")[2].partition("]")[0] for line in every.split("\n") if line.startswith("### ")]


def ids(server):
    return [message["id"] for message in server.messages[CHANNEL]]


async def test_an_edit_changes_every_part_in_place_and_keeps_its_key(server, connected):
    first = await connected.deliver(HERE, LONG, key="k")
    receipt = await connected.edit(HERE, LATER_LONG, key="k", parts=first.parts)
    assert receipt == first
    assert receipt.url
    assert titles(server) == [f"Later {n}" for n in range(60)]
    marks = [message["components"][0]["id"] for message in server.messages[CHANNEL]]
    assert marks == [component_id("k", part) for part in range(len(first.parts))]
    assert await connected.find(HERE, "k", long_ago()) == list(first.parts) == ids(server)
    assert not [found for message in server.messages[CHANNEL] for found in problems_of(message)]


def problems_of(message):
    return problems({name: message[name] for name in ("components", "flags")} | {"allowed_mentions": {"parse": []}})


async def test_a_longer_message_goes_on_below_and_is_found_whole(server, connected):
    first = await connected.deliver(HERE, SHORT, key="k")
    receipt = await connected.edit(HERE, LATER_LONG, key="k", parts=first.parts)
    assert receipt.parts[:1] == first.parts
    assert len(receipt.parts) == len(connected.payload(LATER_LONG)) > 2
    assert list(receipt.parts) == ids(server) == await connected.find(HERE, "k", long_ago())
    assert titles(server) == [f"Later {n}" for n in range(60)]


async def test_a_shorter_message_leaves_a_short_mark_where_the_rest_was(server, connected):
    first = await connected.deliver(HERE, LONG, key="k")
    receipt = await connected.edit(HERE, LATER_SHORT, key="k", parts=first.parts)
    assert receipt.parts == first.parts
    assert [texts(message) for message in server.messages[CHANNEL][1:]] == [["…"]] * (len(first.parts) - 1)
    assert titles(server) == ["Later 0", "Later 1"]
    assert await connected.find(HERE, "k", long_ago()) == list(first.parts)


async def test_an_edit_that_is_repeated_with_what_it_was_told_first_changes_nothing_more(server, connected):
    first = await connected.deliver(HERE, SHORT, key="k")
    once = await connected.edit(HERE, LATER_LONG, key="k", parts=first.parts)
    # Long after, when Discord has forgotten the nonces.
    for message in server.messages[CHANNEL]:
        message["nonce"] = None
    assert await connected.edit(HERE, LATER_LONG, key="k", parts=first.parts) == once
    assert ids(server) == list(once.parts)
    assert titles(server) == [f"Later {n}" for n in range(60)]


async def test_a_lost_reply_to_a_change_is_got_over_since_repeating_it_is_harmless(server, connected):
    first = await connected.deliver(HERE, SHORT, key="k")
    server.faults = [Fault(EDITS, drop=True, applied=True), Fault(EDITS, status=503)]
    assert (await connected.edit(HERE, LATER_SHORT, key="k", parts=first.parts)).parts == first.parts
    assert titles(server) == ["Later 0", "Later 1"]


async def test_a_message_that_people_deleted_is_refused_and_not_posted_again(server, connected):
    first = await connected.deliver(HERE, SHORT, key="k")
    server.messages[CHANNEL].clear()
    failure = await failure_of(connected.edit(HERE, LATER_SHORT, key="k", parts=first.parts))
    assert (failure.kind, str(failure)) == (DeliveryFailure.REJECTED, "The message is not there any more.")
    assert (await failure_of(connected.edit(HERE, LATER_LONG, key="k", parts=first.parts))).kind is failure.kind
    assert (await failure_of(connected.edit(HERE, SHORT, key="k", parts=()))).kind is failure.kind
    assert server.messages[CHANNEL] == []
    assert await connected.reachable(HERE) is None


async def test_a_surplus_part_that_people_deleted_is_short_enough(server, connected):
    first = await connected.deliver(HERE, LONG, key="k")
    del server.messages[CHANNEL][1]
    assert (await connected.edit(HERE, LATER_SHORT, key="k", parts=first.parts)).parts == first.parts
    assert titles(server) == ["Later 0", "Later 1"]


async def test_where_nobody_can_see_what_stands_below_a_longer_message_changes_nothing(server, connected):
    first = await connected.deliver(HERE, SHORT, key="k")
    await server.allow(VIEW | 1 << 11)
    known = connected._connection._listener.get_channel(int(CHANNEL))
    await until(lambda: not known.permissions_for(known.guild.me).read_message_history)
    failure = await failure_of(connected.edit(HERE, LATER_LONG, key="k", parts=first.parts))
    assert failure.kind is DeliveryFailure.REJECTED
    assert "Read Message History" in str(failure)
    assert titles(server) == ["Paper 0", "Paper 1"]


# Who runs a server


async def test_the_owner_of_the_server_is_its_steward(server, connected):
    assert await connected.stewards(HERE) == (f"discord:@{ALICE}",)
    assert server.count("GET /guilds/*") == 0


async def test_without_the_gateway_the_owner_is_asked_for(server, discord):
    assert await discord.stewards(HERE) == (f"discord:@{ALICE}",)


async def test_the_owner_is_still_known_when_the_channel_is_deleted(server, connected):
    await connected.deliver(HERE, SHORT, key="k")
    await server.delete_channel(CHANNEL)
    await until(lambda: connected._connection._listener.get_channel(int(CHANNEL)) is None)
    assert await connected.stewards(HERE) == (f"discord:@{ALICE}",)


async def test_a_person_has_no_stewards_and_an_unknown_channel_neither(server, discord):
    assert await discord.stewards(BOBS) == ()
    assert server.calls == []
    assert await discord.stewards("discord:12345") == ()


# Places that refused


async def test_a_place_that_refused_is_not_asked_again(server, connected):
    server.access[CHANNEL] = (403, 20012)
    first = await failure_of(connected.deliver(HERE, SHORT, key="k"))
    again = await failure_of(connected.deliver(HERE, SHORT, key="k2"))
    assert (again.kind, str(again)) == (first.kind, str(first))
    assert server.count(POSTS) == 1
    assert await connected.reachable(HERE) == str(first)
    assert server.count("* /channels/*") == 1


async def test_a_place_that_is_open_again_by_what_the_gateway_tells_is_asked_again(server, connected):
    await server.allow(VIEW)
    await until(lambda: not connected._places.seems_open(CHANNEL))
    assert (await failure_of(connected.deliver(HERE, SHORT, key="k"))).kind is DeliveryFailure.FORBIDDEN
    await server.allow(READ_SEND_HISTORY)
    await until(lambda: connected._places.seems_open(CHANNEL))
    assert (await connected.deliver(HERE, SHORT, key="k")).parts


async def test_somebody_who_asks_in_a_place_may_have_mended_it(server, connected):
    server.access[CHANNEL] = (403, 20012)
    await failure_of(connected.deliver(HERE, SHORT, key="k"))
    server.access.clear()
    assert "20012" in await connected.reachable(HERE)
    await (await server.slash("list")).answered()
    assert await connected.reachable(HERE) is None
    assert (await connected.deliver(HERE, SHORT, key="k")).parts


async def test_a_person_who_takes_no_messages_is_asked_once_a_day_and_no_oftener(server, connected):
    server.closed_dms = {BOB}
    why = str(await failure_of(connected.deliver(BOBS, SHORT, key="k")))
    assert await connected.reachable(BOBS) == why
    await failure_of(connected.deliver(BOBS, SHORT, key="k2"))
    assert sum(route.startswith("POST /channels/") for route, _ in server.calls) == 1


# Limits


async def test_so_many_refusals_of_late_keep_paperboy_from_asking_at_all(server, discord):
    for number in range(6):
        await failure_of(discord.deliver(f"discord:{1000 + number}", SHORT, key="k"))
    calls = len(server.calls)
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k"))
    assert failure.kind is DeliveryFailure.RETRY
    assert 0 < failure.retry_after <= 600
    assert (await failure_of(discord.reachable(HERE))).kind is DeliveryFailure.RETRY
    assert len(server.calls) == calls


async def test_people_are_still_answered_while_paperboy_holds_back(server, connected):
    for number in range(6):
        await failure_of(connected.deliver(f"discord:{1000 + number}", SHORT, key="k"))
    assert await (await server.slash("list")).answered()


async def test_draining_runs_into_no_limit_that_discord_has_told(server, connected):
    server.bucket = (5, 0.3)
    places = [HERE, THERE, f"discord:@{ALICE}", BOBS]

    async def drain(place):
        for number in range(12):
            await connected.deliver(place, SHORT, key=f"k{number}")

    await asyncio.gather(*map(drain, places))
    assert server.limited == 0
    assert [len(messages) for messages in server.messages.values()] == [12] * 4


async def test_a_limited_channel_delays_no_other(server, connected):
    server.bucket = (5, 15.0)

    async def deliver_six():
        for number in range(6):  # one after the other, as the courier does for each address
            await connected.deliver(HERE, SHORT, key=f"k{number}")

    slow = asyncio.create_task(deliver_six())
    await until(lambda: server.count(POSTS) == 5)
    await connected.deliver(THERE, SHORT, key="k")
    assert server.count(POSTS) == 5
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_nobody_asks_while_discord_has_stopped_everything(server, connected):
    server.global_wait = 0.3
    first = asyncio.create_task(connected.deliver(HERE, SHORT, key="k"))
    await until(lambda: not connected._rest._http._global_over.is_set())
    await asyncio.gather(first, *(connected.deliver(THERE, SHORT, key=f"k{number}") for number in range(4)))
    assert server.limited == 1
    assert server.pushy == 0
