from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.papers.calendar import Calendar
from core.papers.plan import SourceState, keep_state, plan_fetch, read_state, source_states
from core.papers.sources import SOURCES, Backfill, Newest
from core.settings import Settings, config_file
from tests.fake_library import FakeLibrary

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday; four in the morning in New York
MONDAY, FRIDAY, THURSDAY = date(2026, 11, 23), date(2026, 11, 20), date(2026, 11, 19)
CALENDAR = Calendar.from_toml(config_file("arxiv_calendar.toml").read_bytes())


def plan(source, *, now=NOW, categories=(), since=None, **state):
    states = {source: SourceState(source, **state)}
    return plan_fetch(Settings(), categories, states, CALENDAR, now=now, since=since)[source]


def test_the_first_time_lists_are_read_as_far_back_as_the_setting_says():
    (newest,) = plan("huggingface")
    assert (newest.today, newest.since) == (MONDAY, date(2026, 11, 16))


def test_afterwards_from_the_day_before_the_last_success():
    (newest,) = plan("huggingface", ok_at=datetime(2026, 11, 23, 8, tzinfo=UTC))
    assert newest.since == date(2026, 11, 22)


def test_a_gap_is_reached_over_and_a_very_long_one_is_cut():
    (newest,) = plan("huggingface", ok_at=datetime(2026, 11, 9, 8, tzinfo=UTC))
    assert newest.since == date(2026, 11, 8)
    (newest,) = plan("huggingface", ok_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert newest.since == date(2026, 10, 23)


def test_a_failing_source_is_asked_from_its_last_success():
    (newest,) = plan("huggingface", ok_at=datetime(2026, 11, 18, tzinfo=UTC), failing_since=NOW)
    assert newest.since == date(2026, 11, 17)


def test_categories_of_subscriptions_join_those_of_the_settings_each_once():
    (newest,) = plan("arxiv", categories=("math.CO", "cs.LG", "cs.*"))
    assert newest.categories == (*Settings().arxiv.categories, "math.CO", "cs.*")


def test_the_first_time_arxiv_is_asked_for_its_newest_batch_only():
    assert plan("arxiv") == (Newest(MONDAY, date(2026, 11, 16), Settings().arxiv.categories),)


def test_when_the_newest_batch_is_held_nothing_is_missing():
    (newest,) = plan("arxiv", newest_day=MONDAY)
    assert newest.since == MONDAY


def test_on_a_sunday_fridays_batch_is_the_newest():
    (newest,) = plan("arxiv", newest_day=FRIDAY, now=datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert newest.since == date(2026, 11, 22)


def test_the_batch_after_the_one_that_is_held_comes_by_feed():
    (newest,) = plan("arxiv", newest_day=FRIDAY)
    assert newest.since == FRIDAY


def test_a_batch_that_no_feed_holds_any_more_is_wanted_besides():
    newest, gap = plan("arxiv", newest_day=THURSDAY)
    assert newest.since == THURSDAY
    assert gap == Backfill(FRIDAY, MONDAY, Settings().arxiv.categories)


def test_a_closure_is_no_gap():
    monday_after = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert len(plan("arxiv", newest_day=date(2026, 11, 26), now=monday_after)) == 1
    assert len(plan("arxiv", newest_day=date(2026, 11, 25), now=monday_after)) == 2


def test_a_gap_that_was_not_filled_stays_wanted_after_the_newest_batch_came():
    _, gap = plan("arxiv", newest_day=MONDAY, missing_since=THURSDAY)
    assert gap == Backfill(THURSDAY, MONDAY, Settings().arxiv.categories)


def test_a_gap_of_a_year_is_cut_to_a_month_unless_asked_for():
    _, gap = plan("arxiv", newest_day=date(2025, 11, 20))
    assert gap.since == date(2026, 10, 23)
    _, gap = plan("arxiv", newest_day=MONDAY, since=date(2026, 9, 1))
    assert gap.since == date(2026, 9, 1)


def test_since_goes_before_everything_that_is_held():
    (newest,) = plan("huggingface", ok_at=NOW, since=date(2026, 11, 2))
    assert newest.since == date(2026, 11, 2)


def test_every_registered_source_is_planned_for():
    plans = plan_fetch(Settings(), (), {}, CALENDAR, now=NOW)
    assert plans.keys() == SOURCES.keys()


async def test_states_of_all_sources_are_read_and_unknown_ones_are_blank():
    library = FakeLibrary()
    kept = SourceState("arxiv", NOW, NOW, "has answered 429", NOW, MONDAY, FRIDAY, empty=True)
    await keep_state(library, kept)
    states = await source_states(library)
    assert states.keys() == SOURCES.keys()
    assert states["arxiv"] == kept
    assert states["huggingface"] == SourceState("huggingface")


@pytest.mark.parametrize("kept", ["[]", "{", '{"source": "arxiv", "ok_at": "yesterday"}'])
async def test_a_state_of_another_version_is_forgotten(kept):
    library = FakeLibrary()
    await library.set_fact("source arxiv", kept)
    assert await read_state(library, "arxiv") == SourceState("arxiv")
