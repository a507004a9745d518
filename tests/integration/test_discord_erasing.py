"""What is kept about a person or a server is deleted at once when they ask for it, and only after they were asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bots.discord import Discord
from bots.discord.erasing import SERVER
from core.chat.erasing import KEPT, MINE
from core.chat.message import Button, Kind, Message, text
from core.errors import StoreError
from core.store import State
from tests.fakes import MemoryStore, make_change, make_delivery, make_mark, make_subscription
from tests.servers.discord import ALICE, BOB, CHANNEL, EPHEMERAL, GUILD, OTHER_CHANNEL, TOKEN, DiscordServer
from tests.servers.discord_limits import walk

ME, HIM = f"discord:@{ALICE}", f"discord:@{BOB}"
HERE, THERE, ELSEWHERE = f"discord:{CHANNEL}", f"discord:{OTHER_CHANNEL}", "discord:999"
SAID = Message(Kind.ANSWER, lines=(text("what there is"),))


class FullDisk(MemoryStore):
    """A store that cannot forget."""

    async def forget(self, address):
        raise StoreError(f"{address} cannot be forgotten: no space left.")


async def stock(store):
    for name, address in (("mine", ME), ("his", HIM), ("here", HERE), ("there", THERE), ("else", ELSEWHERE)):
        await store.add_subscription(make_subscription(name, address, created_by=ME), make_change(address=address))
        await store.enqueue(make_delivery(name, state=State.SENT, address=address))
    for person in (ME, HIM):
        await store.mark(make_mark(person=person, place=HERE))
    return store


class Running:
    """A Discord that listens while the block runs."""

    def __init__(self, server, store, said=SAID):
        self._said = said
        self.discord = Discord(TOKEN, store=store, api_url=server.api_url, gateway_url=server.gateway_url, delays=(0,))

    async def __aenter__(self):
        async def answer(_request):
            return self._said

        self.listening = asyncio.create_task(self.discord.listen(answer))
        await asyncio.wait_for(self.discord.ready(), 20)
        return self

    async def __aexit__(self, *_):
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.discord.close()


@pytest.fixture(name="server")
async def run_server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture(name="store")
async def make_store():
    return await stock(MemoryStore())


def labels(asked):
    return [item["label"] for item in walk(asked.shown[0]["components"]) if item["type"] == 2]


def words(asked):
    return "\n".join(item.get("content", "") for message in asked.shown for item in walk(message["components"]))


async def kept(store):
    return [item.id for item in await store.subscriptions()]


async def question(server, erasure, *, user=ALICE, channel=CHANNEL):
    """Press the button below `help` and return the interaction that asks once more."""
    help_ = await (await server.slash("help", user=user, channel=channel)).answered()
    return await (await server.click(help_.shown[0], f"{erasure.offer}…", user=user)).answered()


async def confirmed(server, asked, label, *, user=ALICE):
    """Press a button of the question and return what stands there then."""
    message = asked.shown[0]
    pressed = await server.click(message, label, user=user)
    await pressed.until(lambda _: label not in str(message["components"]))
    return str(message["components"])


async def test_a_person_is_asked_first_and_then_told_in_a_sentence_what_was_deleted(server, store):
    async with Running(server, store):
        asked = await question(server, MINE)
        assert asked.shown[0]["flags"] & EPHEMERAL
        assert MINE.question in words(asked)
        assert MINE.consequence in words(asked)
        assert len(await kept(store)) == 5, "a question deletes nothing"
        assert MINE.done in await confirmed(server, asked, MINE.yes)
    assert sorted(await kept(store)) == ["else", "here", "his", "there"], "what channels receive stays"
    assert [mark.person for mark in await store.marks()] == [HIM]
    assert {item.created_by for item in await store.subscriptions()} == {HIM, HERE, THERE, ELSEWHERE}


async def test_who_would_rather_keep_it_keeps_it(server, store):
    async with Running(server, store):
        assert KEPT in await confirmed(server, await question(server, MINE), "Keep it")
    assert len(await kept(store)) == 5


async def test_whoever_presses_is_forgotten_and_never_somebody_else(server, store):
    async with Running(server, store):
        asked = await question(server, MINE)
        await confirmed(server, asked, MINE.yes, user=BOB)
    assert sorted(await kept(store)) == ["else", "here", "mine", "there"]


async def test_in_a_direct_message_only_ones_own_is_offered(server, store):
    server.direct[ALICE] = "555"
    async with Running(server, store):
        help_ = await (await server.slash("help", channel="555")).answered()
    assert labels(help_) == ["Subscribe…", f"{MINE.offer}…"]


async def test_it_is_offered_below_what_was_saved_as_far_as_there_is_room(server, store):
    full = replace(SAID, buttons=tuple(Button(str(number), "page", str(number)) for number in range(5)))
    async with Running(server, store):
        assert f"{MINE.offer}…" in labels(await (await server.slash("saved")).answered())
        assert f"{MINE.offer}…" not in labels(await (await server.slash("taste")).answered())
    async with Running(server, store, full):
        assert labels(await (await server.slash("saved")).answered()) == ["0", "1", "2", "3", "4"]


async def test_who_manages_the_server_can_have_everything_of_it_deleted(server, store):
    async with Running(server, store):
        asked = await question(server, SERVER)
        assert SERVER.consequence in words(asked)
        assert SERVER.done in await confirmed(server, asked, SERVER.yes)
    assert sorted(await kept(store)) == ["else", "his", "mine"], "people and other servers are not the server's"
    assert list(await store.marks()) == []
    assert await store.delivery("here", make_delivery().day) is None
    assert await store.delivery("else", make_delivery().day) is not None
    assert {change.address for change in await store.changes()} == {ME, HIM, ELSEWHERE}


async def test_a_server_that_was_deleted_stays_one_that_is_greeted_no_more_and_can_begin_anew(server, store):
    async with Running(server, store) as running:
        await confirmed(server, await question(server, SERVER), SERVER.yes)
        await store.add_subscription(make_subscription("again", HERE), make_change())
        await running.discord._servers.round(running.discord._connection.guilds())
    assert server.messages == {}
    assert "again" in await kept(store)


async def test_an_archived_thread_of_the_server_is_not_forgotten_to_be_deleted(server, store):
    thread = {"id": "77", "type": 11, "parent_id": CHANNEL, "name": "a thread", "guild_id": GUILD, "owner_id": "1"}
    state = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": "2026-01-01T00:00:00+00:00"}
    thread |= {"message_count": 1, "member_count": 1, "rate_limit_per_user": 0}
    thread |= {"thread_metadata": {**state, "locked": False}}
    await store.add_subscription(make_subscription("thread", "discord:77"), make_change())
    async with Running(server, store) as running:
        rounds = running.discord._servers.round
        await server.dispatch("THREAD_CREATE", thread)
        await (await server.slash("taste")).answered()
        await rounds(running.discord._connection.guilds())
        archived = {**thread, "thread_metadata": {**state, "locked": False, "archived": True}}
        await server.dispatch("THREAD_UPDATE", archived)
        await (await server.slash("taste")).answered()
        await rounds(running.discord._connection.guilds())
        await confirmed(server, await question(server, SERVER), SERVER.yes)
    assert "thread" not in await kept(store)


@pytest.mark.parametrize("value", ["server", "server yes"])
async def test_who_does_not_manage_the_server_cannot_have_it_deleted_whatever_is_sent(server, store, value):
    button = {"type": 2, "style": 4, "label": "x", "custom_id": f"pb:erase:{value}"}
    forged = {"id": "8", "channel_id": CHANNEL, "flags": 0, "components": [{"type": 1, "components": [button]}]}
    async with Running(server, store):
        help_ = await (await server.slash("help", user=BOB)).answered()
        assert f"{SERVER.offer}…" not in labels(help_)
        refused = await (await server.click(forged, "x", user=BOB)).answered()
    assert SERVER.refused in words(refused)
    assert refused.shown[0]["flags"] & EPHEMERAL
    assert len(await kept(store)) == 5


@pytest.mark.parametrize("value", ["server yes", "me@400 yes", "", "yes", f"{GUILD} yes", "everything yes"])
async def test_a_forged_or_stale_button_deletes_nothing(server, store, value):
    server.direct[ALICE] = "555"
    button = {"type": 2, "style": 4, "label": "x", "custom_id": f"pb:erase:{value}"}
    forged = {"id": "8", "channel_id": "555", "flags": 0, "components": [{"type": 1, "components": [button]}]}
    async with Running(server, store):
        said = words(await (await server.click(forged, "x")).answered())
    assert SERVER.refused in said or "another version" in said
    assert len(await kept(store)) == 5


async def test_what_could_not_be_deleted_is_said(server):
    async with Running(server, await stock(FullDisk())):
        asked = await question(server, MINE)
        pressed = await (await server.click(asked.shown[0], MINE.yes)).answered()
    assert "cannot be forgotten" in words(pressed)
