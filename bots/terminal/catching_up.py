"""Bringing every index up to the library before a command ends, with progress."""

from __future__ import annotations

import sys

from bots.embedding import note_problem
from bots.house import House
from bots.terminal.progress import show_progress
from core.errors import ModelError
from core.search.obtain import find_model, obtain_model


async def catch_up(house: House, *, obtain: bool) -> None:
    """Bring every index up to the library; where the model cannot be had or used, stderr says so.

    Args:
        house: its folder's owner.
        obtain: whether to get the model where it is not here; else papers are read only if it is.

    Raises:
        LibraryError: an index cannot be written.
    """
    reader = house.reader()
    try:
        await reader.list_words()
        if not house.settings.model.enabled:
            return
        if obtain:
            with show_progress("Getting the model") as meter:
                await obtain_model(house.settings, meter.update)
            await note_problem(house, "")
        if find_model(house.settings) is not None:
            async with house.turn_to_read() as mine:
                if mine:
                    with show_progress("Reading for meaning") as meter:
                        await reader.read_missing(meter.update)
    except ModelError as error:
        print(f"paperboy: {error} Search goes on by words.", file=sys.stderr)
        await note_problem(house, str(error))
    finally:
        await reader.close()
