"""How a worker of the queue is ended."""

import asyncio

from core.delivery.queue import end_worker


async def deaf(cancellations):
    """Go on after as many cancellations as are given, as what waits with `asyncio.wait_for` can."""
    for _ in range(cancellations):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def started(work):
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def test_a_worker_that_loses_a_cancellation_is_ended_all_the_same():
    running = await started(deaf(1))
    assert await end_worker(running, lambda: True)
    assert running.cancelled()


async def test_a_worker_that_has_something_under_way_is_cancelled_once_and_finishes_it():
    finish = asyncio.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await finish.wait()

    running = await started(work())
    asyncio.get_running_loop().call_later(1.5, finish.set)  # later than it is asked again
    assert await end_worker(running, lambda: False)
    assert not running.cancelled()
