"""EDGE. When paperboy wakes: APScheduler only wakes it; `due_subscriptions` over the store decides what is due.

APScheduler's `misfire_grace_time` is 1 second by default: a busy second would silently skip a run. None runs it late.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

Job = Callable[[], Awaitable[object]]


def make_schedule(*, tick: Job, care: Job, fetch: Job, tidy: Job, fetch_every_minutes: int) -> AsyncIOScheduler:
    """Return a scheduler, not started.

    Args:
        tick: at each full minute; a run that is still going skips the next, so it must be short.
        care: at each half minute, for what may take longer.
        fetch: through the day, every `fetch_every_minutes`.
        tidy: once a day.
        fetch_every_minutes: from one fetch to the next.
    """
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(tick, CronTrigger(second=0, timezone="UTC"), id="tick")
    scheduler.add_job(care, CronTrigger(second=30, timezone="UTC"), id="care")
    scheduler.add_job(fetch, IntervalTrigger(minutes=fetch_every_minutes, timezone="UTC"), id="fetch")
    scheduler.add_job(tidy, CronTrigger(hour=3, minute=17, timezone="UTC"), id="tidy")
    return scheduler
