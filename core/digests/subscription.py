"""Who gets what, when: a subscription and the local times at which it is due.

The rules of time, in the order in which they hold:

1. A subscription is due on the local dates of its days, at its local time.
2. A local time that does not exist (clocks go forward) is the first that exists after it; one that exists twice
   (clocks go back) is its first occurrence.
3. One digest a local date: whoever asks says which dates already have one.
4. Times before `active_from` were never due; of several missed dates only the newest is, and its digest covers the
   others too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from core.clock import zone_of

DAILY = (0, 1, 2, 3, 4, 5, 6)
WEEKDAYS = (0, 1, 2, 3, 4)
WEEKLY = (0,)
LOOK_BACK = timedelta(days=8)
MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a subscription is not delivered now.

    Attributes:
        reason: a clause for its readers, as "paused by Alice" or "the channel is archived".
        since: when it was paused (aware, UTC).
        by_hand: whether a person asked for it; otherwise it ends by itself when the cause goes away.
    """

    reason: str
    since: datetime
    by_hand: bool = True


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing order for digests.

    Attributes:
        id: short, opaque, unique over everything (`k3f9xq`).
        address: where digests go, opaque to core (`slack:T123/C456`, `discord:789`).
        number: its number in that place, stable, as `/papers list` shows it.
        interests: in the query language; empty means everything.
        at: local time of delivery; with `when_ready`, the latest one (None: no latest).
        when_ready: goes out as soon as the day's batch is in.
        timezone: IANA name.
        days: weekdays on which it is due, Monday is 0, ascending.
        weekly: ranks over the seven days before instead of what is new since the last digest.
        top: at most so many papers.
        quiet: nothing at all instead of one line when there is nothing.
        no_repeats: leaves out what places beside it were shown (see `core.chat.beside`).
        created_by: address of the person, as opaque as `address`.
        created_at: when (aware, UTC).
        active_from: times before this were never due (aware, UTC).
        pause: why it is not delivered now, or None.
    """

    id: str
    address: str
    number: int
    interests: str
    at: time | None
    timezone: str
    days: tuple[int, ...]
    top: int
    created_by: str
    created_at: datetime
    active_from: datetime
    when_ready: bool = False
    weekly: bool = False
    quiet: bool = False
    no_repeats: bool = False
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """That a subscription is due: for which local date, and since which instant (aware, UTC)."""

    subscription: Subscription
    day: date
    at: datetime


@lru_cache(maxsize=16384)
def local_instant(day: date, at: time, timezone: str) -> datetime:
    """Return the instant (aware, UTC) of a local time; see rule 2 for times that do not exist or exist twice."""
    zone = zone_of(timezone)
    wall = datetime.combine(day, at.replace(fold=0), zone)
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    # In a gap, fold=0 reads the wall clock with the offset before it, which lands as far behind the gap's end as the
    # wall time lies behind its start; the first time that exists is the gap's end, found by the offset after it.
    after = wall.replace(fold=1).utcoffset()
    before = wall.utcoffset()
    assert after is not None
    assert before is not None
    return _gap_end(instant - (after - before), instant, zone)


def _gap_end(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first whole minute in (low, high] that has the UTC offset of `high`."""
    offset = high.astimezone(zone).utcoffset()
    step = timedelta(minutes=1)
    moment = low.replace(second=0, microsecond=0)
    while moment < high and moment.astimezone(zone).utcoffset() != offset:
        moment += step
    return moment


def newest_due(subscription: Subscription, now: datetime) -> Due | None:
    """Return the newest date on which the subscription was or is due up to `now` (aware), or None.

    Whether that date already has its digest is not asked here. `when_ready` subscriptions are due at midnight of their
    days and wait for their batch elsewhere.
    """
    newest = newest_moment(subscription, now)
    return None if newest is None else Due(subscription, *newest)


def newest_moment(subscription: Subscription, now: datetime) -> tuple[date, datetime] | None:
    """Return the date and the instant of `newest_due`, which is asked of every subscription in every minute."""
    if subscription.pause is not None or not subscription.days:
        return None
    at = MIDNIGHT if subscription.when_ready or subscription.at is None else subscription.at
    day, instant = _newest_moment(at, subscription.timezone, now)
    if back := _days_back(subscription.days, day.weekday()):
        day -= timedelta(days=back)
        instant = local_instant(day, at, subscription.timezone)
    return None if instant < subscription.active_from else (day, instant)


@lru_cache(maxsize=1024)
def _days_back(days: tuple[int, ...], weekday: int) -> int:
    return min((weekday - other) % 7 for other in days)


@lru_cache(maxsize=1024)
def _newest_moment(at: time, timezone: str, now: datetime) -> tuple[date, datetime]:
    """Return the newest date whose local time has come, and when it came; thousands of subscriptions share a few."""
    day = now.astimezone(zone_of(timezone)).date()
    while (instant := local_instant(day, at, timezone)) > now:
        day -= timedelta(days=1)
    return day, instant


def previous_day(subscription: Subscription, day: date) -> date | None:
    """Return the local date before `day` on which the subscription was due, or None when it was not active then."""
    zone = zone_of(subscription.timezone)
    for back in range(1, LOOK_BACK.days + 1):
        candidate = day - timedelta(days=back)
        if candidate.weekday() in subscription.days:
            return candidate if candidate >= subscription.active_from.astimezone(zone).date() else None
    return None


def next_due(subscription: Subscription, now: datetime) -> datetime | None:
    """Return the next instant after `now` at which the subscription will be due, or None while it is paused."""
    if subscription.pause is not None:
        return None
    at = time(0) if subscription.when_ready or subscription.at is None else subscription.at
    day = now.astimezone(zone_of(subscription.timezone)).date()
    for ahead in range(LOOK_BACK.days + 1):
        candidate = day + timedelta(days=ahead)
        instant = local_instant(candidate, at, subscription.timezone)
        if candidate.weekday() in subscription.days and instant > now and instant >= subscription.active_from:
            return instant
    return None
