"""Which subscriptions have to be looked at, so that an index can leave out the many that are surely not due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.digests.subscription import Subscription, next_due

LOOK_AGAIN = timedelta(hours=6)
"""Nobody is put off for longer, so that new rules of a time zone are followed soon."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that may be due.

    Attributes:
        subscription: the subscription.
        last: the newest local date that has a delivery, and when that was due; None where none has.
        stamp: the store's own; another one as soon as anything about the subscription has changed. Empty where the
            store puts nobody off.
    """

    subscription: Subscription
    last: tuple[date, datetime] | None = None
    stamp: str = ""


def not_due_before(subscription: Subscription, now: datetime) -> datetime:
    """Return an instant before which a subscription that is not due at `now` is not due either, if nothing changes."""
    latest = now + LOOK_AGAIN
    upcoming = next_due(subscription, now)
    return latest if upcoming is None else min(upcoming, latest)
