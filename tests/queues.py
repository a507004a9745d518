"""Workers of the job queue."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def at_work(queue, queues, at_once):
    """Have one worker at work while the block lasts."""
    task = asyncio.create_task(queue.work(queues, at_once=at_once))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
