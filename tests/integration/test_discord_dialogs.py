"""Forms, menus of messages, and what is offered while typing: discord.py and the real core, a Discord on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import time

import pytest

from bots.discord import Discord
from bots.discord.replies import CONTINUED, MOST_FOLLOW_UPS
from core.chat.message import Kind, Message, text
from tests.fakes import MemoryStore
from tests.servers.discord import ALICE, BOB, CHANNEL, EPHEMERAL, TOKEN, DiscordServer, Fault
from tests.servers.discord_limits import walk
from tests.worlds import make_record, open_world

HERE = f"discord:{CHANNEL}"
RECORDS = (
    make_record("2310.00001", "Grokking in small transformers"),
    make_record("2310.00002", "Neural scaling laws"),
)


def shown(asked):
    return "\n".join(item.get("content", "") for message in asked.shown for item in walk(message["components"]))


def labels(message):
    return [item["label"] for item in walk(message["components"]) if item["type"] == 2]


def field(modal, name):
    return next(part["component"] for part in modal["components"] if part["component"]["custom_id"] == name)


def chosen(modal, name):
    return [option["value"] for option in field(modal, name)["options"] if option["default"]]


@pytest.fixture
async def server():
    async with DiscordServer() as running:
        yield running


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


class Running:
    def __init__(self, server, store, answer):
        self.discord = Discord(
            TOKEN, store=store, api_url=server.api_url, gateway_url=server.gateway_url, delays=(0.01, 0.02)
        )
        self.answer = answer

    async def __aenter__(self):
        self.listening = asyncio.create_task(self.discord.listen(self.answer))
        await asyncio.wait_for(self.discord.ready(), 20)
        return self.discord

    async def __aexit__(self, *_):
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.discord.close()


@pytest.fixture
async def discord(server, world):
    async with Running(server, world.house.store, world.desk.answer) as running:
        yield running


async def subscriptions(world):
    return await world.house.store.subscriptions(HERE)


async def test_subscribe_with_nothing_said_asks_in_a_form_and_does_what_it_says(server, world, discord):
    asked = await server.slash("subscribe")
    filled = await server.submit(
        asked,
        interests="grokking\n-survey",
        when="when ready by 9:30 in europe/berlin",
        days="daily",
        size="3",
        more=["quiet", "no repeats"],
    )
    assert "Subscribed as #1" in shown(await filled.answered())
    assert filled.shown[0]["flags"] & EPHEMERAL
    (kept,) = await subscriptions(world)
    assert (kept.interests, kept.when_ready, kept.at, kept.timezone) == (
        "grokking -survey",
        True,
        time(9, 30),
        "Europe/Berlin",
    )
    assert (kept.days, kept.top) == ((0, 1, 2, 3, 4, 5, 6), 3)
    assert kept.quiet
    assert kept.no_repeats


async def test_a_new_form_shows_the_defaults_and_the_zone_that_the_asker_used_last(server, world, discord):
    first = (await (await server.slash("subscribe")).until(lambda asked: asked.modal)).modal
    assert field(first, "when")["value"] == "08:00 in UTC"
    assert [chosen(first, name) for name in ("days", "size", "more")] == [["weekdays"], ["5"], []]
    await (await server.slash("subscribe", interests="x", timezone="Asia/Tokyo")).answered()
    again = (await (await server.slash("subscribe")).until(lambda asked: asked.modal)).modal
    assert field(again, "when")["value"] == "08:00 in Asia/Tokyo"
    others = (await (await server.slash("subscribe", user=BOB)).until(lambda asked: asked.modal)).modal
    assert field(others, "when")["value"] == "08:00 in UTC"


async def test_edit_with_nothing_said_shows_the_subscription_and_changes_what_was_changed(server, world, discord):
    said = {"at": "7:15", "days": "mon,fri", "top": 7, "quiet": True, "no_repeats": True}
    await (await server.slash("subscribe", interests="grokking", **said)).answered()
    asked = await (await server.slash("edit", number=1)).until(lambda asked: asked.modal)
    assert asked.modal["title"] == "Change subscription #1"
    shows = [field(asked.modal, name)["value"] for name in ("interests", "when")]
    assert shows == ["grokking", "07:15 in UTC"]
    assert (chosen(asked.modal, "days"), chosen(asked.modal, "size")) == (["mon,fri"], ["7"])
    assert chosen(asked.modal, "more") == ["quiet", "no repeats"]
    (before,) = await subscriptions(world)
    filled = await (await server.submit(asked, interests="scaling")).answered()
    assert "#1 is now" in shown(filled)
    (after,) = await subscriptions(world)
    assert after == replace(before, interests="scaling")


async def test_a_form_that_is_wrong_is_told_to_the_asker_and_opens_again_with_all_that_was_typed(
    server, world, discord
):
    asked = await server.slash("subscribe")
    typed = {"interests": '"open phrase', "when": "at noon in Berlim", "size": "20", "more": ["no repeats"]}
    refused = await (await server.submit(asked, **typed)).answered()
    assert "is not a time" in shown(refused) or "is not a time zone" in shown(refused)
    assert refused.shown[0]["flags"] & EPHEMERAL
    again = await (await server.click(refused.shown[0], "Back to the form")).until(lambda asked: asked.modal)
    assert [field(again.modal, name)["value"] for name in ("interests", "when")] == [typed["interests"], typed["when"]]
    assert (chosen(again.modal, "size"), chosen(again.modal, "more")) == (["20"], ["no repeats"])
    mended = await server.submit(again, interests="grokking", when="12:00 in Europe/Berlin")
    assert "Subscribed as #1" in shown(await mended.answered())


async def test_who_may_not_manage_the_channel_is_told_so_and_keeps_what_was_typed(server, world, discord):
    asked = await server.slash("subscribe", user=BOB)
    refused = await (await server.submit(asked, user=BOB, interests="grokking")).answered()
    assert "right to manage the channel" in shown(refused)
    assert labels(refused.shown[0]) == ["Back to the form"]
    assert not await subscriptions(world)


async def test_the_list_offers_a_form_for_each_subscription_also_after_a_restart(server, world):
    async with Running(server, world.house.store, world.desk.answer):
        for interests in ("grokking", "scaling"):
            done = await (await server.slash("subscribe", interests=interests)).answered()
        assert labels(done.shown[0]) == ["Change #2…"]
        listed = await (await server.slash("list")).answered()
        assert labels(listed.shown[0]) == ["Subscribe…", "Change #1…", "Change #2…"]
    async with Running(server, world.house.store, world.desk.answer):
        asked = await (await server.click(listed.shown[0], "Change #2…")).until(lambda asked: asked.modal)
        assert field(asked.modal, "interests")["value"] == "scaling"
        await (await server.slash("unsubscribe", number="2")).answered()
        gone = await (await server.click(listed.shown[0], "Change #2…")).answered()
        assert "There is no #2 here any more" in shown(gone)


@pytest.mark.parametrize(
    ("sub", "option", "typed"), [("why", "paper", "grok"), ("similar", "paper", "2310"), ("cite", "paper", "small tra")]
)
async def test_papers_are_offered_by_title_or_id(server, discord, sub, option, typed):
    asked = await server.complete(sub, option, typed)
    assert asked.choices[0] == {"name": "Grokking in small transformers · 2310.00001", "value": "2310.00001"}


async def test_the_numbers_of_subscriptions_are_offered_with_what_they_are_about(server, discord):
    for interests in ("grokking", "scaling"):
        await (await server.slash("subscribe", interests=interests)).answered()
    for sub in ("pause", "resume", "edit"):
        offered = (await server.complete(sub, "number", "")).choices
        assert [choice["value"] for choice in offered] == [1, 2]
    assert offered[0]["name"] == "#1 grokking, at 08:00 in UTC, weekdays, top 5"
    offered = (await server.complete("unsubscribe", "number", "scal")).choices
    assert [choice["value"] for choice in offered] == ["2"]
    offered = (await server.complete("unsubscribe", "number", "")).choices
    assert [choice["value"] for choice in offered] == ["1", "2", "all"]


async def test_ready_made_interests_are_offered(server, discord):
    asked = await server.complete("subscribe", "interests", "geno")
    assert any(choice["value"] == "topic:genomics" for choice in asked.choices)


async def test_the_menu_of_a_message_finds_papers_like_the_one_it_links(server, discord):
    message = {**server._message(CHANNEL, {}), "content": "read https://arxiv.org/abs/2310.00001v2, all of you"}
    asked = await (await server.about("Find similar papers", message, user=BOB)).answered()
    assert "Like: Grokking in small transformers" in shown(asked)
    assert asked.shown[0]["flags"] & EPHEMERAL


async def test_the_menu_of_a_digest_asks_which_paper_and_then_says_why_it_is_there(server, world, discord):
    digest = (await world.house.newsroom.front_page(world.now)).message
    await discord.deliver(HERE, digest, key="k")
    (message,) = server.messages[CHANNEL]
    asked = await (await server.about("Why this", message)).answered()
    assert labels(asked.shown[0]) == ["Why this", "Why this"]
    told = await (await server.click(asked.shown[0], "Why this")).answered()
    assert "Fetched on" in shown(told)


async def test_details_are_shown_to_whoever_presses_for_them_alone(server, world, discord):
    await discord.deliver(HERE, (await world.house.newsroom.front_page(world.now)).message, key="k")
    (message,) = server.messages[CHANNEL]
    asked = await (await server.click(message, "Details", user=BOB)).answered()
    assert "We study" in shown(asked)
    assert asked.shown[0]["flags"] & EPHEMERAL


async def test_in_a_server_without_paperboy_words_are_about_the_askers_direct_messages(server, world, discord):
    server.installed = {"1": ALICE}
    await (await server.slash("subscribe", interests="grokking")).answered()
    (kept,) = await world.house.store.subscriptions()
    assert kept.address == f"discord:@{ALICE}"


async def test_what_discord_lets_nobody_say_there_follows_in_direct_messages(server):
    lines = tuple(text(f"line {number} " + "word " * 600) for number in range(9))

    async def answer(_):
        return Message(Kind.ANSWER, lines=lines)

    server.installed = {"1": ALICE}
    async with Running(server, MemoryStore(), answer):
        asked = await (await server.slash("help")).answered(1 + MOST_FOLLOW_UPS)
        while len(server.messages.get(server.direct.get(ALICE, ""), [])) < len(lines) - MOST_FOLLOW_UPS:
            await asyncio.sleep(0.01)
    assert CONTINUED in shown(asked)
    further = "".join(
        item.get("content", "") for sent in server.messages[server.direct[ALICE]] for item in walk(sent["components"])
    )
    said = shown(asked) + further
    assert [said.count(f"line {number} ") for number in range(9)] == [1] * 9


async def test_a_form_whose_reply_is_lost_is_shown_once(server, world, discord):
    server.faults = [Fault("POST /interactions/*", drop=True, applied=True)]
    asked = await (await server.slash("subscribe")).until(lambda asked: asked.modal)
    assert "Subscribed" in shown(await (await server.submit(asked, interests="x")).answered())
    while server.count("POST /interactions/*") < 3:  # the form again, whose reply was lost, may come after the answer
        await asyncio.sleep(0.01)


async def test_a_form_is_shown_by_a_discord_that_stumbles(server, world, discord):
    server.faults = [Fault("POST /interactions/*", status=503), Fault("POST /interactions/*", drop=True)]
    asked = await (await server.slash("subscribe")).until(lambda asked: asked.modal)
    assert "Subscribed" in shown(await (await server.submit(asked, interests="x")).answered())
