"""Thirty days after an account was switched off nothing about that person is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.slack.leavers import FORGET_AFTER, Leavers
from bots.slack.visitors import Visitors
from tests.fakes import MemoryStore, make_change, make_mark, make_subscription
from tests.integration.slack_rooms import Clock
from tests.servers.slack import ALICE, MEMBER, Fault, SlackServer, Waits
from tests.slacks import slack_at

ME, OTHER, HERE = f"slack:T1/{ALICE}", "slack:T1/U2BOB", f"slack:T1/{MEMBER}"


@pytest.fixture(name="server")
async def run_server():
    async with SlackServer() as running:
        yield running


@pytest.fixture(name="store")
async def make_store():
    kept = MemoryStore()
    await kept.add_subscription(make_subscription("mine", ME, created_by=ME), make_change())
    await kept.add_subscription(make_subscription("here", HERE, created_by=ME), make_change())
    await kept.add_subscription(make_subscription("mail", "email:a@b.org", created_by="email:a@b.org"), make_change())
    for person in (ME, OTHER):
        await kept.mark(make_mark(person=person, place=HERE))
    return kept


async def take_round(server, store, clock):
    slack = slack_at(server.api_url, store=store, clock=clock, sleep=Waits())
    visitors = Visitors(store, clock)
    await visitors.came(ME)
    await Leavers(slack._workspaces, store, visitors, clock, between=0).round()
    return visitors


async def test_who_left_thirty_days_ago_is_forgotten_and_the_channel_keeps_its_papers(server, store):
    clock = Clock()
    server.profiles[ALICE] = {"deleted": True, "updated": int((clock() - FORGET_AFTER).timestamp())}
    visitors = await take_round(server, store, clock)
    assert [item.id for item in await store.subscriptions()] == ["mail", "here"]
    assert [mark.person for mark in await store.marks()] == [OTHER]
    assert (await store.subscription("here")).created_by == HERE
    assert not visitors.knows(ME)


@pytest.mark.parametrize(
    "profile",
    [
        {"deleted": True, "updated": int((Clock()() - FORGET_AFTER + timedelta(hours=1)).timestamp())},
        {"deleted": False, "updated": 1},
        {"deleted": True},
        {"updated": 1},
    ],
    ids=["a day too early", "still there", "nobody knows since when", "changed only"],
)
async def test_nobody_else_is(server, store, profile):
    server.profiles[ALICE] = profile
    await take_round(server, store, Clock())
    assert len(await store.subscriptions()) == 3
    assert len(await store.marks()) == 2


async def test_where_slack_does_not_tell_nothing_is_deleted_and_the_round_goes_on(server, store):
    clock = Clock()
    gone = {"deleted": True, "updated": 1}
    server.profiles |= {ALICE: gone, "U2BOB": gone}
    server.fail("users.info", Fault(error="user_not_found"))
    await take_round(server, store, clock)
    assert len(server.made("users.info")) == 2
    assert len(await store.marks()) == 1
