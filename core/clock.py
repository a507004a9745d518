"""The time, as an argument: the only place that asks the system for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

Clock: TypeAlias = Callable[[], datetime]
"""Returns the current instant, aware, in UTC."""


def system_clock() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


class SteeredClock:
    """The system's clock, corrected by another: where machines share a database, all go by its clock."""

    def __init__(self, system: Clock = system_clock) -> None:
        self._system = system
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return self._system() + self._ahead

    async def follow(self, ask: Callable[[], Awaitable[datetime]]) -> timedelta:
        """Go by another clock from now on; returns by how much it is ahead of the system's."""
        before = self._system()
        told = await ask()
        self._ahead = told - (before + (self._system() - before) / 2)
        return self._ahead


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name. `ZoneInfo` itself keeps eight, and reads the others from disk at each call."""
    return ZoneInfo(name)
