"""Whole conversations with an unmodified discord.py in simcord's Discord, which knows limits and rights by itself.

What simcord cannot do, as connections that break, is tried against a Discord on loopback in the files beside this one.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass

import discord
import pytest
import simcord

from bots.discord.completions import Completions
from bots.discord.dialogs import Dialogs
from bots.discord.erasing import Erasing
from bots.discord.forms import Fields
from bots.discord.listener import Listener
from bots.discord.payload import payloads
from bots.discord.posts import Posts
from bots.discord.replies import Replies
from bots.discord.rest import Rest
from core.chat.erasing import MINE
from tests.servers.discord_limits import walk
from tests.worlds import World, make_record, open_world

RECORDS = tuple(make_record(f"2310.{number:05}", f"Grokking in transformers, part {number}") for number in range(1, 13))
DEFAULTS = Fields(when="08:00", timezone="UTC", days="weekdays", size="5")
FORM = {"interests": "grokking", "days": ["weekdays"], "size": ["5"]}


class InProcess(Rest):
    """Calls through the client that discord.py uses itself."""

    def __init__(self):
        super().__init__("token", delays=())
        self.client = None

    async def sign_in(self):
        return self.client.http


@dataclass
class Home:
    """A server with a channel, where alice manages and bob does not."""

    env: simcord.Env
    rest: InProcess
    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    bob: simcord.MemberActor

    @property
    def address(self):
        return f"discord:{self.channel.id}"


@asynccontextmanager
async def at_home(world: World):
    rest, store = InProcess(), world.house.store

    async def nowhere(*_):
        raise AssertionError("nothing has to go elsewhere")

    replies = Replies(
        rest=rest,
        answer=world.desk.answer,
        render=payloads,
        dialogs=Dialogs(rest=rest, store=store, defaults=DEFAULTS),
        erasing=Erasing(store, nowhere),
        elsewhere=nowhere,
    )
    rest.client = Listener(replies, completions=Completions(store=store, answer=world.desk.answer))
    async with simcord.run(rest.client, strict_sync=False) as env:
        guild = env.create_guild()
        rights = discord.Permissions(manage_channels=True, manage_guild=True)
        alice = guild.add_member(env.create_user("alice"), roles=[guild.create_role("managers", permissions=rights)])
        home = Home(env, rest, guild.create_text_channel("papers"), alice, guild.add_member(env.create_user("bob")))
        path = "/applications/{application_id}/commands"
        await rest.call("PUT", path, json=rest.client.commands(), application_id=rest.client.application_id)
        yield home


@pytest.fixture(name="world")
async def run_world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


def said(message):
    return "\n".join(item.get("content", "") for item in walk(message.components))


def first(message, label):
    """Return the name of the first button with a label."""
    every = [child for row in walk_objects(message.components) for child in row]
    return next(child.custom_id for child in every if child.label == label)


def walk_objects(components):
    for component in components:
        children = getattr(component, "children", ())
        if isinstance(component, discord.ActionRow):
            yield children
        else:
            yield from walk_objects(children)


def labels(message):
    return [item["label"] for item in walk(message.components) if item["type"] == 2]


async def test_from_the_form_to_the_list_to_another_time(world):
    async with at_home(world) as home:
        opened = await home.alice.slash(home.channel, "papers subscribe")
        assert opened.modal["title"] == "Have papers delivered here"
        sent = await home.alice.submit_modal(opened, FORM | {"when": "07:30 in Europe/Berlin"})
        assert sent.response.ephemeral
        assert "Subscribed as #1 to *grokking*" in said(sent.response)
        (kept,) = await world.house.store.subscriptions(home.address)
        assert (str(kept.at), kept.timezone, kept.interests) == ("07:30:00", "Europe/Berlin", "grokking")
        listed = await home.alice.slash(home.channel, "papers list")
        changing = await home.alice.click(listed.response.message, label="Change #1…")
        changed = await home.alice.submit_modal(changing, FORM | {"when": "09:00 in UTC"})
        assert "09:00" in said(changed.response)
        ended = await home.alice.slash(home.channel, "papers unsubscribe", number="1")
        assert "Unsubscribed: #1 grokking" in said(ended.response)
    assert list(await world.house.store.subscriptions()) == []


async def test_from_a_search_to_its_next_page_to_the_channel(world):
    async with at_home(world) as home:
        found = await home.bob.slash(home.channel, "papers search", query="grokking")
        assert found.response.ephemeral
        page = said(found.response)
        await home.bob.click(found.response.message, label="More →")
        assert said(found.response) != page
        shared = await home.bob.click(found.response.message, label="Share here")
        (public,) = shared.followups
        assert not public.ephemeral
        assert "Grokking in transformers" in said(public)


async def test_from_a_digest_to_what_is_saved(world):
    async with at_home(world) as home:
        digest = await home.alice.slash(home.channel, "papers today")
        assert digest.response.ephemeral
        message = await world.house.newsroom.today_for(home.address, world.now)
        await Posts(home.rest).send(str(home.channel.id), payloads(message), key="s1/2026-11-23", done=(), sent=None)
        posted = home.channel.last_message
        pressed = await home.bob.click(posted, custom_id=first(posted, "🔖"))
        assert pressed.acknowledged
        details = await home.bob.click(posted, custom_id=first(posted, "Details"))
        assert details.followups[0].ephemeral
        saved = await home.bob.slash(home.channel, "papers saved")
        assert "Grokking in transformers" in said(saved.response)


async def test_who_does_not_manage_the_channel_is_told_so_and_nothing_is_kept(world):
    async with at_home(world) as home:
        refused = await home.bob.slash(home.channel, "papers subscribe", interests="grokking")
        assert "needs the right to manage the channel" in said(refused.response)
        assert refused.response.ephemeral
    assert list(await world.house.store.subscriptions()) == []


async def test_from_help_to_being_forgotten(world):
    async with at_home(world) as home:
        help_ = await home.bob.slash(home.channel, "papers help")
        assert f"{MINE.offer}…" in labels(help_.response)
        asked = await home.bob.click(help_.response.message, label=f"{MINE.offer}…")
        (question,) = asked.followups
        assert question.ephemeral
        await home.bob.click(question.message, label=MINE.yes)
        assert said(question) == MINE.done


async def test_papers_and_zones_are_offered_while_they_are_typed(world):
    async with at_home(world) as home:
        papers = await home.bob.autocomplete(home.channel, "papers why", "paper", "grokking in")
        assert any("Grokking in transformers" in choice["name"] for choice in papers)
        zones = await home.bob.autocomplete(home.channel, "papers subscribe", "timezone", "tok")
        assert "Asia/Tokyo" in [choice["value"] for choice in zones]
