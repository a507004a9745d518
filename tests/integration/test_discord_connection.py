"""Starting, staying connected, ending: and what `doctor` has to say."""

from __future__ import annotations

import asyncio
import logging

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bots.discord import Discord
from bots.discord.listener import Listener
from core.chat import commands as c
from core.chat.message import Kind, Message, text
from core.clock import system_clock
from core.errors import DeliveryError, DeliveryFailure
from core.settings import read_settings
from tests.fakes import MemoryStore, make_change, make_subscription
from tests.servers.discord import APP, CHANNEL, FORUM, OTHER_CHANNEL, SEND, TOKEN, DiscordServer, Fault
from tests.worlds import open_world

REGISTER = f"PUT /applications/{APP}/commands"


async def say_hello(_):
    return Message(Kind.ANSWER, lines=(text("hello"),))


def make(server, *, token=TOKEN):
    return Discord(
        token, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01, 0.02)
    )


class Running:
    """A Discord that listens while the block runs."""

    def __init__(self, server):
        self.discord = make(server)

    async def __aenter__(self):
        self.listening = asyncio.create_task(self.discord.listen(say_hello))
        return self.discord

    async def __aexit__(self, *_):
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.discord.close()


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


async def answered(server):
    await (await server.slash("help")).answered()


async def test_it_is_made_of_the_settings(server, tmp_path):
    environment = {
        "DISCORD_TOKEN": TOKEN,
        "PAPERBOY_DISCORD__API_URL": server.api_url,
        "PAPERBOY_DISCORD__GATEWAY_URL": server.gateway_url,
        "PAPERBOY_HOME": str(tmp_path),
    }
    discord = Discord.from_settings(read_settings(environment), system_clock, MemoryStore())
    listening = asyncio.create_task(discord.listen(say_hello))
    await asyncio.wait_for(discord.ready(), 20)
    await answered(server)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await discord.close()


async def test_no_privileged_intent_is_asked_for(server):
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        assert server.last_seen["intents"] == 1


async def test_commands_are_registered_once_and_again_only_when_they_changed(server):
    for _ in range(2):
        async with Running(server) as discord:
            await asyncio.wait_for(discord.ready(), 20)
    assert server.count(REGISTER) == 1
    server.commands[0]["options"].pop()
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
    assert server.count(REGISTER) == 2


async def test_refused_commands_do_not_keep_paperboy_from_delivering(server, caplog):
    server.faults = [Fault(REGISTER, status=400, body={"code": 50035, "message": "Invalid Form Body"})]
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
    assert "could not be registered" in caplog.text


async def test_an_unreachable_discord_is_tried_until_it_is_there():
    async with DiscordServer() as gone:
        port = gone.port
    server = DiscordServer()
    server.port = port
    async with Running(server) as discord:
        await asyncio.sleep(0.2)
        await server.start(port)
        await asyncio.wait_for(discord.ready(), 20)
    await server.stop()


async def test_a_discord_that_stumbles_at_the_start_is_tried_again(server):
    server.faults = [Fault("GET /oauth2/applications/@me", status=503), Fault(REGISTER, status=503, times=5)]
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        await answered(server)


async def test_a_bad_token_ends_listening_and_is_not_printed(server, caplog):
    discord = make(server, token="not-the-token")
    with pytest.raises(DeliveryError) as raised:
        await discord.listen(say_hello)
    assert raised.value.kind is DeliveryFailure.REVOKED
    assert "DISCORD_TOKEN" in str(raised.value)
    assert "not-the-token" not in str(raised.value) + caplog.text
    await discord.close()


async def test_a_token_that_the_gateway_refuses_ends_listening(server):
    discord = make(server)
    listening = asyncio.create_task(discord.listen(say_hello))
    await asyncio.wait_for(discord.ready(), 20)
    await server.close_gateway(4004)
    with pytest.raises(DeliveryError) as raised:
        await asyncio.wait_for(listening, 20)
    assert raised.value.kind is DeliveryFailure.REVOKED
    await discord.close()


async def test_asked_to_reconnect_it_resumes_where_it_was_pointed_at(server):
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        await server.ask_to_reconnect()
        await server.connected()
        await answered(server)
    assert (server.identified, server.resumed) == (1, 1)


async def test_a_broken_connection_is_resumed(server):
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        await server.close_gateway(4000)
        await server.connected()
        await answered(server)
    assert server.resumed == 1


async def test_a_connection_that_discord_ends_for_good_is_made_anew(server):
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        await server.close_gateway(4011)
        await server.connected()
        await answered(server)
    assert (server.identified, server.resumed) == (2, 0)
    assert server.count(REGISTER) == 1


async def test_no_token_is_ever_logged_and_no_handler_is_installed(server, caplog):
    handlers = list(logging.getLogger().handlers), list(logging.getLogger("discord").handlers)
    caplog.set_level(logging.DEBUG)
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        wait = {"message": "slow down", "retry_after": 0.01, "global": False}
        server.faults = [Fault("PATCH /webhooks/*", status=429, body=wait)]
        asked = await (await server.slash("help")).answered()
    mentions = [
        record for record in caplog.records if asked.token in record.getMessage() or TOKEN in record.getMessage()
    ]
    assert [record for record in mentions if record.name.startswith(("discord", "bots"))] == []
    assert (list(logging.getLogger().handlers), list(logging.getLogger("discord").handlers)) == handlers


