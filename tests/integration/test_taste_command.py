"""`/papers taste`: what was learned, and how it is forgotten."""

from __future__ import annotations

import pytest

from core.chat import commands as c
from tests.worlds import MONDAY, PLACE, make_record, open_world, titles, upvotes, words

PAPERS = (
    make_record("2611.00001", "Whales Sing at Night", abstract="Songs of whales below arctic ice."),
    make_record("2611.00002", "Prime Gaps", abstract="Gaps between prime numbers.", signals=upvotes(30)),
    make_record("2611.00004", "Bread Prices", abstract="Bakers bid for flour."),
    make_record("2611.00005", "Old Norse", abstract="Verbs of old texts."),
    make_record("2611.00009", "Whale Calls", abstract="Songs and calls of whales in arctic water."),
)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS, model={"enabled": False}) as opened:
        yield opened


async def press(world, action, paper, **who):
    return await world.ask(c.Press(action, paper), **who)


async def test_nothing_was_taught_yet_and_it_says_how(world):
    assert "Nothing was taught here yet" in words(await world.ask("taste"))


async def test_it_shows_words_and_papers_and_how_much_they_weigh(world):
    await press(world, "up", "2611.00001")
    await press(world, "down", "2611.00004")
    told = words(await world.ask("taste"))
    assert "1 liked, 1 disliked. They weigh 17 % beside interests with words, 26 % without." in told
    assert "whales" in told
    assert "Whales Sing at Night" in told
    assert told.index("More like") < told.index("Less like") < told.index("Bread Prices")


async def test_a_mark_shows_at_once_in_today(world):
    before = titles(await world.ask("today"))
    assert (before[0], before[-1]) == ("Prime Gaps", "Whale Calls")
    await press(world, "up", "2611.00001", person="fake:bob")
    assert "Whale Calls" in titles(await world.ask("today"))[:3]
    assert titles(await world.ask("today", place="fake:C2")) == before


async def test_a_reset_forgets_and_what_is_marked_later_counts_again(world):
    await press(world, "up", "2611.00001")
    assert "Forgotten: what 1 marked paper had taught here." in words(await world.ask("taste reset"))
    assert "Nothing was taught here yet" in words(await world.ask("taste"))
    assert titles(await world.ask("today"))[0] == "Prime Gaps"
    world.now = MONDAY.replace(hour=9)
    await press(world, "up", "2611.00009")
    assert "1 liked" in words(await world.ask("taste"))
    assert "There was nothing to forget" in words(await world.ask("taste reset", place="fake:C9"))


async def test_who_may_not_manage_a_channel_may_not_forget_for_it(world):
    await press(world, "up", "2611.00001")
    assert "needs the right to manage the channel" in words(await world.ask("taste reset", may_manage=False))
    assert "1 liked" in words(await world.ask("taste"))


async def test_anything_else_behind_taste_gets_the_right_form_back(world):
    assert "/papers taste [reset]" in words(await world.ask("taste everything"))


async def test_the_next_digest_is_another_one_and_other_places_are_not(world):
    for place in (PLACE, "fake:C2"):
        await world.ask("subscribe top 3 at 08:00 in UTC daily", place=place)
    await press(world, "up", "2611.00001")
    await world.tick(MONDAY.replace(hour=8))
    by_place = {post.address: titles(post.message) for post in world.platform.posts}
    assert "Whale Calls" in by_place[PLACE]
    assert by_place["fake:C2"][0] == "Prime Gaps"
    assert "Whale Calls" not in by_place["fake:C2"]
