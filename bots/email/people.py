"""Who a link belongs to, and what is done for them: confirm, unsubscribe, pause for a bounce, delete everything."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from bots.email.addresses import PREFIX, read_address
from bots.email.links import Signer
from bots.email.names import Names
from bots.house import House
from core.chat import commands as c
from core.chat.orders import Orders
from core.chat.parsing import parse_days, parse_time, parse_timezone
from core.delivery.optin import block, confirm, find_wish, vouch
from core.digests.subscription import Pause
from core.errors import LinkError, StoreError, UsageError
from core.store import Change
from core.store.correspondents import Wish

log = logging.getLogger(__name__)

OPERATOR = "shell"


async def find_address(house: House, signer: Signer, name: str) -> str:
    """Return the address behind a keyed hash, or behind its first 24 characters.

    Raises:
        LinkError: it is not known any more.
    """
    if len(name) >= 24:
        for person in await house.store.correspondents():
            if person.name.startswith(name) and person.address:
                return person.address
        for subscription in await house.store.subscriptions():
            address = subscription.address
            if address.startswith(PREFIX) and (await signer.names.of(address)).startswith(name):
                return address
    raise LinkError("Nothing is kept of this address any more.")


async def confirm_wish(house: House, name: str, identifier: str, *, given_from: str) -> None:
    """Make a subscription of a wish; a second click, or a kill in between, makes no second one.

    Raises:
        LinkError: it was confirmed before, or is gone.
        UsageError: it cannot be kept.
    """
    now = house.clock()
    known = await house.store.correspondent(name)
    wish = find_wish(known, identifier, now)
    assert known is not None
    if await house.store.subscription(wish.id) is None:
        request = c.Request(c.Help(), person=known.address, place=known.address, private=True, may_manage=True)
        try:
            await orders_of(house, wish.id).subscribe(c.Subscribe(wish.words, options_of(wish)), request, now)
        except StoreError:
            if await house.store.subscription(wish.id) is None:
                raise
    while known is not None and any(item.id == wish.id for item in known.wishes):
        if await house.store.keep_correspondent(confirm(known, wish, given_from=given_from, now=now), expected=known):
            return
        known = await house.store.correspondent(name)


def options_of(wish: Wish) -> c.Options:
    """Return what a wish says besides its interests.

    Raises:
        UsageError: some of it cannot be read.
    """
    days, weekly = parse_days(wish.days)
    return c.Options(
        at=parse_time(wish.at), timezone=parse_timezone(wish.timezone), days=days, weekly=weekly, top=wish.top
    )


def orders_of(house: House, identifier: str = "") -> Orders:
    """Return what changes subscriptions; a new one gets this id."""
    return Orders(
        store=house.store,
        newsroom=house.newsroom,
        settings=house.settings,
        reachable=_say_nothing,
        new_id=lambda: identifier,
    )


async def _say_nothing(_address: str) -> str | None:
    return None


async def end_subscription(house: House, address: str, identifier: str) -> str | None:
    """End one subscription of an address, and return its interests; None where it had ended already."""
    subscription = await house.store.subscription(identifier)
    if subscription is None or subscription.address != address:
        return None
    what = f"unsubscribed #{subscription.number} {subscription.interests or 'everything'}"
    await house.store.remove_subscriptions([identifier], Change(house.clock(), address, address, what))
    return subscription.interests or "everything"


async def pause_for(house: House, address: str, reason: str) -> int:
    """Pause all subscriptions of an address that a mail could not reach, or whose reader complained; says how many."""
    now, count = house.clock(), 0
    for subscription in await house.store.subscriptions(address):
        if subscription.pause is None:
            paused = replace(subscription, pause=Pause(reason, now, by_hand=False))
            change = Change(now, address, "paperboy", f"paused #{subscription.number}: {reason}")
            await house.store.replace_subscription(paused, change)
            count += 1
    return count


async def erase(house: House, signer: Signer, address: str) -> None:
    """Delete everything of an address but the hash that keeps it from being written to."""
    name = await signer.names.of(address)
    await house.store.erase_place(address, name=name, left=block(name, house.clock()))
    log.info("a mail address and everything of it was deleted, as its reader asked")


async def lift(house: House, name: str) -> bool:
    """Let a blocked address be written to again; returns whether it was blocked."""
    known = await house.store.correspondent(name)
    if known is None or known.blocked_at is None:
        return False
    return await house.store.keep_correspondent(replace(known, blocked_at=None), expected=known)


async def admit(house: House, typed: str) -> str:
    """Return the address that the operator subscribes from the shell.

    Raises:
        UsageError: it is none, or its reader had everything deleted.
    """
    address = read_address(typed)
    known = await house.store.correspondent(await Names(house.keys(), house.store).of(address))
    if known is not None and known.blocked_at is not None:
        raise UsageError(
            "Whoever reads this mailbox had everything deleted, and must not be written to.",
            hint="They lift that themselves, by the preferences link in any mail they got from here.",
        )
    return address


async def note_vouched(house: House, address: str, identifier: str, now: datetime) -> None:
    """Note that the operator vouches for a subscription made from the shell."""
    name = await Names(house.keys(), house.store).of(address)
    known = await house.store.correspondent(name)
    while not await house.store.keep_correspondent(vouch(known, name, address, identifier, now), expected=known):
        known = await house.store.correspondent(name)
