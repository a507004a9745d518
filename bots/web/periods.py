"""Days, ISO weeks and months: what the archive is browsed by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from core.chat.render import long_day

_DAY = re.compile(r"((?:19|20|21)[0-9]{2})-([0-9]{2})-([0-9]{2})")
_WEEK = re.compile(r"((?:19|20|21)[0-9]{2})-W([0-9]{2})")
_MONTH = re.compile(r"((?:19|20|21)[0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days.

    Attributes:
        kind: `day`, `week` or `month`.
        name: as it stands in addresses: `2026-11-23`, `2026-W48`, `2026-11`.
        first: its first day.
        last: its last day.
        title: as people say it.
    """

    kind: str
    name: str
    first: date
    last: date
    title: str

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/{self.kind}/{self.name}"


def day_of(day: date) -> Period:
    """Return a day."""
    return Period("day", day.isoformat(), day, day, long_day(day))


def week_of(day: date) -> Period:
    """Return the ISO week a day is in; its year is its Thursday's, so that a January may begin in a week 53."""
    year, number, weekday = day.isocalendar()
    first = day - timedelta(days=weekday - 1)
    last = first + timedelta(days=6)
    months = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return Period(
        "week", f"{year}-W{number:02}", first, last, f"week {number} of {year}, {months} to {last.day} {last:%b %Y}"
    )


def month_of(day: date) -> Period:
    """Return the month a day is in."""
    first = day.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return Period("month", f"{day:%Y-%m}", first, last, f"{day:%B %Y}")


PERIODS = {"day": day_of, "week": week_of, "month": month_of}


def read_period(kind: str, name: str) -> Period | None:
    """Return the period of a kind that a name means; None where there is no such day, week or month."""
    try:
        if kind == "day" and (found := _DAY.fullmatch(name)):
            return day_of(date(int(found[1]), int(found[2]), int(found[3])))
        if kind == "week" and (found := _WEEK.fullmatch(name)):
            return week_of(date.fromisocalendar(int(found[1]), int(found[2]), 1))
        if kind == "month" and (found := _MONTH.fullmatch(name)):
            return month_of(date(int(found[1]), int(found[2]), 1))
    except ValueError:
        pass
    return None
