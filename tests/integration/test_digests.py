"""Digests out of a real library: what is chosen, what is left out, what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.chat import commands as c
from core.papers.paper import Listing
from core.store import State
from tests.worlds import MONDAY, PLACE, make_record, open_world, titles, upvotes, words

AT_EIGHT = MONDAY.replace(hour=8)
TUESDAY = AT_EIGHT + timedelta(days=1)

PAPERS = (
    make_record("2611.00001", "Grokking in Small Transformers"),
    make_record("2611.00002", "Kernel Methods Revisited", categories=("stat.ML", "cs.LG")),
    make_record("2611.00003", "A Survey of Grokking"),
    make_record("2611.00004", "Protein Folding at Scale", source="huggingface", signals=upvotes(41)),
    make_record("2611.00005", "Diffusion for Weather", source="huggingface", signals=upvotes(3)),
)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, PAPERS) as opened:
        yield opened


async def subscribe(world, text, **fields):
    message = await world.ask(f"subscribe {text} in UTC daily at 08:00", **fields)
    assert "Subscribed" in words(message)


async def test_a_digest_shows_what_matches_and_says_why(world):
    await subscribe(world, "grokking")
    assert await world.tick(AT_EIGHT) == 1
    (digest,) = world.posted()
    assert sorted(titles(digest)) == ["A Survey of Grokking", "Grokking in Small Transformers"]
    assert digest.heading == "Papers for grokking"
    assert "Monday 23 November 2026 · 2 of 5 new papers, 2 matched" in words(digest)
    assert all(card.why.startswith("matches grokking") for card in digest.cards)
    assert digest.cards[0].url.startswith("https://arxiv.org/abs/2611.0000")


async def test_the_same_minute_twice_sends_once(world):
    await subscribe(world, "grokking")
    assert await world.tick(AT_EIGHT) == 1
    assert await world.tick(AT_EIGHT) == 0
    assert await world.tick(AT_EIGHT + timedelta(hours=5)) == 0
    assert len(world.posted()) == 1


async def test_exclusions_and_fields_hold_strictly(world):
    await subscribe(world, "grokking -survey")
    await world.tick(AT_EIGHT)
    assert titles(world.posted()[0]) == ["Grokking in Small Transformers"]


async def test_interests_without_words_rank_by_trend(world):
    await subscribe(world, "top 2")
    await world.tick(AT_EIGHT)
    (digest,) = world.posted()
    assert titles(digest)[0] == "Protein Folding at Scale"
    assert digest.cards[0].why == "41 upvotes on Hugging Face"
    assert len(digest.cards) == 2


async def test_yesterdays_papers_are_not_told_again_today(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=20)
    await world.learn(make_record("2611.00009", "Grokking Again", day=TUESDAY.date()), *PAPERS)
    await world.tick(TUESDAY)
    assert titles(world.posted()[1]) == ["Grokking Again"]


async def test_a_replacement_is_never_a_new_paper(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=20)
    await world.learn(make_record("2611.00001", "Grokking in Small Transformers", version=2, day=None))
    await world.tick(TUESDAY)
    assert world.posted()[1].cards == ()


async def test_a_paper_on_a_second_source_the_next_day_is_not_repeated(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + timedelta(hours=20)
    listed = (Listing("huggingface", TUESDAY.date(), "daily"),)
    again = make_record("2611.00001", "Grokking in Small Transformers", source="huggingface", day=None)
    await world.learn(replace(again, listings=listed))
    await world.tick(TUESDAY)
    assert "this place has seen it before" in words(world.posted()[1])


async def test_a_withdrawn_paper_is_dropped(world):
    await subscribe(world, "grokking")
    await world.learn(make_record("2611.00003", "A Survey of Grokking", withdrawn=True))
    await world.tick(AT_EIGHT)
    assert titles(world.posted()[0]) == ["Grokking in Small Transformers"]


async def test_when_nothing_matches_one_line_says_out_of_how_many(world):
    await subscribe(world, '"quantum chromodynamics"')
    await world.tick(AT_EIGHT)
    (message,) = world.posted()
    assert words(message).strip() == (
        'Papers for "quantum chromodynamics", Monday 23 November 2026: 5 new, none matched.'
    )


async def test_when_nothing_was_announced_the_reason_is_told(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    saturday = AT_EIGHT + timedelta(days=5)
    for day in range(1, 6):
        await world.tick(AT_EIGHT + timedelta(days=day))
    assert saturday.weekday() == 5
    assert "no announcement on arXiv today because" in words(world.posted()[-1])


async def test_a_quiet_subscription_says_nothing_when_there_is_nothing(world):
    await subscribe(world, '"quantum chromodynamics" quiet')
    await world.tick(AT_EIGHT)
    assert world.posted() == []
    delivery = await world.house.store.delivery("s1", AT_EIGHT.date())
    assert (delivery.state, delivery.silence) == (State.SENT, "5 new, none matched")


async def test_a_paper_wanted_by_two_subscriptions_of_one_place_is_shown_once_and_names_both(world):
    await subscribe(world, "grokking -survey")
    await subscribe(world, "transformers")
    await world.tick(AT_EIGHT)
    first, second = world.posted()
    assert titles(first) == ["Grokking in Small Transformers"]
    assert "also for #2" in first.cards[0].why
    assert "Grokking in Small Transformers" not in titles(second)


async def test_a_first_digest_reaches_back_to_the_newest_batch(world):
    sunday_later = AT_EIGHT + timedelta(days=6)
    world.now = sunday_later - timedelta(hours=1)
    await subscribe(world, "grokking")
    await world.tick(sunday_later)
    assert len(world.posted()[0].cards) == 2


async def test_after_days_of_downtime_one_digest_covers_the_gap(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    for day in (1, 2, 3):
        world.now = AT_EIGHT + timedelta(days=day, hours=-2)
        await world.learn(make_record(f"2611.1000{day}", f"Grokking Part {day}", day=world.now.date()))
    assert await world.tick(AT_EIGHT + timedelta(days=3)) == 1
    assert sorted(titles(world.posted()[1])) == ["Grokking Part 1", "Grokking Part 2", "Grokking Part 3"]
    assert len(world.posted()) == 2


async def test_weekly_ranks_over_seven_days(world):
    await world.ask("subscribe grokking in UTC weekly at 08:00")
    await world.tick(AT_EIGHT)
    for day in (2, 4):
        world.now = AT_EIGHT + timedelta(days=day)
        await world.learn(make_record(f"2611.2000{day}", f"Grokking Part {day}", day=world.now.date()))
        await world.tick()
    await world.tick(AT_EIGHT + timedelta(days=7))
    assert len(world.posted()) == 2
    assert sorted(titles(world.posted()[1])) == ["Grokking Part 2", "Grokking Part 4"]


async def test_when_ready_waits_for_the_batch(world):
    await world.ask("subscribe grokking when ready in UTC daily")
    await world.tick(AT_EIGHT + timedelta(days=1))
    assert len(world.posted()) == 1
    midday = AT_EIGHT + timedelta(days=2, hours=4)
    assert await world.tick(midday) == 0
    await world.learn(make_record("2611.00030", "Grokking Late", day=midday.date()))
    assert await world.tick(midday + timedelta(minutes=1)) == 1
    assert titles(world.posted()[1]) == ["Grokking Late"]


async def test_when_ready_has_a_latest_time(world):
    await world.ask("subscribe grokking when ready by 10:00 in UTC daily")
    await world.tick(AT_EIGHT + timedelta(days=1))
    assert await world.tick(AT_EIGHT + timedelta(days=2)) == 0
    assert await world.tick(AT_EIGHT + timedelta(days=2, hours=2)) == 1
    assert world.posted()[1].cards == ()


async def test_paused_is_silent_and_resumed_goes_on_from_then(world):
    await subscribe(world, "grokking")
    await world.ask("pause 1")
    assert await world.tick(AT_EIGHT + timedelta(minutes=30)) == 0
    await world.ask("resume 1")
    assert await world.tick(AT_EIGHT + timedelta(hours=1)) == 0
    assert await world.tick(TUESDAY) == 1


async def test_a_changed_time_is_never_twice_and_never_skipped(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    await world.ask("edit 1 at 09:00")
    assert await world.tick(AT_EIGHT + timedelta(hours=1)) == 0
    await world.ask("edit 1 at 07:00")
    assert await world.tick(TUESDAY - timedelta(hours=1)) == 1


async def test_moving_west_does_not_repeat_the_date(world):
    await subscribe(world, "grokking")
    await world.tick(AT_EIGHT)
    await world.ask("edit 1 in America/Los_Angeles")
    assert await world.tick(AT_EIGHT + timedelta(hours=8)) == 0
    assert await world.tick(AT_EIGHT + timedelta(days=1, hours=8)) == 1


async def test_today_shows_the_newest_batch_for_everything_where_nobody_subscribed(world):
    today = await world.ask(c.Today())
    assert today.heading == "Papers for everything"
    assert titles(today)[0] == "Protein Folding at Scale"
    assert len(today.cards) == 5


async def test_today_joins_the_subscriptions_of_a_place_and_shows_what_was_delivered_already(world):
    await subscribe(world, "grokking -survey")
    await subscribe(world, "kernel methods")
    await world.tick(AT_EIGHT)
    today = await world.ask(c.Today())
    assert titles(today) == ["Grokking in Small Transformers", "Kernel Methods Revisited"]
    assert "Papers for grokking -survey" in words(today)


async def test_a_place_sees_nothing_of_another_places_history(world):
    await subscribe(world, "grokking")
    await subscribe(world, "grokking", place="fake:C2")
    await world.tick(AT_EIGHT)
    assert [len(message.cards) for message in world.posted()] == [2, 2]
    assert {post.address for post in world.platform.posts} == {PLACE, "fake:C2"}
