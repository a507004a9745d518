"""Deliveries: posting once whatever happens, finding again, and saying what is wrong with a place."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bots.discord import Discord
from bots.discord.marks import nonce
from core.chat.message import Card, Kind, Message, text
from core.errors import DeliveryError, DeliveryFailure
from tests.fakes import MemoryStore
from tests.servers.discord import (
    ALICE,
    BOB,
    CAROL,
    CHANNEL,
    GUILD,
    OTHER_CHANNEL,
    READ_SEND_HISTORY,
    SEND,
    TOKEN,
    VIEW,
    DiscordServer,
    Fault,
)
from tests.servers.discord_limits import problems

HERE = f"discord:{CHANNEL}"
SHORT = Message(Kind.DIGEST, heading="Digest", lines=(text("nothing today"),))
LONG = Message(
    Kind.DIGEST,
    heading="Digest",
    cards=tuple(
        Card(f"2310.{n:05}", f"Paper {n}", f"https://arxiv.org/abs/2310.{n:05}", summary="x " * 400) for n in range(60)
    ),
)
POSTS = f"POST /channels/{CHANNEL}/messages"


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture
async def discord(server):
    running = Discord(
        TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01, 0.02)
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


async def test_a_digest_is_posted_in_order_and_each_part_is_told_as_it_arrives(server, discord):
    told = []

    async def sent(part):
        told.append((part, len(server.messages[CHANNEL])))

    receipt = await discord.deliver(HERE, LONG, key="k", sent=sent)
    posted = server.messages[CHANNEL]
    assert len(posted) == 3
    assert list(receipt.parts) == [message["id"] for message in posted]
    assert told == [(message["id"], count + 1) for count, message in enumerate(posted)]


async def test_every_body_that_is_sent_is_one_that_discord_takes(server, discord):
    await discord.deliver(HERE, LONG, key="k")
    assert [problems(body) for route, body in server.calls if route == POSTS] == [[]] * len(server.messages[CHANNEL])


async def test_posting_goes_on_behind_the_parts_that_arrived_earlier(server, discord):
    whole = await discord.deliver(HERE, LONG, key="whole")
    server.messages.clear()
    first = await discord.deliver(HERE, LONG, key="k", done=whole.parts[:-2])
    assert len(server.messages[CHANNEL]) == 2
    assert first.parts[:-2] == whole.parts[:-2]
    assert "Digest" not in str(server.messages[CHANNEL])


async def test_a_receipt_tells_the_address_of_the_first_message(server, connected):
    receipt = await connected.deliver(HERE, LONG, key="k")
    assert receipt.url == f"https://discord.com/channels/{GUILD}/{CHANNEL}/{receipt.parts[0]}"
    receipt = await connected.deliver(f"discord:@{ALICE}", SHORT, key="k")
    assert receipt.url == f"https://discord.com/channels/@me/{server.direct[ALICE]}/{receipt.parts[0]}"


async def test_a_persons_direct_messages_are_opened_once(server, discord):
    for key in ("a", "b"):
        await discord.deliver(f"discord:@{ALICE}", SHORT, key=key)
    assert len(server.messages[server.direct[ALICE]]) == 2
    assert server.count("POST /users/@me/channels") == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(POSTS, status=503), id="503"),
        pytest.param(Fault(POSTS, status=503, applied=True), id="503 after it was posted"),
        pytest.param(Fault(POSTS, drop=True), id="connection dropped"),
        pytest.param(Fault(POSTS, drop=True, applied=True), id="connection dropped after it was posted"),
        pytest.param(
            Fault(POSTS, status=200, body="<html>a proxy</html>", headers={"Content-Type": "application/json"}),
            id="not JSON",
        ),
    ],
)
async def test_a_stumble_is_got_over_and_there_is_one_message(server, discord, fault):
    server.faults = [replace(fault)]
    receipt = await discord.deliver(HERE, SHORT, key="k")
    assert [message["id"] for message in server.messages[CHANNEL]] == list(receipt.parts)


@pytest.mark.parametrize("applied", [True, False])
async def test_after_all_tries_broke_nobody_claims_to_know_and_looking_tells(server, discord, applied):
    server.faults = [Fault(POSTS, drop=True, applied=applied, times=9)]
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k"))
    assert failure.kind is DeliveryFailure.UNKNOWN
    server.faults = []
    found = await discord.find(HERE, "k", long_ago())
    assert found == [message["id"] for message in server.messages.get(CHANNEL, [])]
    assert len(found) == applied


async def test_a_doubt_stays_when_a_later_try_was_surely_refused(server, discord):
    wait = {"message": "slow down", "retry_after": 900, "global": False}
    server.faults = [Fault(POSTS, drop=True, applied=True), Fault(POSTS, status=429, body=wait)]
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k"))
    assert failure.kind is DeliveryFailure.UNKNOWN


async def test_an_answer_with_status_200_that_is_a_page_leaves_it_open(server, discord):
    server.faults = [Fault(POSTS, status=200)]
    assert (await failure_of(discord.deliver(HERE, SHORT, key="k"))).kind is DeliveryFailure.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (404, 10003, DeliveryFailure.GONE, "channel"),
        (404, 10004, DeliveryFailure.GONE, "server"),
        (403, 50001, DeliveryFailure.FORBIDDEN, "View Channel"),
        (403, 50013, DeliveryFailure.FORBIDDEN, "Send Messages"),
        (400, 50035, DeliveryFailure.REJECTED, "50035"),
    ],
)
async def test_a_refusal_says_what_it_means_and_is_not_repeated(server, discord, status, code, kind, told):
    server.access[CHANNEL] = (status, code)
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k"))
    assert failure.kind is kind
    assert told in str(failure)
    assert server.count(POSTS) == 1


async def test_a_person_who_takes_no_messages_is_no_reason_to_try_again(server, discord):
    server.closed_dms = {BOB}
    assert (await failure_of(discord.deliver(f"discord:@{BOB}", SHORT, key="k"))).kind is DeliveryFailure.FORBIDDEN
    assert (await failure_of(discord.deliver("discord:@999", SHORT, key="k"))).kind is DeliveryFailure.GONE


@pytest.mark.parametrize("headers", [{"Retry-After": "17"}, {"Retry-After": "17", "Via": ""}])
async def test_a_wait_that_discord_asks_for_is_passed_on(server, discord, headers):
    body = {"message": "slow down", "retry_after": 17, "global": False} if "Via" in headers else "error code: 1015"
    server.faults = [Fault(POSTS, status=429, body=body, headers=headers)]
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k"))
    assert (failure.kind, failure.retry_after) == (DeliveryFailure.RETRY, 17)
    assert server.count(POSTS) == 1


async def test_a_short_wait_is_waited_out(server, discord):
    wait = {"message": "slow down", "retry_after": 0.05, "global": False}
    server.faults = [Fault(POSTS, status=429, body=wait)]
    assert len((await discord.deliver(HERE, SHORT, key="k")).parts) == 1


async def test_a_revoked_token_is_said_so(server, discord):
    await discord.deliver(HERE, SHORT, key="k")
    server.valid_token = "another"
    failure = await failure_of(discord.deliver(HERE, SHORT, key="k2"))
    assert failure.kind is DeliveryFailure.REVOKED
    assert TOKEN not in str(failure)


async def test_an_unreachable_discord_took_nothing():
    async with DiscordServer() as server:
        api_url = server.api_url
    discord = Discord(TOKEN, store=MemoryStore(), api_url=api_url, gateway_url="ws://127.0.0.1:9", delays=(0.01,))
    assert (await failure_of(discord.deliver(HERE, SHORT, key="k"))).kind is DeliveryFailure.RETRY
    await discord.close()


async def test_signing_in_late_is_enough_for_a_delivery(server, discord):
    server.faults = [Fault("GET /users/@me", status=503, times=2)]
    assert len((await discord.deliver(HERE, SHORT, key="k")).parts) == 1


@pytest.mark.parametrize("address", ["discord:", "discord:abc", "discord:@", "slack:T1/C1", "discord:²"])
async def test_an_address_that_is_none_is_refused_without_a_call(server, discord, address):
    assert (await failure_of(discord.deliver(address, SHORT, key="k"))).kind is DeliveryFailure.REJECTED
    assert server.calls == []


async def test_nothing_is_delivered_after_the_end(server, discord):
    await discord.deliver(HERE, SHORT, key="k")
    await discord.close()
    assert (await failure_of(discord.deliver(HERE, SHORT, key="k2"))).kind is DeliveryFailure.RETRY


async def test_a_delivery_is_found_among_everything_else_in_the_order_of_its_parts(server, connected):
    await connected.deliver(HERE, SHORT, key="another")
    receipt = await connected.deliver(HERE, LONG, key="k")
    stranger = {**server.messages[CHANNEL][0], "id": server.new_id(), "author": {"id": BOB}}
    server.messages[CHANNEL].append(stranger)
    assert await connected.find(HERE, "k", long_ago()) == list(receipt.parts)
    assert await connected.find(HERE, "unheard of", long_ago()) == []
    assert await connected.find(HERE, "k", datetime.now(UTC) + timedelta(hours=1)) == []


async def test_the_messages_of_a_stranger_are_never_taken_for_ours(server, discord):
    await discord.deliver(HERE, SHORT, key="k")
    server.messages[CHANNEL][0]["author"] = {"id": BOB}
    assert await discord.find(HERE, "k", long_ago()) == []


async def test_a_delivery_is_found_behind_a_hundred_other_messages(server, discord):
    for number in range(130):
        server.messages.setdefault(CHANNEL, []).append(
            server._message(CHANNEL, {"components": [], "nonce": nonce("other", number)})
        )
    receipt = await discord.deliver(HERE, SHORT, key="k")
    assert await discord.find(HERE, "k", long_ago()) == list(receipt.parts)


async def test_a_channel_with_too_much_in_it_cannot_be_looked_through(server, discord):
    server.messages[CHANNEL] = [server._message(CHANNEL, {}) for _ in range(600)]
    assert await discord.find(HERE, "k", long_ago()) is None


async def test_where_history_may_not_be_read_nobody_claims_that_nothing_is_there(server, discord):
    server.access[CHANNEL] = (403, 50001)
    assert await discord.find(HERE, "k", long_ago()) is None


async def test_an_empty_history_without_the_permission_to_read_it_means_nothing(server, discord):
    server.everyone = (1 << 10) | (1 << 11)
    listening = asyncio.create_task(discord.listen(lambda _: asyncio.sleep(0, SHORT)))
    await asyncio.wait_for(discord.ready(), 20)
    assert await discord.find(HERE, "k", long_ago()) is None
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.parametrize(("allowed", "found"), [(VIEW | SEND, None), (READ_SEND_HISTORY, [])])
async def test_a_worker_without_a_gateway_asks_whether_an_empty_history_means_anything(server, discord, allowed, found):
    server.everyone = allowed
    assert await discord.find(HERE, "k", long_ago()) == found


async def test_a_worker_learns_whether_a_place_can_be_posted_to_again(server, discord):
    assert await discord.reachable(HERE) is None
    server.everyone = VIEW
    assert "allow it Send Messages there" in await discord.reachable(HERE)


async def test_a_place_where_paperboy_may_post_is_reachable(server, connected):
    assert await connected.reachable(HERE) is None
    assert await connected.reachable(f"discord:@{CAROL}") is None


@pytest.mark.parametrize(
    ("allowed", "named"),
    [(1 << 10, "allow it Send Messages there"), (1 << 11, "View Channel"), (0, "View Channel and Send")],
)
async def test_a_place_where_paperboy_may_not_post_names_what_is_missing(server, discord, allowed, named):
    server.everyone = allowed
    listening = asyncio.create_task(discord.listen(lambda _: asyncio.sleep(0, SHORT)))
    await asyncio.wait_for(discord.ready(), 20)
    why = await discord.reachable(HERE)
    assert named in why
    assert f"#channel-{CHANNEL}" in why
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_without_the_gateway_only_what_rest_tells_for_sure_is_told(server, discord):
    server.access[OTHER_CHANNEL] = (403, 50001)
    assert "View Channel" in await discord.reachable(f"discord:{OTHER_CHANNEL}")
    assert "does not exist" in await discord.reachable("discord:12345")
    server.faults = [Fault(f"GET /guilds/{GUILD}", status=503, times=9)]
    failure = await failure_of(discord.reachable(HERE))
    assert failure.kind is DeliveryFailure.RETRY


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET /channels/*", status=503, times=9),
        Fault("GET /channels/*", drop=True, times=9),
        Fault("GET /channels/*", status=429, body={"message": "slow down", "retry_after": 900, "global": False}),
    ],
)
async def test_where_discord_does_not_answer_nobody_claims_that_a_place_can_be_posted_to(server, connected, fault):
    server.faults = [replace(fault)]
    assert (await failure_of(connected.reachable("discord:12345"))).kind is DeliveryFailure.RETRY


async def test_a_refused_token_is_known_not_to_post(server, discord):
    server.valid_token = "another"
    assert "DISCORD_TOKEN" in await discord.reachable(HERE)


@pytest.mark.parametrize(
    ("state", "allowed", "named"),
    [
        ({"archived": True, "locked": False}, READ_SEND_HISTORY, None),
        ({"archived": True, "locked": True}, READ_SEND_HISTORY, "unlock it"),
        ({"archived": True, "locked": False}, VIEW | SEND, "Send Messages in Threads"),
    ],
)
async def test_a_thread_that_the_gateway_does_not_show_is_judged_by_its_channel(
    server, connected, state, allowed, named
):
    server.threads["350"] = {"id": "350", "type": 11, "name": "talk", "parent_id": CHANNEL, "thread_metadata": state}
    await server.allow(allowed)
    await until(lambda: connected._connection._listener.guilds[0].default_role.permissions.value == allowed)
    why = await connected.reachable("discord:350")
    assert why is None if named is None else named in why
