"""Commands and buttons: an unmodified discord.py against a Discord on loopback."""

from __future__ import annotations

import asyncio
import logging
from datetime import date, time

import pytest

from bots.discord import Discord
from core.chat import commands as c
from core.chat.message import Button, Card, Kind, Message, text
from tests.fakes import MemoryStore
from tests.servers.discord import ALICE, BOB, CHANNEL, EPHEMERAL, TOKEN, DiscordServer, Fault
from tests.servers.discord_limits import walk
from tests.waiting import until

HIT = Card("2310.01234", "Grokking", "https://arxiv.org/abs/2310.01234", buttons=(Button("🔖", "save", "2310.01234"),))


class Desk:
    """Stands where core stands: keeps what was asked, says what it is told to."""

    def __init__(self):
        self.asked = []
        self.says = Message(Kind.ANSWER, heading="Found", cards=(HIT,), buttons=(Button("Next", "page", "5"),))
        self.hold = None
        self.broken = False

    async def answer(self, request):
        self.asked.append(request)
        if self.hold is not None:
            await self.hold.wait()
        if self.broken:
            raise RuntimeError("a bug")
        return self.says


def shown(asked):
    return "\n".join(item.get("content", "") for message in asked.shown for item in walk(message["components"]))


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture
def desk():
    return Desk()


async def start(server, desk):
    discord = Discord(
        TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01, 0.02)
    )
    listening = asyncio.create_task(discord.listen(desk.answer))
    await asyncio.wait_for(discord.ready(), 20)
    return discord, listening


async def end(discord, listening):
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await discord.close()


@pytest.fixture
async def discord(server, desk):
    running, listening = await start(server, desk)
    yield running
    await end(running, listening)


OPTIONS = c.Options(
    at=time(8, 30), timezone="Europe/Berlin", days=(0, 3), weekly=False, top=3, quiet=True, when_ready=False
)
TYPED = {"at": "8:30", "timezone": "europe/berlin", "days": "mon,thu", "top": 3, "quiet": True, "when_ready": False}


@pytest.mark.parametrize(
    ("sub", "options", "command"),
    [
        ("search", {"query": "length generalization"}, c.Search("length generalization")),
        ("today", {}, c.Today()),
        ("subscribe", {"interests": "diffusion"}, c.Subscribe("diffusion")),
        ("subscribe", {"top": 7}, c.Subscribe("", c.Options(top=7))),
        ("subscribe", {"interests": "diffusion", **TYPED}, c.Subscribe("diffusion", OPTIONS)),
        ("list", {}, c.ListAll()),
        ("unsubscribe", {"number": "2"}, c.Unsubscribe(2)),
        ("unsubscribe", {"number": "all"}, c.Unsubscribe(None)),
        ("pause", {"number": 2}, c.Pause(2)),
        ("resume", {"number": 2}, c.Resume(2)),
        ("edit", {"number": 2, "interests": "graphs"}, c.Edit(2, "graphs")),
        ("edit", {"number": 2, **TYPED}, c.Edit(2, None, OPTIONS)),
        ("why", {"paper": "2310.01234"}, c.Why("2310.01234")),
        ("similar", {"paper": "2310.01234"}, c.Similar("2310.01234")),
        ("cite", {"paper": "2310.01234"}, c.Cite("2310.01234")),
        ("edit", {"number": 2, "no_repeats": False}, c.Edit(2, None, c.Options(no_repeats=False))),
        ("send", {"number": 2}, c.Send(2)),
        ("send", {"number": 2, "date": "2026-11-23", "again": True}, c.Send(2, date(2026, 11, 23), again=True)),
        ("saved", {}, c.Saved()),
        ("saved", {"form": "ris"}, c.Saved("ris")),
        ("taste", {}, c.Taste()),
        ("taste", {"reset": True}, c.Taste(reset=True)),
        ("help", {}, c.Help()),
    ],
)
async def test_each_command_arrives_as_typed_and_is_answered_to_the_asker_alone(
    server, desk, discord, sub, options, command
):
    asked = await (await server.slash(sub, **options)).answered()
    assert [request.command for request in desk.asked] == [command]
    assert "Grokking" in shown(asked)
    assert all(message["flags"] & EPHEMERAL for message in asked.shown)


