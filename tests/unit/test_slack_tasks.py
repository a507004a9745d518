"""What goes on behind an acknowledgement: told when it breaks, and ended when it is no longer wanted."""

from __future__ import annotations

import asyncio

from bots.slack.tasks import Tasks, look_after
from core.errors import StoreError


async def test_one_that_breaks_is_told_and_the_others_go_on_until_they_are_cancelled(caplog):
    goes_on, ended = asyncio.Event(), asyncio.Event()

    async def breaks():
        raise ZeroDivisionError

    async def works():
        await asyncio.sleep(0)
        goes_on.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    care = look_after(breaks(), works())
    await asyncio.wait_for(goes_on.wait(), 5)
    assert "has ended" in caplog.text
    care.cancel()
    await asyncio.gather(care, return_exceptions=True)
    assert ended.is_set()


async def test_what_the_store_refuses_is_one_line_and_a_bug_is_told_whole(caplog):
    async def refused():
        raise StoreError("There is no space left.")

    async def broken():
        raise ZeroDivisionError

    tasks = Tasks()
    tasks.start(refused())
    await tasks.close()
    assert "There is no space left." in caplog.text
    assert "Traceback" not in caplog.text
    tasks.start(broken())
    await tasks.close()
    assert "Traceback" in caplog.text
