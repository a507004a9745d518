from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from core.pacing import Pause, next_pause, quota, retry_after
from core.papers.sources import Lane

NOW = datetime(2026, 11, 23, 6, 10, tzinfo=UTC)
ARXIV = Lane("arxiv", 3.0, connections=1, pause=600.0)


def seconds(pause):
    return (pause.until - NOW).total_seconds()


@pytest.mark.parametrize("status", [429, 503])
def test_the_first_refusal_stops_the_lane_for_its_pause(status):
    pause = next_pause(ARXIV, None, status, {}, NOW)
    assert (seconds(pause), pause.reason, pause.status) == (600, f"has answered {status}", status)


def test_refusals_in_a_row_double_the_pause_twice_at_most():
    pause, lengths = None, []
    for _ in range(5):
        pause = next_pause(ARXIV, pause, 429, {}, NOW)
        lengths.append(seconds(pause) / 60)
    assert lengths == [10, 20, 40, 40, 40]


def test_an_answer_ends_the_row():
    pause = next_pause(ARXIV, next_pause(ARXIV, None, 429, {}, NOW), 429, {}, NOW)
    later = pause.until + timedelta(seconds=1)
    assert next_pause(ARXIV, pause, 200, {}, later) is None
    assert seconds(next_pause(ARXIV, None, 429, {}, NOW)) == 600


def test_an_answer_to_a_request_that_was_under_way_does_not_lift_a_stop():
    pause = next_pause(ARXIV, None, 429, {}, NOW)
    assert next_pause(ARXIV, pause, 200, {}, NOW) == pause


def test_what_the_server_asks_for_goes_before_our_own_pause_and_is_not_counted():
    pause = next_pause(ARXIV, None, 429, {"retry-after": "45"}, NOW)
    assert (seconds(pause), pause.refusals) == (45, 0)
    pause = next_pause(ARXIV, None, 429, {"ratelimit": '"api";r=0;t=55'}, NOW)
    assert seconds(pause) == 55


def test_nobody_can_stop_us_for_more_than_a_day():
    assert seconds(next_pause(ARXIV, None, 429, {"retry-after": "999999999"}, NOW)) == 24 * 3600


def test_a_quota_that_is_used_up_stops_the_lane_before_it_is_refused():
    pause = next_pause(ARXIV, None, 200, {"ratelimit": '"api";r=0;t=55'}, NOW)
    assert (seconds(pause), pause.status, pause.reason) == (55, None, "allows no more requests for now")
    assert next_pause(ARXIV, None, 200, {"ratelimit": '"api";r=1;t=55'}, NOW) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("Mon, 23 Nov 2026 06:11:00", 60.0),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value, expected):
    assert retry_after({"retry-after": value}, NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"api";r=489;t=55', (489, 55.0)),
        ('"api"; r=3; t=10, "pages"; r=0; t=200', (0, 200.0)),
        ("nonsense", (None, None)),
        ("", (None, None)),
    ],
)
def test_the_scarcest_quota_counts(value, expected):
    assert quota({"ratelimit": value}) == expected


def test_a_pause_remembers_nothing_of_a_free_lane():
    old = Pause(NOW - timedelta(hours=1), 2, "has answered 429", 429)
    assert next_pause(ARXIV, old, 404, {}, NOW) is None
