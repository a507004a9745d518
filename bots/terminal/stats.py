"""`stats`: the service's own figures."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import date
from math import isinf

from bots.house import open_house
from bots.terminal.output import write_out
from core.settings import Settings
from core.store import figures as f
from core.store.figures import Day

COLUMNS = {
    f.DUE: "due",
    f.ON_TIME: "on time",
    f.LATE: "late",
    f.SILENT: "silent",
    f.AMENDED: "completed",
    f.PREVENTED: "kept single",
    f.SETTLED: "settled",
    f.DEAD: "given up",
}
TIMES = {"search": "a search", "acknowledgement": "an acknowledgement"}


async def stats(arguments: Namespace, settings: Settings) -> int:
    """Print what happened on the last days, by day and platform."""
    async with open_house(settings, owner=False) as house:
        days = await f.read_days(house.store, house.clock().date(), arguments.days)
    if arguments.json:
        write_out(json.dumps(stats_json(days)))
    elif not days:
        write_out("Nothing has happened yet; figures begin with the first digest or search.")
    else:
        write_out("\n".join(stats_lines(days)))
    return 0


def stats_json(days: Mapping[date, Day]) -> dict[str, object]:
    """Return the figures as one document: by day the counts of each platform, and quantiles of times in seconds."""
    return {
        "days": [
            {"day": day.isoformat(), "platforms": figures.counts, "times": _quantiles(figures)}
            for day, figures in days.items()
        ]
    }


def _quantiles(figures: Day) -> dict[str, dict[str, float | None]]:
    return {
        name: {"p50": _bounded(f.quantile(histogram, 0.5)), "p95": _bounded(f.quantile(histogram, 0.95))}
        for name, histogram in figures.times.items()
    }


def _bounded(seconds: float | None) -> float | None:
    """Return a bound that JSON can hold: what is above the last bucket has none."""
    return None if seconds is None or isinf(seconds) else seconds


def stats_lines(days: Mapping[date, Day]) -> Iterator[str]:
    """Return the figures as a table, and one line for each kind of failure and time."""
    yield f"{'day':<12}{'platform':<10}" + "".join(f"{label:>13}" for label in COLUMNS.values())
    for day, figures in days.items():
        for platform, counts in sorted(figures.counts.items()):
            yield f"{day.isoformat():<12}{platform:<10}" + "".join(f"{counts.get(name, 0):>13,}" for name in COLUMNS)
    yield from stats_notes(days)


def stats_notes(days: Mapping[date, Day]) -> Iterator[str]:
    """Return one line for each kind of failure and of time."""
    for day, figures in days.items():
        for platform, counts in sorted(figures.counts.items()):
            yield from _failure_lines(day, platform, counts)
        for name, histogram in figures.times.items():
            yield (
                f"{day.isoformat()}: {sum(histogram):,} times {TIMES.get(name, name)}, half of them within "
                f"{_seconds(f.quantile(histogram, 0.5))}, 95 % within {_seconds(f.quantile(histogram, 0.95))}"
            )


def _failure_lines(day: date, platform: str, counts: Mapping[str, int]) -> Iterator[str]:
    for name, count in sorted(counts.items()):
        if name.startswith(f.FAILED):
            yield f"{day.isoformat()}: {platform}: {count:,} failed calls of kind {name.removeprefix(f.FAILED)!r}"


def _seconds(bound: float | None) -> str:
    if bound is None:
        return "no time"
    if isinf(bound):
        return f"more than {f.BOUNDS[-1]:g} s"
    return f"{bound * 1000:g} ms" if bound < 1 else f"{bound:g} s"
