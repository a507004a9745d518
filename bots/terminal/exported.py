"""What `subscriptions export` wrote, read again: nothing comes in that could not have been typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bots import PLATFORMS
from bots.email.addresses import PREFIX, read_address
from bots.terminal.reading import read_lines
from core.chat.parsing import check_top, parse_timezone
from core.digests.subscription import DAILY, Subscription
from core.errors import UsageError
from core.search.query import parse


def read_export(path: Path) -> tuple[Sequence[Subscription], Sequence[str]]:
    """Read what export wrote: the subscriptions, and one sentence for each line that is none."""
    found, problems = [], []
    for number, line in read_lines(path):
        if not line:
            continue
        try:
            found.append(_checked(msgspec.json.decode(line, type=Subscription)))
        except (msgspec.DecodeError, UsageError) as error:
            problems.append(f"{path}, line {number}: {error}")
    return found, problems


def check_address(address: str) -> None:
    """Raise UsageError unless an address belongs to a known platform."""
    platform, _, rest = address.partition(":")
    if platform not in PLATFORMS or not rest or " " in rest or not rest.isprintable():
        known = ", ".join(f"{name}:..." for name in PLATFORMS)
        raise UsageError(f"{address!r} is not an address.", hint=f"Addresses are written {known}.")


def _checked(item: Subscription) -> Subscription:
    """Return a subscription as it may be kept.

    Raises:
        UsageError: a part of it could not have come from export, and would stop what comes after.
    """
    parse(item.interests)
    check_address(item.address)
    check_top(item.top)
    if not (item.id.isascii() and item.id.isalnum()):
        raise UsageError(f"id {item.id!r} is not possible; it is letters and digits.")
    if not item.days or any(day not in DAILY for day in item.days):
        raise UsageError(f"days {list(item.days)} are not possible; they are some of 0 (Monday) to 6.")
    if item.at is None and not item.when_ready:
        raise UsageError("at is missing; it is a time such as 08:00:00.")
    if item.created_at.tzinfo is None or item.active_from.tzinfo is None:
        raise UsageError("created_at and active_from need a zone, as in 2026-11-23T08:00:00Z.")
    address = read_address(item.address) if item.address.startswith(PREFIX) else item.address
    days = tuple(sorted(set(item.days)))
    return replace(item, address=address, days=days, timezone=parse_timezone(item.timezone))
