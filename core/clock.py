"""The time, as an argument: the only place that asks the system for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

Clock: TypeAlias = Callable[[], datetime]
"""Returns the current instant, aware, in UTC."""


def system_clock() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name. `ZoneInfo` itself keeps eight, and reads the others from disk at each call."""
    return ZoneInfo(name)
