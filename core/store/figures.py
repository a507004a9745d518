"""The service's own figures: counts and durations, summed by day, kept as one small fact a day.

A day's fact is JSON: {"counts": {"slack": {"on_time": 3, ...}}, "times": {"search": [0, 5, 1, ...]}}. Times are
histograms over BOUNDS, so that a day costs a few hundred bytes however much happens.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeAlias

import msgspec

from core.clock import Clock
from core.errors import StoreError
from core.store import Store
from core.store.facts import change_fact

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0)
"""Upper bounds of the histogram's buckets, in seconds; one more bucket holds what is above."""

DUE = "due"
ON_TIME = "on_time"
LATE = "late"
SILENT = "silent"
DEAD = "dead"
PREVENTED = "duplicates_prevented"
SETTLED = "unknowns_settled"
AMENDED = "amended"
FAILED = "failed_"

Count: TypeAlias = Callable[[str, str], None]
"""Called with a platform's name and what happened there."""


def ignore(_platform: str, _what: str) -> None:
    """Count nothing."""


@dataclass
class Day:
    """What happened on one day (UTC)."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    times: dict[str, list[int]] = field(default_factory=dict)

    def plus(self, counts: Mapping[str, Counter[str]], times: Mapping[str, Sequence[int]]) -> Day:
        """Return this day with more added."""
        summed = {name: dict(Counter(self.counts.get(name, {})) + more) for name, more in counts.items()}
        slots = [0] * (len(BOUNDS) + 1)
        drawn = {
            name: [old + new for old, new in zip(self.times.get(name, slots), more, strict=True)]
            for name, more in times.items()
        }
        return Day({**self.counts, **summed}, {**self.times, **drawn})


class Figures:
    """Collects in memory; `flush` adds it to the store, so that a crash loses a minute of figures and nothing else.

    What a full disk kept out is added by the next flush. Where a database kept it and the answer was lost, that minute
    is counted twice.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._adding = asyncio.Lock()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._times: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))

    def count(self, platform: str, what: str) -> None:
        """Count something that happened on a platform."""
        self._counts[platform][what] += 1

    def took(self, what: str, seconds: float) -> None:
        """Note how long something took."""
        bucket = next((number for number, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        self._times[what][bucket] += 1

    async def flush(self) -> None:
        """Add what was collected to the day's fact."""
        if not self._counts and not self._times:
            return
        async with self._adding:
            counts, times = dict(self._counts), dict(self._times)
            self._counts.clear()
            self._times.clear()

            def added(kept: str | None) -> str:
                return msgspec.json.encode(_read(kept).plus(counts, times)).decode()

            try:
                await change_fact(self._store, _name(self._clock().date()), added)
            except StoreError:
                self._take_back(counts, times)
                raise

    def _take_back(self, counts: Mapping[str, Counter[str]], times: Mapping[str, Sequence[int]]) -> None:
        for platform, counted in counts.items():
            self._counts[platform] += counted
        for what, histogram in times.items():
            self._times[what] = [old + new for old, new in zip(self._times[what], histogram, strict=True)]


async def read_day(store: Store, day: date) -> Day:
    """Return the figures of one day."""
    return _read(await store.fact(_name(day)))


def _read(kept: str | None) -> Day:
    return msgspec.json.decode(kept, type=Day) if kept else Day()


async def read_days(store: Store, newest: date, count: int) -> Mapping[date, Day]:
    """Return the figures of the days on which something happened, newest first."""
    days = [newest - timedelta(days=back) for back in range(count)]
    found = zip(days, await asyncio.gather(*(read_day(store, day) for day in days)), strict=True)
    return {day: figures for day, figures in found if figures.counts or figures.times}


def quantile(histogram: Sequence[int], share: float) -> float | None:
    """Return the upper bound (seconds) of the bucket in which a share of all lies; None when there is nothing."""
    total = sum(histogram)
    if not total:
        return None
    seen = 0
    for number, held in enumerate(histogram):
        seen += held
        if seen >= share * total:
            return BOUNDS[number] if number < len(BOUNDS) else float("inf")
    return float("inf")


def _name(day: date) -> str:
    return f"figures:{day.isoformat()}"
