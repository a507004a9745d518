"""What every registered platform keeps, however it shows things."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module

import pytest

from bots import ADDRESSES, PLATFORMS
from core.chat.message import Button, Card, Kind, Link, Message, Span, text
from core.errors import DeliveryError, DeliveryFailure
from core.settings import Settings
from tests.fakes import MemoryStore
from tests.servers import discord as discord_parts
from tests.servers import mail as mail_parts
from tests.servers import slack as slack_parts
from tests.servers.discord import DiscordServer
from tests.servers.mail import MailServer
from tests.servers.slack import SlackServer

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PINGS = ("@everyone", "@here", "<!channel>", "<!here>", "<@U1ALICE>", "<@400>", "<@&200>", "<#300>")
SECRETS = {
    "slack_bot_token": slack_parts.BOT_TOKEN,
    "slack_app_token": slack_parts.APP_TOKEN,
    "discord_token": discord_parts.TOKEN,
    "smtp_password": mail_parts.PASSWORD,
    "paperboy_secret_key": "a secret of thirty-two characters and more",
}
MAIL = {"smtp_url": "smtp://paperboy@127.0.0.1:9", "from": "papers@paperboy.example"}
SETTINGS = Settings.model_validate({"secrets": SECRETS, "email": MAIL})


def card(number, **fields):
    values = {
        "paper": f"2611.{number:05}",
        "title": f"Paper number {number}",
        "url": f"https://arxiv.org/abs/2611.{number:05}",
        "byline": "Ada Lovelace, Alan Turing",
        "facts": "cs.LG",
        "why": "matches grokking",
        "summary": f"It is number {number}. " * 12,
        "links": (Link("PDF", f"https://arxiv.org/pdf/2611.{number:05}"),),
        "buttons": (Button("👍", "up", f"2611.{number:05}"), Button("👎", "down", f"2611.{number:05}")),
    }
    return Card(**{**values, **fields})


def digest(count, **fields):
    cards = tuple(card(number) for number in range(1, count + 1))
    whole = Message(Kind.DIGEST, "Papers for grokking", lines=(text("Monday 23 November 2026"),), cards=cards)
    return replace(whole, **fields)


def make(name, settings=SETTINGS):
    module, _, class_name = PLATFORMS[name].partition(":")
    return getattr(import_module(module), class_name).from_settings(settings, lambda: NOW, MemoryStore())


@pytest.fixture(params=PLATFORMS)
async def platform(request):
    made = make(request.param)
    yield made
    await made.close()


def said(payload):
    """Everything that stands in a payload, as it goes over the wire."""
    return json.dumps(payload, ensure_ascii=False)


def test_there_is_a_loopback_server_for_every_platform():
    assert set(PLATFORMS) == set(ADDRESSES) == set(TOWNS)


async def test_it_answers_to_the_name_it_is_registered_under(platform):
    assert platform.name in PLATFORMS
    assert type(platform) is type(make(platform.name))


@pytest.mark.parametrize("count", [0, 1, 5, 50])
async def test_every_card_is_there_once_and_in_order(platform, count):
    whole = "".join(map(said, platform.payload(digest(count))))
    places = [whole.find(f"Paper number {number}") for number in range(1, count + 1)]
    assert -1 not in places
    assert places == sorted(places)
    assert all(f"https://arxiv.org/abs/2611.{number:05}" in whole for number in range(1, count + 1))


async def test_rendering_is_pure(platform):
    message = digest(20)
    assert platform.payload(message) == platform.payload(message)


async def test_a_sample_is_marked_in_every_part_and_nothing_else_is(platform):
    assert all("SAMPLE" in said(payload) for payload in platform.payload(digest(40, sample=True)))
    assert not any("SAMPLE" in said(payload) for payload in platform.payload(digest(40)))


@pytest.mark.parametrize("ping", PINGS)
async def test_nobody_is_pinged_wherever_the_words_stand(platform, ping):
    words = text(f"see {ping} now", Span(f"*{ping}*", bold=True), Span(ping, url="https://example.org"))
    loud = card(1, **dict.fromkeys(("title", "byline", "facts", "why", "summary", "summary_by"), f"a {ping} b"))
    message = digest(0, heading=f"for {ping}", lines=(words,), cards=(loud,), closing=(words,))
    for payload in platform.payload(message):
        if payload.get("allowed_mentions") == {"parse": []}:
            continue  # told not to ping, which Discord heeds wherever it stands
        if "html" in payload:  # mail knows no pings; what could be a tag is none
            assert ping.startswith("@") or ping not in payload["html"]
            continue
        assert not {"link_names", "parse"} & payload.keys(), "without these, Slack reads no @ in what bots say"
        assert ping.startswith("@") or ping not in live_words(payload)


def live_words(payload):
    """The words of a Slack payload that Slack reads for markup; plain_text and rich text are shown as they are."""
    found = []

    def walk(part):
        if isinstance(part, dict):
            if part.get("type") in {"plain_text", "text", "link"}:
                return
            found.extend(value for value in part.values() if isinstance(value, str))
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inner)

    walk(payload)
    return " ".join(found)


async def test_an_error_is_one_message_with_its_sentence(platform):
    sentence = "There is no #7 here."
    (payload,) = platform.payload(Message(Kind.ERROR, lines=(text(sentence),)))
    assert sentence in said(payload)


async def test_four_thousand_characters_and_odd_ones_fit_somehow(platform):
    message = digest(0, heading="h" * 4000, lines=(text("x" * 4000), text("\u202e\x00\ud83d")), closing=())
    assert platform.payload(replace(message, cards=(card(1, title="t" * 4000, summary="s" * 9000, byline=""),)))


@pytest.mark.parametrize("address", ["nobody", "", "@", "@nobody", "/"])
async def test_an_address_that_cannot_be_is_gone_and_nothing_worse(town, address):
    with pytest.raises(DeliveryError) as caught:
        await town.platform.deliver(f"{town.platform.name}:{address}", digest(1), key="s1/2026-11-23")
    assert caught.value.kind in {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REJECTED}
    assert "\n" not in str(caught.value)


async def test_what_was_delivered_is_found_again_by_its_key_alone(town):
    parts = []

    async def sent(name):
        parts.append(name)

    receipt = await town.platform.deliver(town.place, digest(30), key="s1/2026-11-23", sent=sent)
    assert list(receipt.parts) == parts
    assert len(parts) == len(town.platform.payload(digest(30)))
    assert len(parts) > 1 or not town.splits
    since = NOW.replace(year=2020)
    assert list(await town.platform.find(town.place, "s1/2026-11-23", since)) == parts
    assert list(await town.platform.find(town.place, "s1/2026-11-24", since)) == []


async def test_a_delivery_goes_on_behind_the_parts_that_arrived(town):
    whole = await town.platform.deliver(town.place, digest(30), key="a/2026-11-23")
    count = town.count()
    receipt = await town.platform.deliver(town.place, digest(30), key="b/2026-11-23", done=whole.parts[:1])
    assert town.count() - count == len(whole.parts) - 1
    assert receipt.parts[0] == whole.parts[0]


async def test_where_it_can_post_there_is_nothing_to_say_and_elsewhere_one_sentence(town):
    async with listening(town.platform):
        assert await town.platform.reachable(town.place) is None
        problem = await town.platform.reachable(f"{town.platform.name}:nobody")
    assert problem
    assert "\n" not in problem


async def test_a_check_says_what_is_well_and_never_a_secret(town):
    checks = await town.platform.check()
    assert [what for what, well, _ in checks if not well] == []
    assert checks
    town.revoke()
    ill = await town.platform.check()
    assert [what for what, well, _ in ill if not well]
    assert not [secret for secret in SECRETS.values() if secret in str([*checks, *ill])]


async def test_a_revoked_token_is_told_as_that(town):
    town.revoke()
    with pytest.raises(DeliveryError) as caught:
        await town.platform.deliver(town.place, digest(1), key="s1/2026-11-23")
    assert caught.value.kind is DeliveryFailure.REVOKED
    with pytest.raises(DeliveryError) as caught:
        await town.platform.listen(lambda request: None)
    assert caught.value.kind is DeliveryFailure.REVOKED


async def test_where_others_listen_it_delivers_and_finds_without_a_connection_of_its_own(town):
    async with standing_by(town.platform):
        receipt = await town.platform.deliver(town.place, digest(2), key="s1/2026-11-23")
        found = await town.platform.find(town.place, "s1/2026-11-23", NOW.replace(year=2020))
        assert list(found) == list(receipt.parts)
        assert town.listeners() == 0


async def test_standing_by_with_a_token_that_is_revoked_is_told_as_that(town):
    town.revoke()
    with pytest.raises(DeliveryError) as caught:
        await asyncio.wait_for(town.platform.stand_by(), 30)
    assert caught.value.kind is DeliveryFailure.REVOKED


def listening(platform):
    """Be connected, as the service is."""

    async def answer(request):
        raise AssertionError(f"nobody asked for {request}")

    return going_on(platform, platform.listen(answer))


def standing_by(platform):
    """Be ready to deliver, as a worker is."""
    return going_on(platform, platform.stand_by())


@asynccontextmanager
async def going_on(platform, work):
    task = asyncio.create_task(work)
    try:
        await asyncio.wait_for(platform.ready(), 30)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class SlackTown:
    """A platform at home: its server, a place it can post to, whether what is long becomes several posts."""

    splits = True
    place = f"slack:{slack_parts.TEAM}/{slack_parts.MEMBER}"

    def __init__(self):
        self._server = SlackServer()

    async def __aenter__(self):
        await self._server.__aenter__()
        address = {"slack": {"api_url": self._server.api_url}}
        self.platform = make("slack", Settings.model_validate({"secrets": SECRETS, **address}))
        return self

    async def __aexit__(self, *_):
        await self.platform.close()
        await self._server.__aexit__()

    def count(self):
        return len(self._server.posts)

    def listeners(self):
        return int(self._server.connected)

    def revoke(self):
        self._server.refused_tokens = dict.fromkeys((slack_parts.BOT_TOKEN, slack_parts.APP_TOKEN), "token_revoked")


class DiscordTown:
    """The same for Discord."""

    splits = True
    place = f"discord:{discord_parts.CHANNEL}"

    def __init__(self):
        self._server = DiscordServer()

    async def __aenter__(self):
        await self._server.start()
        addresses = {"api_url": self._server.api_url, "gateway_url": self._server.gateway_url}
        self.platform = make("discord", Settings.model_validate({"secrets": SECRETS, "discord": addresses}))
        return self

    async def __aexit__(self, *_):
        await self.platform.close()
        await self._server.stop()

    def count(self):
        return len(self._server.messages.get(discord_parts.CHANNEL, []))

    def listeners(self):
        return int(self._server.is_connected)

    def revoke(self):
        self._server.valid_token = "another"


class MailTown:
    """The same for mail."""

    splits = False
    place = "email:reader@example.org"

    def __init__(self):
        self._server = MailServer(login=True)

    async def __aenter__(self):
        await self._server.__aenter__()
        self.platform = make("email", Settings.model_validate({"secrets": SECRETS, "email": self._server.settings()}))
        return self

    async def __aexit__(self, *_):
        await self.platform.close()
        await self._server.__aexit__()

    def count(self):
        return len(self._server.letters)

    def listeners(self):
        return 0

    def revoke(self):
        self._server.password = "another"
        self.platform.line._client = None  # the connection that was logged in has ended


TOWNS = {"slack": SlackTown, "discord": DiscordTown, "email": MailTown}


@pytest.fixture(params=PLATFORMS)
async def town(request):
    async with TOWNS[request.param]() as opened:
        yield opened
