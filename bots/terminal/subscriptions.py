"""`subscriptions add|remove|import`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping

from bots.email.addresses import PREFIX
from bots.email.people import admit, note_vouched
from bots.house import House, open_house
from bots.terminal.exported import check_address, read_export
from bots.terminal.output import write_out
from core.chat import commands as c
from core.chat.message import plain
from core.chat.parsing import split_options
from core.digests.subscription import Subscription
from core.errors import UsageError
from core.settings import Settings
from core.store import Change

SHELL = "shell"


async def subscriptions(arguments: Namespace, settings: Settings) -> int:
    """Run one of the actions that change something."""
    return await ACTIONS[arguments.action](arguments, settings)


async def _add(arguments: Namespace, settings: Settings) -> int:
    check_address(arguments.address)
    interests, options = split_options(" ".join(arguments.words))
    async with open_house(settings, owner=not settings.shares_state, make=True) as house:
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
    async with open_house(settings, owner=not settings.shares_state, make=True) as house:
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


async def _import(arguments: Namespace, settings: Settings) -> int:
    wanted, problems = read_export(arguments.file)
    async with open_house(settings, owner=not settings.shares_state, make=True) as house:
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
    "add": _add,
    "remove": _remove,
    "import": _import,
}
