"""`saved`: what a person marked 🔖, for a reference manager."""

from __future__ import annotations

from argparse import Namespace

from bots.house import open_house
from bots.terminal.exported import check_address
from bots.terminal.output import write_out
from core.chat.saved import SavedList, export_all
from core.settings import Settings


async def saved(arguments: Namespace, settings: Settings) -> int:
    """Print everything that a person saved, newest first."""
    check_address(arguments.person)
    async with open_house(settings, owner=False) as house:
        listed = SavedList(library=house.library, store=house.store)
        written = await export_all(listed, house.library, arguments.person, arguments.format)
    write_out(written or f"Nothing is saved by {arguments.person}.")
    return 0
