from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.slash import read_number_or_all
from bots.discord.suggestions import MOST, suggest_days, suggest_times, suggest_timezones
from core.chat.parsing import parse_days, parse_time, parse_timezone
from core.errors import UsageError

SUGGESTIONS = [
    pytest.param(suggest_timezones, parse_timezone, id="timezone"),
    pytest.param(suggest_times, parse_time, id="at"),
    pytest.param(suggest_days, parse_days, id="days"),
]
TYPED = st.one_of(st.text(max_size=12), st.text(alphabet="0123456789:., montuewdhfriast", max_size=8))


@pytest.mark.parametrize(("suggest", "parse"), SUGGESTIONS)
@given(typed=TYPED)
def test_at_most_25_suggestions_come_each_once_and_each_is_understood(suggest, parse, typed):
    found = suggest(typed)
    assert len(found) == len(set(found)) <= MOST
    for value in found:
        parse(value)


@pytest.mark.parametrize(("suggest", "parse"), SUGGESTIONS)
def test_before_anything_is_typed_the_usual_is_offered(suggest, parse):
    assert len(suggest("")) >= 5


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("berl", "Europe/Berlin"),
        ("new y", "America/New_York"),
        ("utc", "UTC"),
        ("europe/ber", "Europe/Berlin"),
        ("Tokyo", "Asia/Tokyo"),
    ],
)
def test_a_zone_is_found_by_its_city(typed, first):
    assert suggest_timezones(typed)[0] == first


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("", "06:00"),
        ("8", "08:00"),
        ("08:1", None),
        ("08:15", "08:15"),
        ("8:15", "08:15"),
        ("8.15", "08:15"),
        ("25", None),
    ],
)
def test_times_are_completed_and_an_exact_one_is_taken(typed, first):
    assert next(iter(suggest_times(typed)), None) == first


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("we", ["weekdays", "weekly", "wed"]),
        ("mon,t", ["mon,thu", "mon,tue"]),
        ("mon,tue,", [f"mon,tue,{day}" for day in ("wed", "thu", "fri", "sat", "sun")]),
        ("never", []),
    ],
)
def test_days_are_completed_name_by_name(typed, found):
    assert suggest_days(typed) == found


@pytest.mark.parametrize(("typed", "number"), [("all", None), ("ALL ", None), ("3", 3), ("#3", 3)])
def test_unsubscribe_takes_a_number_or_all(typed, number):
    assert read_number_or_all(typed) == number


@pytest.mark.parametrize("typed", ["everything", "1.5", "-1", "", "1" * 9, "²"])
def test_unsubscribe_says_what_it_takes_when_it_is_neither(typed):
    with pytest.raises(UsageError, match="not the number") as raised:
        read_number_or_all(typed)
    assert "unsubscribe N|all" in raised.value.hint