async def test_closing_ends_listening(server):
    discord = make(server)
    listening = asyncio.create_task(discord.listen(say_hello))
    await asyncio.wait_for(discord.ready(), 20)
    await discord.close()
    await asyncio.wait_for(listening, 20)


async def test_closing_what_never_started_is_fine(server):
    await make(server).close()
    assert server.calls == []


async def test_closing_what_has_not_begun_to_connect_is_fine():
    listener = Listener()
    async with listener:
        pass  # it was told to end before it could do anything
    await listener.close()


async def test_without_addresses_in_the_settings_it_is_discord_itself(server):
    make(server)
    Discord(TOKEN, store=MemoryStore())
    assert Route.BASE == "https://discord.com/api/v10"
    assert str(DiscordWebSocket.DEFAULT_GATEWAY) == "wss://gateway.discord.gg/"


async def test_doctor_finds_everything_well_once_it_runs(server):
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        findings = await discord.check()
    assert all(well for _, well, _ in findings)
    told = {what: details for what, _, details in findings}
    assert "paperboy" in told["Discord token"]
    assert "registered and current" in told["Discord commands"]
    assert "998 of 1000" in told["Discord gateway"]


async def test_doctor_says_how_to_mend_what_is_not_well(server):
    server.endpoint = "https://example.org/interactions"
    server.in_guild = False
    discord = make(server)
    findings = {what: (well, details) for what, well, details in await discord.check()}
    assert findings["Discord interactions"][0] is False
    assert "clear Interactions Endpoint URL" in findings["Discord interactions"][1]
    assert findings["Discord servers"][0] is False
    assert f"client_id={APP}" in findings["Discord servers"][1]
    assert "applications.commands" in findings["Discord servers"][1]
    assert findings["Discord commands"] == (True, "paperboy run will register /papers when it starts")
    await discord.close()


async def test_doctor_names_the_subscribed_channels_that_cannot_be_posted_to_and_what_they_lack(server):
    store = MemoryStore()
    for number, channel in enumerate((CHANNEL, OTHER_CHANNEL, FORUM, "9999")):
        await store.add_subscription(make_subscription(f"s{number}", f"discord:{channel}"), make_change())
    discord = Discord(TOKEN, store=store, api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01,))

    async def told():
        return next((well, words) for what, well, words in await discord.check() if what == "Discord channels")

    well, words = await told()
    assert (well, "9999" in words, f"#channel-{CHANNEL}" in words) == (False, True, False)
    server.everyone &= ~SEND
    well, words = await told()
    assert f"#channel-{CHANNEL}; allow it Send Messages there" in words
    assert f"#channel-{FORUM}; allow it Create Posts there" in words
    await discord.close()


async def test_doctor_tells_of_privileged_intents_that_nobody_needs(server):
    server.flags = 1 << 19
    discord = make(server)
    told = {what: words for what, _, words in await discord.check()}
    assert "Message Content Intent may be switched off" in told["Discord intents"]
    await discord.close()


async def test_the_page_offers_discord_where_the_application_is_named(server, tmp_path):
    discord = make(server)
    async with open_world(tmp_path) as world:
        assert discord.routes(world.house) == ()
    async with open_world(tmp_path / "named", discord={"application_id": "123456789012345678"}) as world:
        client = TestClient(Starlette(routes=list(discord.routes(world.house))), follow_redirects=False)
        answer = client.get("/discord/install")
    assert answer.status_code == 303
    assert "client_id=123456789012345678" in answer.headers["location"]
    assert answer.headers["location"].startswith("https://discord.com/oauth2/authorize?")
    await discord.close()


async def test_doctor_tells_a_bad_token_from_a_discord_that_is_away(server):
    discord = make(server, token="wrong")
    ((what, well, details),) = await discord.check()
    assert (what, well) == ("Discord token", False)
    assert "DISCORD_TOKEN" in details
    await discord.close()
    server.faults = [Fault("*", status=503, times=99)]
    discord = make(server)
    ((_, well, details),) = await discord.check()
    assert not well
    assert "503" in details
    await discord.close()


async def test_listing_works_while_a_command_is_answered_slowly(server):
    hold = asyncio.Event()

    async def answer(request):
        if isinstance(request.command, c.Search):
            await hold.wait()
        return Message(Kind.ANSWER, lines=(text(type(request.command).__name__),))

    discord = make(server)
    listening = asyncio.create_task(discord.listen(answer))
    await asyncio.wait_for(discord.ready(), 20)
    slow = await server.slash("search", query="x")
    await (await server.slash("list")).answered()
    assert slow.shown == []
    hold.set()
    await slow.answered()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await discord.close()


async def test_a_discord_that_asks_for_several_connections_gets_them_and_answers_on_each(server):
    server.shards = 3
    async with Running(server) as discord:
        await asyncio.wait_for(discord.ready(), 20)
        assert server.identified == 3
        await answered(server)
        await server.ask_to_reconnect()
        await server.connected()
        await answered(server)
    assert (server.identified, server.resumed) == (3, 1)
