"""What is suggested while somebody types an option; pure, at most 25 a time as Discord allows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import islice

from core.chat.cards import shorten
from core.digests.topics import PREFIX, Topics
from core.zones import zone_names

MOST = 25
LONGEST = 100
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_SETS = ("weekdays", "daily", "weekly", "mon,thu", "mon,wed,fri")
_TIMES = tuple(f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30"))
_MORNING_FIRST = (*(at for at in _TIMES if at >= "06:00"), *(at for at in _TIMES if at < "06:00"))
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_WELL_KNOWN = (
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Africa/Lagos",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)


@cache
def _zones() -> tuple[str, ...]:
    areas = {zone for zone in zone_names() if "/" in zone and not zone.startswith(("Etc/", "SystemV/", "US/"))}
    return ("UTC", *sorted(areas))


def suggest_timezones(typed: str) -> list[str]:
    """Return zones for what was typed: cities that begin with it, then names that hold it anywhere."""
    wanted = typed.strip().replace(" ", "_").lower()
    if not wanted:
        return list(_WELL_KNOWN)
    cities = (zone for zone in _zones() if zone.rpartition("/")[2].lower().startswith(wanted))
    return _first((*cities, *(zone for zone in _zones() if wanted in zone.lower())))


def suggest_times(typed: str) -> list[str]:
    """Return times of day, the working day first; `7` and `7:` mean seven in the morning."""
    wanted = typed.strip().replace(".", ":")
    if not wanted:
        return _first(_MORNING_FIRST)
    padded = wanted if len(wanted.partition(":")[0]) > 1 else f"0{wanted}"
    exact = [padded] if _TIME.fullmatch(padded) else []
    return _first((*exact, *(at for at in _TIMES if at.startswith((padded, wanted)))))


def suggest_days(typed: str) -> list[str]:
    """Return days: the usual sets, or what was typed with its last name completed."""
    wanted = typed.strip().lower().replace(" ", "")
    *before, last = wanted.split(",")
    done = [name[:3] for name in before if name]
    if not set(done) <= set(_DAYS):
        return []
    named = (",".join((*done, day)) for day in _DAYS if day.startswith(last[:3]) and day not in done)
    return _first((*(days for days in _DAY_SETS if days.startswith(wanted)), *named))


def suggest_topics(typed: str, topics: Topics) -> list[tuple[str, str]]:
    """Return (what the picker shows, its value) of ready-made interests for what was typed; none once it is more."""
    found = topics.suggest(typed)[:MOST]
    return [(shorten(f"{topic.name}: {topic.about}", LONGEST), f"{PREFIX}{topic.name}") for topic in found]


def _first(found: Iterable[str]) -> list[str]:
    return list(islice(dict.fromkeys(found), MOST))
