"""What wakes the service and carries its digests: on one machine APScheduler and the courier, on many the job queue.

Both call the same functions (`Rounds`), and both follow the same rules of delivery (`core.delivery.carrying`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from bots.house import House
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from core.delivery.schedule import make_schedule
from core.store.figures import Count

DRAIN_EVERY = 15.0
LATEST_STRIKE = timedelta(minutes=3)

Do: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is done again and again; none of it raises a PaperboyError.

    Attributes:
        tick: queue what is due.
        care: look after places that could not be posted to, and after what is needed soon.
        fetch: ask all sources.
        complete: complete digests that lacked a source.
        tidy: forget what is too old.
    """

    tick: Do
    care: Do
    fetch: Do
    complete: Do
    tidy: Do


class Engine(Protocol):
    """What the service stands on."""

    async def queue_due(self, now: datetime) -> None:
        """Queue what is due; raises PaperboyError."""

    def wake(self) -> None:
        """Look into the outbox: somebody put something there."""

    async def want_fetch(self, now: datetime) -> None:
        """Have the sources asked soon, unless that was done lately."""

    async def first_fetch(self, is_stale: Callable[[], Awaitable[bool]]) -> None:
        """Return once the sources were asked, so that what was missed is not composed of old papers."""

    async def fetched(self) -> None:
        """Have done what follows when the sources were asked."""

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs as long as the service."""

    def problem(self, struck_at: datetime, now: datetime) -> str | None:
        """Return why nothing can be done now, or None, given when this process last had its tick."""


class OneMachine:
    """The engine of the one process that owns its data folder."""

    def __init__(
        self,
        house: House,
        carrier: Carrier,
        rounds: Rounds,
        *,
        count: Count,
        lately_fetched: Callable[[], bool],
    ) -> None:
        self._house = house
        self._rounds = rounds
        self._count = count
        self._lately_fetched = lately_fetched
        self._courier = Courier(carrier)

    async def queue_due(self, now: datetime) -> None:
        """Compose what is due into the outbox."""

        def queued(platform: str, what: str) -> None:
            self._count(platform, what)
            self._courier.wake()

        await fill_outbox(self._house.newsroom, self._house.store, now, queued)

    def wake(self) -> None:
        """Look into the outbox now."""
        self._courier.wake()

    async def want_fetch(self, now: datetime) -> None:  # noqa: ARG002 - it fetches at once
        """Fetch, unless that was done lately."""
        if not self._lately_fetched():
            await self._rounds.fetch()

    async def first_fetch(self, is_stale: Callable[[], Awaitable[bool]]) -> None:  # noqa: ARG002 - it was asked before
        """Fetch."""
        await self._rounds.fetch()

    async def fetched(self) -> None:
        """Complete digests; a place whose message was being completed was passed over by the last tick."""
        await self._rounds.complete()
        await self._rounds.tick()

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return the courier's way and the schedule's."""
        return [self._courier.run(every=DRAIN_EVERY), self._schedule()]

    async def _schedule(self) -> None:
        rounds = self._rounds
        schedule = make_schedule(
            tick=rounds.tick,
            care=rounds.care,
            fetch=rounds.fetch,
            tidy=rounds.tidy,
            fetch_every_minutes=self._house.settings.fetch.every_minutes,
        )
        schedule.start()
        try:
            await asyncio.Event().wait()
        finally:
            schedule.shutdown(wait=False)

    def problem(self, struck_at: datetime, now: datetime) -> str | None:
        """Tell when the schedule stands still."""
        if now - struck_at > LATEST_STRIKE:
            return f"the schedule has not run since {struck_at:%Y-%m-%d %H:%M} UTC"
        return None
