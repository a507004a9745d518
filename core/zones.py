"""The names of time zones, read once: looking them up goes through hundreds of files, for which no answer may wait."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def zone_names() -> frozenset[str]:
    """Return all IANA names that this machine knows, as Europe/Berlin and UTC."""
    return frozenset(available_timezones())
