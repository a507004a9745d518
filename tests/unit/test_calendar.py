from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.errors import SettingsError
from core.papers.calendar import Calendar, listing_day
from core.settings import config_file


@pytest.fixture(scope="module")
def calendar():
    return Calendar.from_toml(config_file("arxiv_calendar.toml").read_bytes())


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 22), True),  # Sunday
        (date(2026, 11, 25), True),
        (date(2026, 11, 26), False),  # Thanksgiving
        (date(2026, 11, 27), False),  # Friday
        (date(2026, 11, 28), False),  # Saturday
        (date(2026, 12, 31), False),
    ],
)
def test_arxiv_announces_from_sunday_to_thursday_unless_closed(calendar, day, expected):
    assert calendar.announcement_expected(day) is expected


@pytest.mark.parametrize(
    ("now", "following"),
    [
        ("2026-11-23T12:00", "2026-11-24T01:00"),  # Monday 20:00 in New York, winter time
        ("2026-11-24T01:00", "2026-11-25T01:00"),  # at the very instant: the next one
        ("2026-11-26T12:00", "2026-11-30T01:00"),  # Thanksgiving, then Friday and Saturday
        ("2026-07-08T12:00", "2026-07-09T00:00"),  # summer time
    ],
)
def test_the_next_announcement_skips_weekends_and_closures_and_follows_new_yorks_clocks(calendar, now, following):
    assert calendar.next_announcement(at(now)) == at(following)


@pytest.mark.parametrize(
    ("now", "batch"),
    [
        ("2026-11-23T15:00", date(2026, 11, 23)),  # Monday carries Sunday's announcement
        ("2026-11-23T05:30", date(2026, 11, 20)),  # half past midnight in New York: feeds are being made
        ("2026-11-23T06:30", date(2026, 11, 23)),
        ("2026-11-22T15:00", date(2026, 11, 20)),  # Sunday still has Friday's
        ("2026-11-27T15:00", date(2026, 11, 26)),  # the evening of Thanksgiving brought nothing
    ],
)
def test_the_newest_batch_is_the_one_feeds_should_carry(calendar, now, batch):
    assert calendar.newest_batch(at(now)) == batch


@pytest.mark.parametrize(
    ("last", "newest", "count"),
    [
        (date(2026, 11, 20), date(2026, 11, 23), 0),  # Friday, Monday: nothing in between
        (date(2026, 11, 19), date(2026, 11, 23), 1),
        (date(2026, 11, 23), date(2026, 11, 23), 0),
        (date(2026, 11, 26), date(2026, 11, 30), 0),  # Friday 27 had no batch
        (date(2026, 11, 2), date(2026, 11, 23), 14),
    ],
)
def test_batches_between_two_days_are_counted_without_weekends_and_closures(calendar, last, newest, count):
    assert calendar.batches_between(last, newest) == count


def test_silence_is_explained_by_the_weekend(calendar):
    assert calendar.explain(at("2026-11-21T12:00")) == "it announces nothing on Fridays and Saturdays"
    assert calendar.explain(at("2026-11-22T12:00")) == "it announces nothing on Fridays and Saturdays"


def test_silence_is_explained_by_the_name_of_a_closure_on_the_day_after_it(calendar):
    assert calendar.explain(at("2026-11-27T12:00")) == "it was closed on Thursday 2026-11-26 (Thanksgiving)"


def test_silence_is_explained_while_the_feeds_are_being_made(calendar):
    assert calendar.explain(at("2026-11-24T05:30")) == "the day's batch is not out yet (expected by 06:00)"
    assert calendar.explain(at("2026-07-08T04:30")) == "the day's batch is not out yet (expected by 05:00)"
    tokyo = calendar.explain(at("2026-11-24T05:30"), ZoneInfo("Asia/Tokyo"))
    assert tokyo == "the day's batch is not out yet (expected by 15:00)"


def test_silence_on_an_ordinary_day_has_no_excuse(calendar):
    assert calendar.explain(at("2026-11-24T12:00")) is None


def test_a_year_without_known_closures_is_warned_about(calendar):
    assert calendar.warning(at("2026-11-24T12:00")) is None
    assert "lists no closures for 2031" in (calendar.warning(at("2031-11-24T12:00")) or "")
    assert calendar.announcement_expected(date(2031, 11, 24))


def test_new_years_eve_still_belongs_to_the_old_year_in_new_york(calendar):
    assert calendar.warning(at("2027-01-01T03:00")) is None


@pytest.mark.parametrize("text", [b"[2026]\n'13-40' = 'x'", b"[2026", b"2026 = 1", b"\xff"])
def test_a_calendar_that_cannot_be_read_says_what_it_should_hold(text):
    with pytest.raises(SettingsError, match=r"arxiv_calendar\.toml cannot be read .* it holds tables \[YEAR\]"):
        Calendar.from_toml(text)


@pytest.mark.parametrize(
    ("submitted", "listed"),
    [
        (date(2026, 11, 16), date(2026, 11, 17)),  # Monday -> Tuesday
        (date(2026, 11, 19), date(2026, 11, 20)),  # Thursday -> Friday
        (date(2026, 11, 20), date(2026, 11, 23)),  # Friday -> Sunday's announcement, Monday's feed
        (date(2026, 11, 21), date(2026, 11, 24)),  # Saturday and Sunday -> Monday's announcement
        (date(2026, 11, 22), date(2026, 11, 24)),
    ],
)
def test_a_submission_is_listed_by_arxivs_timetable(submitted, listed):
    assert listing_day(submitted) == listed