async def test_a_command_is_acknowledged_before_its_answer_is_there(server, desk, discord):
    desk.hold = asyncio.Event()
    asked = await server.slash("search", query="x")
    await asked.until(lambda asked: asked.acknowledged is not None)
    assert asked.shown == []
    desk.hold.set()
    assert "Grokking" in shown(await asked.answered())


async def test_a_request_says_who_asks_and_where(server, desk, discord):
    await (await server.slash("list", user=BOB)).answered()
    (request,) = desk.asked
    assert (request.person, request.place, request.private) == (f"discord:@{BOB}", f"discord:{CHANNEL}", False)
    assert request.timezone is None


@pytest.mark.parametrize(("user", "may_manage"), [(ALICE, True), (BOB, False)])
async def test_only_who_may_manage_the_channel_may_manage_its_subscriptions(server, desk, discord, user, may_manage):
    await (await server.slash("list", user=user)).answered()
    assert desk.asked[0].may_manage is may_manage


async def test_in_a_direct_message_the_place_is_the_person(server, desk, discord):
    await discord.deliver(f"discord:@{BOB}", desk.says, key="opens the channel")
    asked = await server.slash("subscribe", interests="x", user=BOB, channel=server.direct[BOB])
    assert "Grokking" in shown(await asked.answered())
    (request,) = desk.asked
    assert (request.place, request.private, request.may_manage) == (f"discord:@{BOB}", True, True)


@pytest.mark.parametrize(
    ("sub", "options", "told"),
    [
        ("subscribe", {"interests": "x", "at": "half past nine"}, "is not a time"),
        ("subscribe", {"interests": "x", "timezone": "Berlim"}, "Europe/Berlin"),
        ("edit", {"number": 1, "days": "someday"}, "are not days"),
        ("unsubscribe", {"number": "everything"}, "is not the number"),
    ],
)
async def test_an_option_that_cannot_be_read_is_told_to_the_asker_and_reaches_nobody_else(
    server, desk, discord, sub, options, told
):
    asked = await (await server.slash(sub, **options)).answered()
    assert told in shown(asked)
    assert asked.shown[0]["flags"] & EPHEMERAL
    assert desk.asked == []


async def test_a_public_answer_is_seen_by_everybody_and_the_asker_is_told_where_it_is(server, desk, discord):
    desk.says = Message(Kind.ANSWER, lines=(text("for all"),), public=True)
    asked = await (await server.slash("today")).answered(2)
    assert [bool(message["flags"] & EPHEMERAL) for message in asked.shown] == [True, False]
    assert shown(asked) == "Posted below, for everybody here.\nfor all"


async def test_a_long_answer_goes_on_in_further_messages_to_the_asker_alone(server, desk, discord):
    desk.says = Message(Kind.ANSWER, lines=tuple(text("word " * 200) for _ in range(12)))
    asked = await (await server.slash("help")).answered(3)
    assert all(message["flags"] & EPHEMERAL for message in asked.shown)
    assert shown(asked).count("word") == 2400


async def test_a_button_of_a_digest_from_before_a_restart_works(server, desk):
    discord, listening = await start(server, desk)
    digest = Message(Kind.DIGEST, heading="Digest", cards=(HIT,))
    await discord.deliver(f"discord:{CHANNEL}", digest, key="k")
    await end(discord, listening)
    discord, listening = await start(server, desk)
    desk.says = Message(Kind.ANSWER, lines=(text("Saved."),))
    (message,) = server.messages[CHANNEL]
    asked = await (await server.click(message, "🔖", user=BOB)).answered()
    assert desk.asked[-1].command == c.Press("save", "2310.01234")
    assert desk.asked[-1].person == f"discord:@{BOB}"
    assert shown(asked) == "Saved."
    assert asked.shown[0]["flags"] & EPHEMERAL
    assert "Digest" in message["components"][0]["content"]
    await end(discord, listening)


async def test_paging_changes_the_page_that_holds_the_button(server, desk, discord):
    first = await (await server.slash("search", query="x")).answered()
    page = first.shown[0]
    desk.says = Message(Kind.ANSWER, heading="Page two", replaces=True)
    asked = await server.click(page, "Next")
    await asked.until(lambda asked: "Page two" in page["components"][0]["content"])
    assert desk.asked[-1].command == c.Press("page", "5")
    assert page["flags"] & EPHEMERAL
    assert asked.followups == []


