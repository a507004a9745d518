"""Interests are tried on what the library holds before anybody has to wait for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.chat.trials import trial_json
from tests.worlds import MONDAY, make_record, open_world, words

WEEK = [(MONDAY - timedelta(days=back)).date() for back in range(8)]


def papers(title, day, count=1, start=0):
    return [make_record(f"26{day:%m}.{day.day:02}{start + n:03}", f"{title} {n}", day=day) for n in range(count)]


def a_week():
    """Every day ten papers on learning, two of them about transformers, and on one day a rare bird."""
    for day in WEEK:
        yield from papers("Learning of Things", day, 8)
        yield from papers("Learning with Transformers", day, 2, start=50)
    yield from papers("Ornithology of the Crossbill", WEEK[3], start=90)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, list(a_week())) as opened:
        yield opened


async def tried(world, interests, days=7):
    return await world.house.newsroom.try_interests(interests, world.now, days=days, top=3)


async def test_it_counts_by_the_day_and_shows_the_first_titles(world):
    trial = await tried(world, "transformers")
    assert (trial.matched, trial.considered, trial.a_day, trial.looked) == (14, 71, 2.0, 7)
    assert [(item.day, item.considered, item.matched) for item in trial.days][-1] == (WEEK[0], 10, 2)
    assert len(trial.days) == 7
    assert len(trial.first) == 3
    assert (trial.broad, trial.narrow, trial.culprit) == (False, False, None)


async def test_subscribing_says_how_many_a_day_out_of_how_many(world):
    answer = words(await world.ask("subscribe transformers"))
    assert "In the last 7 days 14 of 71 papers matched, 2 a day:" in answer
    assert answer.count("• Learning with Transformers") == 3
    assert "broad" not in answer
    assert "narrow" not in answer


async def test_what_is_too_broad_is_told_with_the_alternative_that_makes_it_so(world):
    answer = words(await world.ask("subscribe transformers OR learning"))
    assert "That is broad: 99% of all papers match. learning does that; without it 14 would match." in answer


async def test_a_single_word_that_is_too_broad_is_named_with_the_way_out(world):
    answer = words(await world.ask("subscribe learning"))
    assert "learning takes in the most; one more word or a category narrows it." in answer


async def test_what_is_too_narrow_is_told_with_the_part_that_makes_it_so(world):
    answer = words(await world.ask("subscribe transformers -learning"))
    assert "nothing among 71 papers would have matched" in answer
    assert "That is narrow: fewer than one paper a week. -learning does that; without it 14 would match." in answer
    answer = words(await world.ask("subscribe transformers cat:q-bio.NC"))
    assert "cat:q-bio.NC does that; without it 14 would match." in answer


async def test_one_a_week_is_not_too_narrow(world):
    trial = await tried(world, "crossbill")
    assert (trial.matched, trial.narrow) == (1, False)


async def test_one_in_two_weeks_would_be_too_narrow(world):
    for back in range(8, 15):
        await world.learn(*papers("Learning of Things", (MONDAY - timedelta(days=back)).date(), 2))
    trial = await tried(world, "crossbill", days=14)
    assert (trial.matched, trial.looked, trial.narrow) == (1, 14, True)
    assert trial.culprit.part == "crossbill"


async def test_everything_is_broad_on_purpose_and_gets_no_advice(world):
    assert "broad" not in words(await world.ask("subscribe"))


async def test_editing_tries_the_new_interests(world):
    await world.ask("subscribe transformers")
    answer = words(await world.ask("edit 1 crossbill"))
    assert "In the last 7 days 1 of 71 papers matched" in answer


async def test_a_young_library_says_how_many_days_it_could_look_over(tmp_path):
    async with open_world(tmp_path, papers("Grokking", WEEK[0], 2) + papers("Kernels", WEEK[1], 8)) as world:
        answer = words(await world.ask("subscribe grokking"))
        assert "In the last 7 days 2 of 10 papers matched, 1 a day (the library knows 2 of these days):" in answer
        assert (await tried(world, "grokking")).narrow is False


async def test_an_empty_library_has_nothing_to_show_yet(tmp_path):
    async with open_world(tmp_path) as world:
        assert "nothing to show as an example yet" in words(await world.ask("subscribe grokking"))
        assert (await tried(world, "grokking")).looked == 0


async def test_the_same_as_data_for_programs(world):
    document = trial_json(await tried(world, "transformers OR learning"))
    assert (document["verdict"], document["part"], document["matched_without_part"]) == ("broad", "learning", 14)
    assert sum(day["matched"] for day in document["by_day"]) == document["matched"] == 70
    assert document["advice"].startswith("That is broad")
    assert len(document["papers"]) == 3
