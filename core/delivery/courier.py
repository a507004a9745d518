"""The engine of one machine: looks into the outbox, and carries what is ripe; see `carrying.py` for the steps."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from core.delivery.carrying import Carrier
from core.errors import StoreError, log_level
from core.store import OPEN, Delivery, State
from core.traces import begin_delivery

log = logging.getLogger(__name__)

AT_ONCE = 16


class Courier:
    """Carries deliveries; one at a time to an address, several addresses of each platform at once.

    Args:
        carrier: takes the steps, in its store and through its platforms.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._store = carrier.store
        self._platforms = carrier.platforms
        self._carrier = carrier
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._behind: set[str] = set()
        self._places = {name: asyncio.Semaphore(AT_ONCE) for name in self._platforms}

    def wake(self) -> None:
        """Look into the outbox now rather than at the next round."""
        self._wake.set()

    async def run(self, *, every: float) -> None:
        """Carry until cancelled, looking at least every so many seconds."""
        await self.recover()
        try:
            while True:
                await self._drain_safely()
                try:
                    # `wait_for` may lose a cancellation that comes with the wake: python/cpython#86296.
                    async with asyncio.timeout(every):
                        await self._wake.wait()
                except TimeoutError:
                    continue
                finally:
                    self._wake.clear()
        finally:
            await self._stop()

    async def recover(self) -> None:
        """Mark what a crash left in mid-delivery as unknown; for the owner of the store, once, at start."""
        for delivery in await self._store.open_deliveries():
            if delivery.state is State.SENDING:
                await self._carrier.left_behind(delivery)

    async def drain(self) -> None:
        """Start what can be tried now, without waiting for it."""
        self._behind.clear()
        for delivery in await self._store.open_deliveries():
            if not self._carrier.knows(delivery.address) or not self._carrier.is_ripe(delivery):
                continue
            if delivery.address in self._under_way:
                self._behind.add(delivery.address)
                continue
            task = asyncio.create_task(self._carry(delivery), name=f"deliver {delivery.key}")
            self._under_way[delivery.address] = task
            task.add_done_callback(partial(self._arrived, delivery.address))

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._under_way)

    async def settled(self) -> None:
        """Wait until nothing is under way any more."""
        while self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def _drain_safely(self) -> None:
        try:
            await self.drain()
        except StoreError as error:
            log.log(log_level(error), "the outbox cannot be read: %s", error)

    def _arrived(self, address: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(address, None)
        # Looking again after every single delivery would read the whole outbox as often as it has entries.
        if address in self._behind:
            self._wake.set()

    async def _stop(self) -> None:
        """Let what is under way finish; it is short, and half a delivery would have to be settled later."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()), timeout=8)
        for task in list(self._under_way.values()):
            task.cancel()

    async def _carry(self, seen: Delivery) -> None:
        begin_delivery(seen.key)
        name = seen.address.partition(":")[0]
        await self._platforms[name].ready()
        async with self._places[name]:
            try:
                # What was read before the wait may have changed: given up, forgotten, or some parts further.
                delivery = await self._store.delivery(seen.subscription, seen.day)
                if delivery is None or delivery.state not in OPEN or not self._carrier.is_ripe(delivery):
                    return
                left = await self._carrier.step(delivery)
                if left is not None and left.state is State.PENDING and left.not_before is None:
                    self._wake.set()  # the rest of it
            except StoreError as error:
                log.log(log_level(error), "delivery %s: %s", seen.key, error)
