"""Completes delivered digests when a source comes back that they lacked: by editing them, never by a second post."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from core.chat.newsroom import Newsroom
from core.delivery.platform import Platform
from core.errors import DeliveryError
from core.papers.plan import source_states
from core.store import Delivery, State, Store
from core.traces import about_delivery

log = logging.getLogger(__name__)

AMEND_WITHIN = timedelta(hours=8)


async def amend_deliveries(newsroom: Newsroom, store: Store, platforms: Mapping[str, Platform], now: datetime) -> int:
    """Complete the digests of the last hours that lacked a source which answers again; returns how many changed.

    A digest that the source adds nothing to stays as it is. One whose edit fails is tried again at the next call.
    """
    states = await source_states(newsroom.library)
    count = 0
    for delivery in await store.sent_lacking(now - AMEND_WITHIN):
        back = [name for name in delivery.lacking if name in states and states[name].failing_since is None]
        platform = platforms.get(delivery.address.partition(":")[0])
        if back and platform is not None and platform.can_edit:
            async with newsroom.alone(delivery.address):
                with about_delivery(delivery.key):
                    count += await _amend(delivery, back, newsroom, store, platform, now)
    return count


async def _amend(
    delivery: Delivery, back: list[str], newsroom: Newsroom, store: Store, platform: Platform, now: datetime
) -> bool:
    subscription = await store.subscription(delivery.subscription)
    if subscription is None or not delivery.parts:
        return False
    edition = await newsroom.amended(subscription, delivery, back, now)
    still = tuple(name for name in delivery.lacking if name not in back)
    changed = replace(delivery, lacking=still, changed_at=now)
    grown = len(edition.shown) > len(delivery.shown)
    if grown:
        try:
            receipt = await platform.edit(delivery.address, edition.message, key=delivery.key, parts=delivery.parts)
        except DeliveryError as error:
            log.warning("delivery %s could not be completed: %s", delivery.key, error)
            return False
        changed = replace(
            changed, parts=receipt.parts, shown=edition.shown, upto=edition.upto, silence="", note=receipt.url
        )
        log.info("delivery %s completed with %s", delivery.key, ", ".join(back))
    await store.move(changed, expected=State.SENT)
    return grown
