"""When paperboy wakes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from core.delivery.schedule import make_schedule


async def nothing():
    return None


def schedule(**jobs):
    return make_schedule(
        **{name: jobs.get(name, nothing) for name in ("tick", "care", "fetch", "tidy")}, fetch_every_minutes=30
    )


def next_runs(job, start, count):
    runs, previous, now = [], None, start
    for _ in range(count):
        previous = job.trigger.get_next_fire_time(previous, now)
        runs.append(previous)
        now = previous + timedelta(microseconds=1)
    return runs


def test_the_minute_strikes_at_the_full_minute_and_care_follows_in_its_middle():
    jobs = {job.id: job for job in schedule().get_jobs()}
    start = datetime(2026, 11, 1, 5, 59, 50, tzinfo=UTC)
    assert [run.strftime("%H:%M:%S") for run in next_runs(jobs["tick"], start, 3)] == [
        "06:00:00",
        "06:01:00",
        "06:02:00",
    ]
    assert [run.second for run in next_runs(jobs["care"], start, 3)] == [30, 30, 30]


def test_the_clocks_of_the_world_do_not_move_our_minutes():
    jobs = {job.id: job for job in schedule().get_jobs()}
    for start in (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)):
        runs = next_runs(jobs["tick"], start, 120)
        assert runs == [start + timedelta(minutes=minute) for minute in range(120)]


async def test_a_late_run_is_made_up_for_and_never_doubled():
    begun = asyncio.Event()
    go_on = asyncio.Event()
    count = 0

    async def slow():
        nonlocal count
        count += 1
        begun.set()
        await go_on.wait()

    scheduler = schedule(tick=slow)
    scheduler.start(paused=True)
    job = scheduler.get_job("tick")
    assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (None, True, 1)
    job.modify(next_run_time=datetime.now(UTC) - timedelta(minutes=10))
    scheduler.resume()
    await begun.wait()
    go_on.set()
    await asyncio.sleep(0)
    scheduler.shutdown(wait=False)
    assert count == 1
