"""What keeps the page usable and its forms ours: tokens, rates, periods, paths, pages of a list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bots.web.feed import editions
from bots.web.forms import Guard
from bots.web.paging import Pages, read_page
from bots.web.paper import HEIGHT, WIDTH, draw
from bots.web.periods import PERIODS, day_of, month_of, read_period, week_of
from bots.web.rates import MOST_CLIENTS, Limiter, Rate, client_group
from bots.web.site import paper_path
from core.digests.subscription import DAILY, WEEKDAYS, WEEKLY

DAYS = st.dates(date(1991, 8, 14), date(2150, 12, 31))
GUARD = Guard(b"k" * 32, secure=False)


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 23, 8, tzinfo=UTC)

    def __call__(self):
        return self.now


def request(query="", **headers):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "query_string": query.encode(), "path": "/", "method": "GET"})


def test_a_token_fits_its_own_number_alone():
    one, other = GUARD.new_nonce(), GUARD.new_nonce()
    assert GUARD.fits(one, GUARD.token(one))
    assert not GUARD.fits(other, GUARD.token(one))
    assert not GUARD.fits(one, Guard(b"j" * 32, secure=False).token(one))
    assert not GUARD.fits("", GUARD.token(""))
    assert GUARD.nonce(request(cookie=f"paperboy={one}")) == one


@given(st.text(), st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0")))
def test_no_text_that_somebody_makes_up_is_a_token_or_breaks_its_reading(token, cookie):
    assert not GUARD.fits(GUARD.new_nonce(), token)
    assert not GUARD.fits(GUARD.nonce(request(cookie=f"paperboy={cookie}")), token)


def test_a_rate_lets_all_come_at_once_and_then_one_by_one():
    clock = Clock()
    limiter = Limiter({"search": Rate(3, timedelta(minutes=1))}, clock)
    assert [limiter.wait("search", "a") for _ in range(4)] == [0, 0, 0, 20]
    assert limiter.wait("search", "b") == 0
    clock.now += timedelta(seconds=19)
    assert limiter.wait("search", "a") == 1
    clock.now += timedelta(seconds=1)
    assert [limiter.wait("search", "a") for _ in range(2)] == [0, 20]
    clock.now += timedelta(minutes=5)
    assert [limiter.wait("search", "a") for _ in range(4)] == [0, 0, 0, 20]


@given(st.lists(st.integers(0, 90), max_size=60))
def test_in_no_stretch_does_a_rate_let_more_through_than_twice_its_count(pauses):
    clock = Clock()
    limiter = Limiter({"search": Rate(3, timedelta(minutes=1))}, clock)
    let = []
    for pause in pauses:
        clock.now += timedelta(seconds=pause)
        if not limiter.wait("search", "a"):
            let.append(clock.now)
    for begun in let:
        assert sum(begun <= at < begun + timedelta(minutes=1) for at in let) <= 6


def test_however_many_clients_come_few_are_remembered():
    limiter = Limiter({"search": Rate(1, timedelta(hours=1))}, Clock())
    for number in range(MOST_CLIENTS + 50):
        limiter.wait("search", f"client {number}")
    assert len(limiter._full_at) == MOST_CLIENTS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "somewhere", False),
    ],
)
def test_a_client_is_an_address_and_of_ipv6_a_household(one, other, same):
    assert (client_group(one) == client_group(other)) == same


@given(DAYS, st.sampled_from(sorted(PERIODS)))
def test_the_name_of_a_days_period_leads_back_to_it_and_it_holds_the_day(day, kind):
    period = PERIODS[kind](day)
    assert period.first <= day <= period.last
    assert read_period(kind, period.name) == period
    assert PERIODS[kind](period.first) == PERIODS[kind](period.last) == period
    assert PERIODS[kind](period.last + timedelta(days=1)).first == period.last + timedelta(days=1)


def test_a_year_has_a_week_53_only_where_the_calendar_has_one():
    week = read_period("week", "2026-W53")
    assert (week.first, week.last) == (date(2026, 12, 28), date(2027, 1, 3))
    assert week.title == "week 53 of 2026, 28 Dec 2026 to 3 Jan 2027"
    assert week_of(date(2027, 1, 1)) == week
    assert read_period("week", "2025-W53") is None
    assert read_period("week", "2026-W54") is None
    assert read_period("week", "2026-W00") is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [("day", "2026-02-29"), ("day", "2026-1-1"), ("month", "2026-13"), ("month", "0001-01"), ("week", "2026-48"),
     ("day", "٢٠٢٦-١١-٢٣"), ("year", "2026"), ("day", "")],
)  # fmt: skip
def test_what_is_no_period_is_none(kind, name):
    assert read_period(kind, name) is None


def test_periods_say_what_they_are():
    assert day_of(date(2026, 11, 23)).title == "Monday 23 November 2026"
    assert month_of(date(2026, 2, 3)).last == date(2026, 2, 28)
    assert week_of(date(2026, 11, 23)).path == "/week/2026-W48"


@given(st.text(max_size=60))
@example("/")
@example("..")
def test_a_papers_path_stays_below_papers_whatever_its_id_is(identifier):
    path = paper_path(identifier)
    assert path.startswith("/paper/")
    assert path.isascii()
    assert not set(path) & set(" ?#%\\\"'<>&") - {"%"}
    assert not {".", ".."} & set(path.split("/"))
    assert "//" not in path


@given(st.integers(1, 500), st.integers(0, 5000), st.text(max_size=20))
def test_the_pages_of_a_list_hold_all_of_it(number, total, query):
    pages = Pages(min(number, Pages(1, 10, total, {}).count), 10, total, {"q": query})
    assert (pages.count - 1) * 10 < max(total, 1) or pages.count == pages.most
    assert bool(pages.after) == (pages.number < pages.count)
    assert bool(pages.before) == (pages.number > 1)


@pytest.mark.parametrize("typed", ["0", "-1", "31", "x", "", "1e3", "９", "1" * 5000])
def test_a_page_that_cannot_be_is_not_found(typed):
    with pytest.raises(HTTPException) as caught:
        read_page(request(f"page={typed}"), 30)
    assert caught.value.status_code == 404


@given(st.dictionaries(DAYS, st.integers(-5, 10**9), max_size=40))
def test_a_curve_stays_within_its_picture(readings):
    points = draw(sorted(readings.items()))
    assert bool(points) == (len(readings) > 1)
    for point in points.split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


@given(st.sampled_from([DAILY, WEEKDAYS, WEEKLY, (0, 3), (6,)]), DAYS)
def test_the_editions_of_a_feed_cover_each_day_once(days, upto):
    found = editions(days, upto)
    assert found
    for (first, last), (_, before) in pairwise(found):
        assert first == before + timedelta(days=1)
        assert last.weekday() in days
        assert first <= last
    assert found[0][1] <= upto
    assert (upto - found[0][1]).days < 7
