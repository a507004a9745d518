"""`subscriptions list|export`, which only read; what changes something is loaded when it is asked for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime

import msgspec

from bots.state import clock_of, open_state
from bots.terminal.output import clean, write_data, write_out
from core.chat.times import when_words
from core.clock import Clock, system_clock
from core.digests.subscription import Subscription, next_due
from core.errors import PaperboyError
from core.settings import Settings


async def subscriptions(arguments: Namespace, settings: Settings) -> int:
    """Run one of the actions."""
    if arguments.action == "list":
        return await _list(arguments, settings, clock_of(settings))
    if arguments.action == "export":
        return await _export(arguments, settings)
    from bots.terminal.subscriptions import subscriptions as change  # noqa: PLC0415 - see the module

    return await change(arguments, settings)


async def _read(settings: Settings, clock: Clock, address: str | None = None) -> Sequence[Subscription]:
    async with AsyncExitStack() as stack:
        store = await open_state(settings, stack, owner=False, clock=clock)
        return await store.subscriptions(address)


async def _list(arguments: Namespace, settings: Settings, clock: Clock) -> int:
    if arguments.address:
        from bots.terminal.exported import check_address  # noqa: PLC0415 - see the module

        check_address(arguments.address)
    found = await _read(settings, clock, arguments.address)
    if arguments.json:
        write_out(msgspec.json.encode([_described(item, clock()) for item in found]).decode())
    elif not found:
        write_out(f"There is none for {arguments.address}." if arguments.address else "No subscriptions yet.")
    else:
        write_out("\n".join(clean(_line(item, clock())) for item in found))
    return 0


def _described(subscription: Subscription, now: datetime) -> Mapping[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(subscription)
    return {**fields, "next": next_due(subscription, now)}


def _line(subscription: Subscription, now: datetime) -> str:
    upcoming = next_due(subscription, now)
    state = f"paused: {subscription.pause.reason}" if subscription.pause else f"next {upcoming:%Y-%m-%d %H:%M} UTC"
    interests = subscription.interests or "everything"
    return (
        f"{subscription.id}  {subscription.address} #{subscription.number}  {interests}"
        f"  ({when_words(subscription)}; {state})"
    )


async def _export(arguments: Namespace, settings: Settings) -> int:
    found = await _read(settings, system_clock)
    lines = "".join(msgspec.json.encode(item).decode() + "\n" for item in found)
    if arguments.file is None:
        write_data(lines)
        return 0
    try:
        arguments.file.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise PaperboyError(f"{arguments.file} cannot be written ({error.strerror}).") from error
    write_out(f"Wrote {len(found)} to {arguments.file}.")
    return 0
