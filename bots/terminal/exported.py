"""What `subscriptions export` wrote, read again: nothing comes in that could not have been typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bots import ADDRESSES
from bots.email.addresses import PREFIX, read_address
from bots.terminal.reading import read_lines
from core.chat.parsing import check_top, parse_timezone
from core.digests.subscription import DAILY, Subscription
from core.errors import UsageError
from core.search.query import one_line, parse

LONGEST_ID = 64
YEARS = range(2000, 3000)
"""Instants outside of these cannot be carried into every time zone, or come from no clock of ours."""


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
    """Raise UsageError unless an address belongs to a known platform, and is written as it writes them."""
    platform, _, rest = address.partition(":")
    form, _ = ADDRESSES.get(platform, ("", ""))
    if not form or not rest.isprintable() or not re.fullmatch(form, rest):
        known = ", ".join(f"{name}:{example}" for name, (_, example) in ADDRESSES.items())
        raise UsageError(f"{address!r} is not an address.", hint=f"Addresses are written {known}.")


def _checked(item: Subscription) -> Subscription:
    """Return a subscription as it may be kept.

    Raises:
        UsageError: a part of it could not have come from export, and would stop what comes after.
    """
    parse(item.interests)
    check_address(item.address)
    check_top(item.top)
    if not (item.id.isascii() and item.id.isalnum() and len(item.id) <= LONGEST_ID):
        raise UsageError(f"id {item.id[:LONGEST_ID]!r} is not possible; it is {LONGEST_ID} letters and digits at most.")
    if not item.days or any(day not in DAILY for day in item.days):
        raise UsageError(f"days {list(item.days)} are not possible; they are some of 0 (Monday) to 6.")
    if item.at is None and not item.when_ready:
        raise UsageError("at is missing; it is a time such as 08:00:00.")
    if item.created_at.tzinfo is None or item.active_from.tzinfo is None:
        raise UsageError("created_at and active_from need a zone, as in 2026-11-23T08:00:00Z.")
    if item.created_at.year not in YEARS or item.active_from.year not in YEARS:
        raise UsageError(f"created_at and active_from lie in the years {YEARS[0]} to {YEARS[-1]}.")
    address = read_address(item.address) if item.address.startswith(PREFIX) else item.address
    days = tuple(sorted(set(item.days)))
    return replace(
        item, address=address, interests=one_line(item.interests), days=days, timezone=parse_timezone(item.timezone)
    )
