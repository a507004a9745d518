"""The service's own figures."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bots.terminal.stats import stats_json, stats_lines
from core.errors import StoreError
from core.store import figures as f
from core.store.figures import BOUNDS, Figures, quantile, read_day, read_days
from tests.fakes import NOON, MemoryStore


class At:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def at():
    return At()


@pytest.fixture
def store():
    return MemoryStore()


async def test_counts_add_up_over_flushes_and_restarts(store, at):
    for _ in range(2):
        figures = Figures(store, at)
        figures.count("slack", f.ON_TIME)
        figures.count("slack", f.ON_TIME)
        figures.count("discord", f.LATE)
        await figures.flush()
        await figures.flush()
    day = await read_day(store, NOON.date())
    assert day.counts == {"slack": {f.ON_TIME: 4}, "discord": {f.LATE: 2}}


async def test_a_flush_with_nothing_new_writes_nothing(store, at):
    await Figures(store, at).flush()
    assert await store.fact(f"figures:{NOON.date()}") is None


async def test_days_are_kept_apart_and_read_newest_first(store, at):
    figures = Figures(store, at)
    for _ in range(3):
        figures.count("slack", f.DUE)
        await figures.flush()
        at.now += timedelta(days=2)
    days = await read_days(store, at.now.date(), 5)
    assert list(days) == [NOON.date() + timedelta(days=4), NOON.date() + timedelta(days=2)]


async def test_times_fall_into_buckets_and_come_back_as_bounds(store, at):
    figures = Figures(store, at)
    for seconds in (0.001, 0.01, 0.02, 0.3, 99.0):
        figures.took("search", seconds)
    await figures.flush()
    histogram = (await read_day(store, NOON.date())).times["search"]
    assert histogram == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (quantile(histogram, 0.5), quantile(histogram, 0.8), quantile(histogram, 0.95)) == (0.025, 0.5, float("inf"))
    assert quantile([0] * (len(BOUNDS) + 1), 0.5) is None


async def test_the_table_names_what_happened_and_what_failed(store, at):
    figures = Figures(store, at)
    figures.count("slack", f.DUE)
    figures.count("slack", f.PREVENTED)
    figures.count("slack", f"{f.FAILED}retry")
    figures.took("search", 0.02)
    figures.took("acknowledgement", 11)
    await figures.flush()
    days = await read_days(store, NOON.date(), 1)
    lines = list(stats_lines(days))
    heads = ["day", "platform", "due", "on", "time", "late", "silent", "completed", "kept", "single", "settled"]
    assert lines[0].split() == [*heads, "given", "up"]
    assert lines[1].split() == f"{NOON.date()} slack 1 0 0 0 0 1 0 0".split()
    assert f"{NOON.date()}: slack: 1 failed calls of kind 'retry'" in lines
    assert any("1 times a search, half of them within 25 ms" in line for line in lines)
    assert any("an acknowledgement, half of them within more than 10 s" in line for line in lines)
    assert stats_json(days) == {
        "days": [
            {
                "day": str(NOON.date()),
                "platforms": {"slack": {f.DUE: 1, f.PREVENTED: 1, f"{f.FAILED}retry": 1}},
                "times": {"search": {"p50": 0.025, "p95": 0.025}, "acknowledgement": {"p50": None, "p95": None}},
            }
        ]
    }


class SlowStore(MemoryStore):
    """Lets others run between reading and writing; refuses the next write where it is told to."""

    refuses = False

    async def fact(self, name):
        found = await super().fact(name)
        await asyncio.sleep(0)
        return found

    async def replace_fact(self, name, value, *, expected):
        await asyncio.sleep(0)
        if self.refuses:
            raise StoreError("The disk is full.")
        return await super().replace_fact(name, value, expected=expected)


async def test_two_flushes_at_once_lose_nothing(at):
    store = SlowStore()
    figures = Figures(store, at)
    figures.count("slack", f.DUE)
    first = asyncio.create_task(figures.flush())
    await asyncio.sleep(0)  # the first one has read and is about to write
    figures.count("slack", f.LATE)
    await asyncio.gather(first, figures.flush())
    assert (await read_day(store, NOON.date())).counts == {"slack": {f.DUE: 1, f.LATE: 1}}


async def test_two_processes_that_flush_at_once_lose_nothing(at):
    store = SlowStore()
    processes = [Figures(store, at), Figures(store, at)]
    for figures in processes:
        figures.count("slack", f.DUE)
        figures.took("search", 0.02)
    await asyncio.gather(*(figures.flush() for figures in processes))
    day = await read_day(store, NOON.date())
    assert (day.counts, sum(day.times["search"])) == ({"slack": {f.DUE: 2}}, 2)


async def test_what_a_full_disk_kept_out_is_added_later(at):
    store = SlowStore()
    figures = Figures(store, at)
    figures.count("slack", f.DUE)
    figures.took("search", 0.02)
    store.refuses = True
    with pytest.raises(StoreError):
        await figures.flush()
    store.refuses = False
    figures.count("slack", f.DUE)
    await figures.flush()
    day = await read_day(store, NOON.date())
    assert day.counts == {"slack": {f.DUE: 2}}
    assert sum(day.times["search"]) == 1
