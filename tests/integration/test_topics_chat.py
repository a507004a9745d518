"""Subscribing to a ready-made interest by its name."""

from __future__ import annotations

import pytest

from bots.topics import read_topics
from tests.worlds import MONDAY, PLACE, make_record, open_world, words

RECORDS = [
    make_record("2611.00001", "Mechanism Design for Kidneys", categories=("cs.GT",)),
    make_record("2611.00002", "Kernel Methods"),
]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


async def test_a_name_subscribes_to_what_stands_under_it(world):
    answer = words(await world.ask("subscribe topic:game theory in UTC daily top 3"))
    interests = read_topics().find("topic:game theory").interests
    assert f"Subscribed as #1 to game theory ({interests}), at 08:00 in UTC, daily, top 3." in answer
    (kept,) = await world.house.store.subscriptions(PLACE)
    assert kept.interests == interests
    await world.tick(MONDAY.replace(hour=8))
    (posted,) = world.posted()
    assert posted.heading == "Papers for game theory"
    assert [card.title for card in posted.cards] == ["Mechanism Design for Kidneys"]


async def test_words_without_the_prefix_are_words(world):
    await world.ask("subscribe game theory")
    (kept,) = await world.house.store.subscriptions(PLACE)
    assert kept.interests == "game theory"


async def test_an_edit_takes_a_name_too(world):
    await world.ask("subscribe kernel")
    assert "#1 is now game theory (cat:cs.GT" in words(await world.ask("edit 1 topic:Game-Theory"))


async def test_the_same_by_name_and_by_words_is_subscribed_once(world):
    await world.ask(f"subscribe {read_topics().find('topic:game theory').interests}")
    assert "already, as #1" in words(await world.ask("subscribe topic:game theory"))


async def test_help_names_them_all(world):
    answer = words(await world.ask("help"))
    assert all(topic.name in answer for topic in read_topics())
