"""EDGE. When paperboy wakes: APScheduler only wakes it; `due_subscriptions` over the store decides what is due.

APScheduler's `misfire_grace_time` is 1 second by default: a busy second would silently skip a run. None runs it late.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

Job = Callable[[], Awaitable[object]]


def make_schedule(*, tick: Job, fetch: Job, tidy: Job, fetch_every_minutes: int) -> AsyncIOScheduler:
    """Return a scheduler, not started: `tick` at each full minute, `fetch` through the day, `tidy` once a day."""
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(tick, CronTrigger(second=0, timezone="UTC"), id="tick")
    scheduler.add_job(fetch, IntervalTrigger(minutes=fetch_every_minutes, timezone="UTC"), id="fetch")
    scheduler.add_job(tidy, CronTrigger(hour=3, minute=17, timezone="UTC"), id="tidy")
    return scheduler
