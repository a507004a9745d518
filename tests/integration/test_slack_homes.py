"""App Home is kept current for those who opened it lately, whoever or whatever changed what it shows."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bots.slack.homes import Rhythm
from bots.slack.visitors import FACT, KEPT_FOR, MOST, Visitors
from core.chat import commands as c
from core.chat.message import Kind, Message
from core.errors import StoreError
from core.store import State
from tests.fakes import MemoryStore, make_change, make_delivery, make_subscription
from tests.integration.slack_rooms import WAYS, Clock, listening, open_room
from tests.servers.slack import ALICE, MEMBER, Fault, Waits
from tests.slacks import SOCKET, slack_at

BOB, CAROL = "U2BOB", "U3CAROL"
ME = f"slack:T1/{ALICE}"
HERE, HIDDEN = f"slack:T1/{MEMBER}", "slack:T1/G9HIDDEN"
QUICK = Rhythm(settle=0.01, look=0.01, between=0.01)


@pytest.fixture(name="room", params=WAYS)
async def run_room(request):
    async with open_room(WAYS[request.param], rhythm=QUICK) as opened:
        opened.desk.answers[c.Saved] = Message(Kind.ANSWER)
        opened.server.joined |= {ALICE: [MEMBER], BOB: [], CAROL: [MEMBER]}
        yield opened


async def open_home(room, *people):
    for person in people:
        await room.server.event("app_home_opened", user=person, tab="home")
        await room.drawn(person)


async def forgotten(room, address):
    """Wait until nobody whose address begins so is known as a visitor: homes may be drawn anew before that."""
    async with asyncio.timeout(10):
        while address in str(await room.store.fact(FACT)):
            await asyncio.sleep(0.01)


def drawn(room, person):
    return [call for call in room.server.made("views.publish") if call.args["user_id"] == person]


async def subscribe(room, name, address, interests):
    await room.store.add_subscription(make_subscription(name, address, interests=interests), make_change())


async def test_what_a_colleague_subscribes_a_channel_to_is_seen_by_those_in_it(room):
    await open_home(room, ALICE, CAROL)
    await subscribe(room, "here", HERE, "kernels")
    await room.drawn(ALICE, "kernels")
    await room.drawn(CAROL, "kernels")


async def test_a_digest_that_arrived_is_among_the_last_ones(room):
    await subscribe(room, "here", HERE, "kernels")
    await open_home(room, ALICE)
    await room.store.enqueue(make_delivery("here", address=HERE, state=State.SENT, note="https://t.example/p1"))
    await room.drawn(ALICE, "https://t.example/p1")


async def test_a_digest_on_its_way_does_not_hide_the_one_before_it(room):
    await subscribe(room, "here", HERE, "kernels")
    sent = make_delivery("here", address=HERE, state=State.SENT, note="https://t.example/p1")
    await room.store.enqueue(sent)
    await room.store.enqueue(replace(sent, day=sent.day + timedelta(days=1), state=State.PENDING, note=""))
    await open_home(room, ALICE)
    await room.drawn(ALICE, "https://t.example/p1")


async def test_a_change_draws_the_homes_that_show_it_and_no_other(room):
    await subscribe(room, "here", HERE, "kernels")
    await subscribe(room, "hidden", HIDDEN, "hush")
    await open_home(room, ALICE, BOB)
    await subscribe(room, "mine", ME, "scaling")
    await room.drawn(ALICE, "scaling")  # from now on it is known what there is
    before = len(drawn(room, BOB))
    await subscribe(room, "more", HIDDEN, "hush hush")
    await subscribe(room, "mine too", ME, "grokking")
    await room.drawn(ALICE, "grokking")
    assert len(drawn(room, BOB)) == before
    assert "hush" not in json.dumps([call.args["view"] for call in room.server.made("views.publish")])


async def test_who_never_opened_it_has_none_drawn(room):
    await subscribe(room, "mine", ME, "grokking")
    await open_home(room, BOB)
    await subscribe(room, "here", HERE, "kernels")
    await room.server.slash("search q")
    await room.replied()
    assert drawn(room, ALICE) == []


async def test_many_changes_at_once_are_drawn_together_and_one_home_at_a_time(room):
    await open_home(room, ALICE, CAROL)
    release = asyncio.Event()
    at_once = []
    publish = room.slack._parts.homes._publish

    async def slowly(person, answer):
        at_once.append(person)
        await release.wait()
        await publish(person, answer)

    room.slack._parts.homes._publish = slowly
    await subscribe(room, "a", HERE, "first")
    await room.server.until(lambda: at_once)
    for number in range(20):
        await subscribe(room, f"more{number}", HERE, f"number {number}")
    assert len(at_once) == 1, "the second home waits for the first"
    release.set()
    for person in (ALICE, CAROL):
        await room.drawn(person, "number 16")
    assert len(at_once) <= 6


async def test_a_home_that_cannot_be_drawn_keeps_no_other_from_being_drawn(room, caplog):
    await open_home(room, ALICE, CAROL)
    room.server.fail("views.publish", Fault(error="not_enabled"))
    await subscribe(room, "here", HERE, "kernels")
    await room.server.until(lambda: "could not be drawn" in caplog.text)
    await room.server.until(lambda: any("kernels" in str(view) for view in room.server.homes.values()))
    refused = next(person for person in (ALICE, CAROL) if "kernels" not in str(room.server.homes[person]))
    await subscribe(room, "more", HERE, "more kernels")
    await room.server.until(lambda: any("more kernels" in str(view) for view in room.server.homes.values()))
    assert "kernels" not in str(room.server.homes[refused]), "it is drawn again when it is opened, and not before"
    await open_home(room, refused)
    await room.drawn(refused, "more kernels")


async def test_after_a_restart_homes_are_drawn_again_without_being_opened(room):
    await open_home(room, ALICE)
    async with asyncio.timeout(20):
        while await room.store.fact(FACT) is None:
            await asyncio.sleep(0.01)
    room.server.homes.clear()
    again = slack_at(room.server.api_url, by=SOCKET, store=room.store, clock=room.clock, sleep=Waits(), rhythm=QUICK)
    async with listening(again, room.desk):
        await room.drawn(ALICE)


async def test_who_has_everything_deleted_is_forgotten_as_a_visitor_too_and_sees_it_gone(room):
    await subscribe(room, "mine", ME, "grokking")
    await open_home(room, ALICE)
    view = await room.drawn(ALICE, "grokking")
    await room.server.press_in_view(view, "paperboy-home:erase", value="me")
    await room.shows("It is deleted")
    await room.drawn(ALICE, "Nothing comes to you alone yet")
    await forgotten(room, ME)


async def test_when_a_workspace_has_everything_deleted_nobodys_home_shows_it_any_longer(room):
    await subscribe(room, "here", HERE, "kernels")
    room.server.profiles[ALICE] = {"is_owner": True}
    await open_home(room, ALICE, CAROL)
    view = await room.drawn(ALICE, "kernels")
    await room.server.press_in_view(view, "paperboy-home:erase:2", value="workspace")
    await room.shows("It is deleted")
    for person in (ALICE, CAROL):
        await room.drawn(person, "No channel you are in gets papers yet")
    await forgotten(room, "slack:")


async def test_what_cannot_be_deleted_is_said_and_nothing_is_claimed(room):
    await open_home(room, ALICE)

    async def forget(address):
        raise StoreError(f"{address} cannot be forgotten: no space left.")

    room.store.forget = forget
    await room.server.press_in_view(await room.drawn(ALICE), "paperboy-home:erase", value="me")
    await room.shows("Nothing was deleted: ")


async def test_a_workspace_that_removed_paperboy_has_no_homes_kept(room):
    await open_home(room, ALICE)
    async with asyncio.timeout(20):
        while await room.store.fact(FACT) is None:
            await asyncio.sleep(0.01)
    await room.server.event("app_uninstalled")
    async with asyncio.timeout(20):
        while ME in str(await room.store.fact(FACT)):
            await asyncio.sleep(0.01)


async def test_visitors_are_written_down_once_a_day_and_forgotten_when_they_stay_away():
    clock, store = Clock(), MemoryStore()
    visitors = Visitors(store, clock)
    await visitors.came("slack:T1/A")
    await store.set_fact(FACT, "{}")
    await visitors.came("slack:T1/A")
    assert await store.fact(FACT) == "{}"
    clock.pass_by(days=KEPT_FOR.days)
    await visitors.came("slack:T1/B")
    assert list(visitors.newest_first()) == ["slack:T1/B", "slack:T1/A"]
    clock.pass_by(days=1)
    await visitors.came("slack:T2/C")
    assert not visitors.knows("slack:T1/A")
    await visitors.forget("slack:T1/")
    later = Visitors(store, clock)
    await later.load()
    assert list(later.newest_first()) == ["slack:T2/C"]


async def test_no_more_visitors_are_kept_than_can_be_drawn():
    clock, store = Clock(), MemoryStore()
    known = {f"slack:T1/U{number}": clock().date().isoformat() for number in range(MOST)}
    await store.set_fact(FACT, json.dumps(known))
    visitors = Visitors(store, clock)
    await visitors.load()
    clock.pass_by(days=1)
    await visitors.came("slack:T1/NEW")
    assert len(visitors.newest_first()) == MOST
    assert visitors.knows("slack:T1/NEW")
