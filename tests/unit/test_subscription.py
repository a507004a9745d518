"""When a subscription is due, over zones, clock changes, pauses and missed days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digests.subscription import (
    DAILY,
    WEEKDAYS,
    WEEKLY,
    Pause,
    Subscription,
    local_instant,
    newest_due,
    newest_moment,
    next_due,
)
from core.store.candidates import not_due_before

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")


def make(**changes: object) -> Subscription:
    plain = Subscription(
        id="a1",
        address="discord:1",
        number=1,
        interests="grokking",
        at=time(8),
        timezone="UTC",
        days=DAILY,
        top=5,
        created_by="discord:@2",
        created_at=LONG_AGO,
        active_from=LONG_AGO,
    )
    return replace(plain, **changes)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_it_is_due_from_its_minute_on_and_not_before():
    assert newest_due(make(), at("2026-11-23 07:59:59")).day == date(2026, 11, 22)
    due = newest_due(make(), at("2026-11-23 08:00"))
    assert (due.day, due.at) == (date(2026, 11, 23), at("2026-11-23 08:00"))


def test_the_local_time_counts_not_the_servers():
    tokyo = make(timezone="Asia/Tokyo")
    assert newest_due(tokyo, at("2026-11-22 22:59")).day == date(2026, 11, 22)
    assert newest_due(tokyo, at("2026-11-22 23:00")).day == date(2026, 11, 23)


def test_weekends_are_not_weekdays():
    sunday = at("2026-11-22 12:00")
    assert newest_due(make(days=WEEKDAYS), sunday).day == date(2026, 11, 20)
    assert next_due(make(days=WEEKDAYS), sunday) == at("2026-11-23 08:00")


def test_weekly_means_monday():
    assert newest_due(make(days=WEEKLY, weekly=True), at("2026-11-25 09:00")).day == date(2026, 11, 23)


def test_times_before_it_was_made_were_never_due():
    made = at("2026-11-23 10:00")
    fresh = make(created_at=made, active_from=made)
    assert newest_due(fresh, at("2026-11-23 23:00")) is None
    assert newest_due(fresh, at("2026-11-24 08:00")).day == date(2026, 11, 24)


def test_made_just_before_its_time_it_is_due_the_same_day():
    made = at("2026-11-23 07:59")
    assert newest_due(make(active_from=made), at("2026-11-23 08:00")).day == date(2026, 11, 23)


def test_after_days_of_downtime_only_the_newest_date_is_due():
    assert newest_due(make(days=(0, 2)), at("2026-11-27 12:00")).day == date(2026, 11, 25)


def test_a_paused_subscription_is_never_due():
    paused = make(pause=Pause("by request", LONG_AGO))
    assert newest_due(paused, at("2026-11-23 12:00")) is None
    assert next_due(paused, at("2026-11-23 12:00")) is None


def test_when_ready_is_due_from_local_midnight():
    ready = make(when_ready=True, at=time(9), timezone="America/New_York")
    assert newest_due(ready, at("2026-11-23 05:00")).at == at("2026-11-23 05:00")


@pytest.mark.parametrize(
    ("zone", "day", "wall", "instant"),
    [
        # Berlin goes from 02:00 to 03:00: 02:30 does not exist, 03:00 summer time is the first that does.
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29 01:00"),
        ("Europe/Berlin", date(2026, 3, 29), time(2, 0), "2026-03-29 01:00"),
        ("Europe/Berlin", date(2026, 3, 29), time(3, 0), "2026-03-29 01:00"),
        # New York lives 01:30 twice on this day: the first is still on daylight time.
        ("America/New_York", date(2026, 11, 1), time(1, 30), "2026-11-01 05:30"),
        # Lord Howe moves by half an hour only.
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), "2026-10-03 15:30"),
        ("UTC", date(2026, 3, 29), time(2, 30), "2026-03-29 02:30"),
        # Whatever says that it means the second 02:23 of a day that has none, or the second 01:30, gets the first.
        ("America/New_York", date(2026, 3, 8), time(2, 23, fold=1), "2026-03-08 07:00"),
        ("America/New_York", date(2026, 11, 1), time(1, 30, fold=1), "2026-11-01 05:30"),
    ],
)
def test_clock_changes_move_a_time_to_the_first_that_exists(zone, day, wall, instant):
    assert local_instant(day, wall, zone) == at(instant)


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    wall=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
)
def test_a_local_instant_shows_its_wall_time_or_the_first_one_after_it(zone, day, wall):
    local = local_instant(day, wall, zone).astimezone(ZoneInfo(zone))
    shown = local.replace(tzinfo=None)
    wanted = datetime.combine(day, wall)
    assert wanted <= shown <= wanted + timedelta(hours=1)
    minute_before = (local_instant(day, wall, zone) - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    assert minute_before.replace(tzinfo=None) < wanted or minute_before.fold


@given(
    zone=st.sampled_from(ZONES),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found))),
    wall=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
    start=st.datetimes(datetime(2026, 1, 10), datetime(2027, 6, 1), timezones=st.just(UTC)),
)
def test_whoever_asks_each_quarter_of_an_hour_sees_every_date_once_and_in_order(zone, days, wall, start):
    subscription = make(timezone=zone, days=days, at=wall)
    seen: list[date] = []
    for step in range(9 * 24 * 4):
        due = newest_due(subscription, start + timedelta(minutes=15 * step))
        if due is not None and (not seen or seen[-1] < due.day):
            seen.append(due.day)
    expected = {seen[0] + timedelta(days=ahead) for ahead in range((seen[-1] - seen[0]).days + 1)}
    assert seen == sorted(day for day in expected if day.weekday() in days)


@given(
    zone=st.sampled_from(ZONES),
    wall=st.times().map(lambda value: value.replace(second=0, microsecond=0)),
    now=st.datetimes(datetime(2026, 1, 10), datetime(2027, 6, 1), timezones=st.just(UTC)),
)
def test_the_next_time_told_is_the_time_it_becomes_due(zone, wall, now):
    subscription = make(timezone=zone, at=wall)
    upcoming = next_due(subscription, now)
    assert upcoming > now
    assert newest_due(subscription, upcoming).at == upcoming
    assert newest_due(subscription, upcoming - timedelta(minutes=1)).at < upcoming


@given(
    zone=st.sampled_from(ZONES),
    wall=st.times(),
    days=st.sampled_from([(), (2,), WEEKDAYS, DAILY]),
    ready=st.booleans(),
    active=st.integers(-40, 40),
    now=st.datetimes(datetime(2011, 12, 20), datetime(2012, 1, 5))
    | st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    share=st.floats(0, 1, exclude_max=True),
)
def test_until_a_subscription_is_looked_at_again_no_other_date_becomes_due(zone, wall, days, ready, active, now, share):
    now = now.replace(tzinfo=UTC)
    start = now + timedelta(hours=active)
    item = make(timezone=zone, at=wall, days=days, when_ready=ready, active_from=start)
    until = not_due_before(item, now)
    later = min(now + (until - now) * share, until - timedelta.resolution)  # the product is rounded
    assert later >= now
    assert newest_moment(item, later) == newest_moment(item, now)