async def test_sharing_posts_for_everybody_and_leaves_the_page_as_it_is(server, desk, discord):
    first = await (await server.slash("search", query="x")).answered()
    before = list(first.shown[0]["components"])
    desk.says = Message(Kind.ANSWER, heading="Shared", public=True)
    asked = await (await server.click(first.shown[0], "Next")).answered()
    assert not asked.shown[0]["flags"] & EPHEMERAL
    assert first.shown[0]["components"] == before


async def test_a_button_from_another_version_says_so(server, desk, discord):
    old = {"type": 2, "label": "?", "custom_id": "earlier:thing", "style": 2}
    message = {**server._message(CHANNEL, {}), "components": [{"type": 1, "components": [old]}]}
    asked = await (await server.click(message, "?")).answered()
    assert "another version of paperboy" in shown(asked)
    assert asked.shown[0]["flags"] & EPHEMERAL
    assert desk.asked == []


@pytest.mark.parametrize(
    ("option", "typed", "offered"),
    [("timezone", "berl", "Europe/Berlin"), ("at", "7", "07:00"), ("days", "w", "weekdays")],
)
async def test_options_are_suggested_while_they_are_typed(server, discord, option, typed, offered):
    for sub in ("subscribe", "edit"):
        asked = await server.complete(sub, option, typed)
        assert asked.choices[0] == {"name": offered, "value": offered}


async def test_ready_made_interests_are_offered_by_name_with_what_they_are_about(server, discord):
    for sub in ("subscribe", "edit"):
        asked = await server.complete(sub, "interests", "genom")
        assert asked.choices[0] == {
            "name": "genomics: Genomes, gene expression and single cells",
            "value": "topic:genomics",
        }


async def test_a_date_that_is_none_is_told_to_the_asker(server, desk, discord):
    asked = await (await server.slash("send", number=2, date="monday")).answered()
    assert "not a date" in shown(asked)
    assert desk.asked == []


async def test_a_bug_is_one_sentence_to_the_asker_and_a_traceback_in_the_log(server, desk, discord, caplog):
    desk.broken = True
    asked = await (await server.slash("list")).answered()
    assert "Something went wrong" in shown(asked)
    assert "a bug" not in shown(asked)
    assert "RuntimeError: a bug" in caplog.text


async def test_a_command_in_a_form_that_is_no_longer_ours_gets_a_sentence(server, desk, discord):
    for option in server.commands[0]["options"]:
        if option["name"] == "search":
            option["options"][0]["name"] = "terms"
    asked = await (await server.slash("search", terms="x")).answered()
    assert "have just changed" in shown(asked)


async def test_an_acknowledgement_whose_reply_is_lost_counts(server, desk, discord):
    server.faults = [Fault("POST /interactions/*", drop=True, applied=True)]
    asked = await (await server.slash("list")).answered()
    assert "Grokking" in shown(asked)
    assert server.count("POST /interactions/*") == 2


async def test_an_interaction_that_somebody_else_took_is_left_to_them(server, desk, discord):
    refused = {"code": 40060, "message": "Interaction has already been acknowledged."}
    server.faults = [Fault("POST /interactions/*", status=400, body=refused)]
    await server.slash("list")
    await until(lambda: not server.faults[0].times)
    await (await server.slash("help")).answered()
    assert [request.command for request in desk.asked] == [c.Help()]


async def test_an_answer_survives_a_discord_that_stumbles(server, desk, discord):
    server.faults = [Fault("PATCH /webhooks/*", status=503), Fault("PATCH /webhooks/*", drop=True, applied=True)]
    asked = await (await server.slash("list")).answered()
    assert "Grokking" in shown(asked)
    assert len(asked.shown) == 1


async def test_an_answer_that_cannot_arrive_is_one_line_in_the_log(server, desk, discord, caplog):
    gone = {"code": 50027, "message": "Invalid Webhook Token"}
    server.faults = [Fault("PATCH /webhooks/*", status=401, body=gone)]
    await server.slash("list")
    await until(lambda: "did not arrive" in caplog.text)
    await (await server.slash("help")).answered()
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "did not arrive" in line.getMessage()
    assert line.exc_info is None


async def test_answers_under_way_arrive_before_the_end(server, desk):
    discord, listening = await start(server, desk)
    desk.hold = asyncio.Event()
    asked = await server.slash("list")
    await asked.until(lambda asked: asked.acknowledged is not None)
    asyncio.get_running_loop().call_later(0.1, desk.hold.set)
    await end(discord, listening)
    assert "Grokking" in shown(asked)
