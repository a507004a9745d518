"""When a subscription is due, in words."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from core.chat.parsing import days_text
from core.digests.subscription import Subscription


def when_words(subscription: Subscription) -> str:
    """Return when a subscription is due: `at 08:00 in UTC, weekdays, top 5`."""
    days = days_text(subscription.days, weekly=subscription.weekly)
    quiet = (", quiet" if subscription.quiet else "") + (", no repeats" if subscription.no_repeats else "")
    return f"{_at_words(subscription)} in {subscription.timezone}, {days}, top {subscription.top}{quiet}"


def _at_words(subscription: Subscription) -> str:
    at: time | None = subscription.at
    if subscription.when_ready:
        return f"when ready by {at:%H:%M}" if at else "when ready"
    return f"at {at or time(8):%H:%M}"


def next_words(moment: datetime, timezone: str) -> str:
    """Return a local instant in short: `Tue 24 Nov 08:00`."""
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{local:%a} {local.day} {local:%b %H:%M}"
