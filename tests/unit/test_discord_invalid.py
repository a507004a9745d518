"""Discord's limit of invalid requests: what counts, for how long, and when paperboy stops."""

from __future__ import annotations

import pytest

from bots.discord.invalid import MOST_INVALID, WINDOW_SECONDS, InvalidRequests


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def test_paperboy_stops_at_half_of_what_discord_bans_for():
    invalid = InvalidRequests(now=Time())
    for _ in range(MOST_INVALID - 1):
        invalid.count(403, {})
    assert invalid.wait() == 0
    invalid.count(403, {})
    assert invalid.wait() == WINDOW_SECONDS
    assert MOST_INVALID * 2 <= 10_000


@pytest.mark.parametrize(
    ("status", "headers", "counts"),
    [
        (401, {}, True),
        (403, {}, True),
        (404, {}, True),
        (429, {}, True),
        (429, {"X-RateLimit-Scope": "user"}, True),
        (429, {"X-RateLimit-Scope": "shared"}, False),
        (200, {}, False),
        (400, {}, False),
        (503, {}, False),
    ],
)
def test_only_what_discord_counts_is_counted(status, headers, counts):
    invalid = InvalidRequests(most=1, now=Time())
    invalid.count(status, headers)
    assert (invalid.wait() > 0) is counts


def test_what_is_older_than_ten_minutes_counts_no_more():
    time = Time()
    invalid = InvalidRequests(most=3, now=time)
    for time.now in (0.0, 100.0, 200.0):
        invalid.count(404, {})
    time.now = 250.0
    assert invalid.wait() == pytest.approx(350.0)
    time.now = 600.0
    assert invalid.wait() == 0
    invalid.count(404, {})
    assert invalid.wait() == pytest.approx(100.0)
