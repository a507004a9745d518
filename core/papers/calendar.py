"""When arXiv announces. It explains silence; it never keeps anybody from asking.

Papers submitted before 14:00 in New York are announced at 20:00, Sunday to Thursday; what comes in from Friday 14:00 to
Monday 14:00 is announced on Monday. The feeds carry a batch from the following midnight on, so that a batch of
Sunday's announcement is Monday's. https://info.arxiv.org/help/availability.html
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from core.errors import SettingsError

ZONE = ZoneInfo("America/New_York")
ANNOUNCED_AT = time(20)
SILENT = frozenset({4, 5})  # no announcement on Fridays and Saturdays
FEEDS_READY = time(1)  # they are made anew at midnight, and that takes a while
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """arXiv's announcement schedule.

    Attributes:
        closures: days without an announcement besides Fridays and Saturdays, by their names.
        years: the years for which closures are known.
    """

    closures: Mapping[date, str] = field(default_factory=dict)
    years: frozenset[int] = frozenset()

    @classmethod
    def from_toml(cls, text: bytes) -> Calendar:
        """Read tables `[YEAR]` of `MM-DD = "name of the closure"`; SettingsError when they cannot be read."""
        try:
            tables = tomllib.loads(text.decode())
            closures = {date.fromisoformat(f"{year}-{day}"): str(name) for year, day, name in _lines(tables)}
            return cls(closures, frozenset(int(year) for year in tables))
        except (ValueError, AttributeError) as error:
            raise SettingsError(
                f'arxiv_calendar.toml cannot be read ({error}); it holds tables [YEAR] of "MM-DD" = "name".'
            ) from error

    def announcement_expected(self, day: date) -> bool:
        """Return whether arXiv announces on the evening of `day` (New York)."""
        return day.weekday() not in SILENT and day not in self.closures

    def next_announcement(self, now: datetime) -> datetime:
        """Return the next instant (aware, UTC) after `now` at which an announcement is expected."""
        day = now.astimezone(ZONE).date()
        while not self.announcement_expected(day) or _announced(day) <= now:
            day += _DAY
        return _announced(day)

    def newest_batch(self, now: datetime) -> date:
        """Return the day of the newest batch that feeds should carry at `now`."""
        ready = now.astimezone(ZONE) - timedelta(hours=FEEDS_READY.hour)
        evening = ready.date() - _DAY
        while not self.announcement_expected(evening):
            evening -= _DAY
        return evening + _DAY

    def batches_between(self, last: date, newest: date) -> int:
        """Return how many batches lie between the batches of two days, neither of them counted."""
        days = (last + _DAY * count for count in range(1, (newest - last).days))
        return sum(self.announcement_expected(day - _DAY) for day in days)

    def explain(self, now: datetime, zone: tzinfo = UTC) -> str | None:
        """Return why there is no new batch today, as a clause behind "because"; None when there should be one.

        Args:
            now: the instant (aware).
            zone: the reader's, in which the time of the next batch is told.
        """
        local = now.astimezone(ZONE)
        evening = local.date() - _DAY
        if evening.weekday() in SILENT:
            return "it announces nothing on Fridays and Saturdays"
        if evening in self.closures:
            return f"it was closed on {evening:%A} {evening.isoformat()} ({self.closures[evening]})"
        if local.time() < FEEDS_READY:
            ready = datetime.combine(local.date(), FEEDS_READY, ZONE).astimezone(zone)
            return f"the day's batch is not out yet (expected by {ready:%H:%M})"
        return None

    def warning(self, now: datetime) -> str | None:
        """Return a sentence when the closures of the current year are not known; None when they are."""
        year = now.astimezone(ZONE).year
        if year in self.years:
            return None
        return f"arxiv_calendar.toml lists no closures for {year}; a day without announcements cannot be explained."


def listing_day(submitted: date) -> date:
    """Return the day of the batch in which a paper submitted on `submitted` (before the cut-off) is announced."""
    evening = submitted + timedelta(days={4: 2, 5: 2, 6: 1}.get(submitted.weekday(), 0))
    return evening + _DAY


def _announced(day: date) -> datetime:
    return datetime.combine(day, ANNOUNCED_AT, ZONE).astimezone(UTC)


def _lines(tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    for year, days in tables.items():
        for day, name in days.items():
            yield year, day, name
