"""`subscriptions list|add|remove|export|import`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from bots.email.addresses import PREFIX
from bots.email.people import admit, note_vouched
from bots.house import House, open_house
from bots.terminal.exported import check_address, read_export
from bots.terminal.reading import write_out
from bots.terminal.render import clean
from core.chat import commands as c
from core.chat.message import plain
from core.chat.parsing import split_options
from core.chat.render import when_words
from core.digests.subscription import Subscription, next_due
from core.errors import PaperboyError, UsageError
from core.settings import Settings
from core.store import Change

SHELL = "shell"


async def subscriptions(arguments: Namespace, settings: Settings) -> int:
    """Run one of the actions."""
    return await ACTIONS[arguments.action](arguments, settings)


async def _list(arguments: Namespace, settings: Settings) -> int:
    async with open_house(settings, owner=False) as house:
        found = await house.store.subscriptions(arguments.address)
        if arguments.json:
            write_out(msgspec.json.encode([_described(item, house) for item in found]).decode())
        elif not found:
            write_out("No subscriptions yet.")
        else:
            write_out("\n".join(clean(_line(item, house)) for item in found))
    return 0


def _described(subscription: Subscription, house: House) -> Mapping[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(subscription)
    return {**fields, "next": next_due(subscription, house.clock())}


def _line(subscription: Subscription, house: House) -> str:
    upcoming = next_due(subscription, house.clock())
    state = f"paused: {subscription.pause.reason}" if subscription.pause else f"next {upcoming:%Y-%m-%d %H:%M} UTC"
    interests = subscription.interests or "everything"
    return (
        f"{subscription.id}  {subscription.address} #{subscription.number}  {interests}"
        f"  ({when_words(subscription)}; {state})"
    )


async def _add(arguments: Namespace, settings: Settings) -> int:
    check_address(arguments.address)
    interests, options = split_options(" ".join(arguments.words))
    async with open_house(settings, owner=not settings.shares_state) as house:
        by_mail = arguments.address.startswith(PREFIX)
        address = await admit(house, arguments.address) if by_mail else arguments.address
        request = c.Request(c.Help(), person=SHELL, place=address, may_manage=True)
        orders = house.orders(_assume_reachable)
        message = await orders.subscribe(c.Subscribe(interests, options), request, house.clock())
        newest = (await house.store.subscriptions(address))[-1]
        if by_mail:
            await note_vouched(house, address, newest.id, house.clock())
    write_out("\n".join([newest.id, *map(plain, message.lines)]))
    return 0


async def _assume_reachable(_address: str) -> str | None:
    """Without a connection to the platform nobody can tell; the first delivery will."""
    return None


async def _remove(arguments: Namespace, settings: Settings) -> int:
    async with open_house(settings, owner=not settings.shares_state) as house:
        missing = [item for item in arguments.ids if await house.store.subscription(item) is None]
        if missing:
            raise UsageError(
                f"There is no subscription {', '.join(missing)}; nothing was removed.",
                hint="paperboy subscriptions list shows all ids.",
            )
        change = Change(house.clock(), SHELL, SHELL, f"removed {', '.join(arguments.ids)}")
        count = await house.store.remove_subscriptions(arguments.ids, change)
    write_out(f"Removed {count}.")
    return 0


async def _export(arguments: Namespace, settings: Settings) -> int:
    async with open_house(settings, owner=False) as house:
        found = await house.store.subscriptions()
    lines = "".join(msgspec.json.encode(item).decode() + "\n" for item in found)
    if arguments.file is None:
        sys.stdout.write(lines)
        return 0
    try:
        arguments.file.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise PaperboyError(f"{arguments.file} cannot be written ({error.strerror}).") from error
    write_out(f"Wrote {len(found)} to {arguments.file}.")
    return 0


async def _import(arguments: Namespace, settings: Settings) -> int:
    wanted, problems = read_export(arguments.file)
    async with open_house(settings, owner=not settings.shares_state) as house:
        held = {item.id for item in await house.store.subscriptions()}
        fresh = {item.id: item for item in wanted if item.id not in held}
        refused = [problem for item in fresh.values() if (problem := await _take_in(item, house))]
    for problem in [*problems, *refused]:
        print(f"paperboy: {problem}", file=sys.stderr)
    write_out(f"Imported {len(fresh) - len(refused)}; {len(wanted) - len(fresh)} were here already.")
    return 1 if problems or refused else 0


async def _take_in(item: Subscription, house: House) -> str | None:
    """Keep an exported subscription, or return why it must not be kept."""
    by_mail = item.address.startswith(PREFIX)
    try:
        if by_mail:
            await admit(house, item.address)
    except UsageError as error:
        return f"{item.id}: {error}"
    change = Change(house.clock(), item.address, SHELL, f"imported {item.interests or 'everything'}")
    await house.store.add_subscription(item, change)
    if by_mail:
        await note_vouched(house, item.address, item.id, house.clock())
    return None


ACTIONS: Mapping[str, Callable[[Namespace, Settings], Awaitable[int]]] = {
    "list": _list,
    "add": _add,
    "remove": _remove,
    "export": _export,
    "import": _import,
}
