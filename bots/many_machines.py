"""The engine of many processes over one database: what each does of the work that the job queue shares out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from bots.engines import Rounds
from bots.house import House
from bots.roles import Duty
from core.clock import SteeredClock
from core.database import Database
from core.delivery.carrying import Carrier
from core.delivery.errands import Errands
from core.delivery.queue import DIGESTS, Queue, Round
from core.delivery.tempo import Tempo
from core.errors import StoreError
from core.store.figures import Count

log = logging.getLogger(__name__)

ROUNDS, FETCHING = "rounds", "fetching"
BEGUN, ENDED, WANTED = "fetch begun", "fetch ended", "fetch wanted"
STEER_EVERY = 30.0
LOOK_EVERY = 1.0
AGAIN = timedelta(minutes=15)
FOLLOWED_WITHIN = timedelta(seconds=10)
"""In which the libraries of other machines have what was fetched."""


class ManyMachines:
    """See `bots.engines.Engine`.

    Args:
        database: shared by all processes.
        duties: of this process.
    """

    def __init__(
        self,
        house: House,
        database: Database,
        carrier: Carrier,
        rounds: Rounds,
        *,
        duties: frozenset[Duty],
        count: Count,
    ) -> None:
        self._house = house
        self._database = database
        self._platforms = carrier.platforms
        self._rounds = rounds
        self._duties = duties
        self._queue = Queue(database, house.clock, Tempo(house.settings.queue.gone_after))
        self._woken = asyncio.Event()
        self._opened = asyncio.Event()
        self._errands = Errands(
            store=house.store, newsroom=house.newsroom, carrier=carrier, clock=house.clock, count=count
        )
        self._queue.run_errands(self._errands.run)
        self._queue.register(self._rounds_of_this_process())

    def _rounds_of_this_process(self) -> Sequence[Round]:
        rounds, found = self._rounds, []
        if Duty.DELIVER in self._duties:
            found += [
                Round("tick", ROUNDS, "* * * * *", rounds.tick),
                Round("care", ROUNDS, "* * * * * 30", rounds.care),
                Round("tidy", ROUNDS, "17 3 * * *", self._tidy),
                Round("complete", ROUNDS, "", rounds.complete),
            ]
        if Duty.FETCH in self._duties:
            found.append(Round("fetch", FETCHING, "* * * * * 45", self._fetch_in_turn))
        return found

    async def _fetch_in_turn(self) -> None:
        """Fetch where it is time, whichever process did it the last time."""
        store, now = self._house.store, self._house.clock()
        begun, wanted = [_instant(await store.fact(name)) for name in (BEGUN, WANTED)]
        every = timedelta(minutes=self._house.settings.fetch.every_minutes)
        if begun is not None and now - begun < (AGAIN if wanted is not None and wanted > begun else every):
            return
        async with self._database.lock(FETCHING) as is_mine:
            if is_mine:
                await store.set_fact(BEGUN, now.isoformat())
                await self._rounds.fetch()
                await store.set_fact(ENDED, self._house.clock().isoformat())

    async def _tidy(self) -> None:
        await self._rounds.tidy()
        await self._queue.tidy()

    async def queue_due(self, now: datetime) -> None:
        """Queue an errand for what is due, and for what stands in the outbox and nobody works on."""
        due = await self._queue.put(await self._errands.find(now))
        lost = await self._queue.put(await self._queue.lost())
        if due or lost:
            log.info("%s digests are due, %s deliveries are taken up again", f"{due:,}", f"{lost:,}")

    def wake(self) -> None:
        """Queue an errand for what was put into the outbox."""
        self._woken.set()

    async def want_fetch(self, now: datetime) -> None:
        """Have a process that fetches do it soon."""
        await self._house.store.set_fact(WANTED, now.isoformat())
        await self._queue.ask_for("fetch", FETCHING, now)

    async def first_fetch(self, is_stale: Callable[[], Awaitable[bool]]) -> None:
        """Wait until some process has fetched, or has tried to."""
        await self._opened.wait()
        await self.want_fetch(self._house.clock())
        while await is_stale() and not await self._lately_tried():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(LOOK_EVERY)

    async def _lately_tried(self) -> bool:
        """Whether the last fetch has ended, and is too young for another one."""
        begun, ended = [_instant(await self._house.store.fact(name)) for name in (BEGUN, ENDED)]
        if begun is None or ended is None:
            return False
        return begun <= ended and self._house.clock() - begun < AGAIN

    async def fetched(self) -> None:
        """Have digests completed, once all machines know what was fetched."""
        now = self._house.clock()
        await self._queue.ask_for("complete", ROUNDS, now + FOLLOWED_WITHIN)

    def loops(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what this process does."""
        return [self._work(), self._hand_over(), self._steer()]

    async def _work(self) -> None:
        queues = [FETCHING] if Duty.FETCH in self._duties else []
        if Duty.DELIVER in self._duties:
            queues += [ROUNDS, *(DIGESTS + name for name in self._platforms)]
        async with self._queue.opened():
            self._opened.set()
            if Duty.FETCH in self._duties:
                await self._queue.ask_for("fetch", FETCHING, self._house.clock())
            if not queues:
                await asyncio.Event().wait()
            opening = [asyncio.create_task(self._open(name)) for name in self._platforms]
            try:
                await self._queue.work(queues, at_once=self._house.settings.queue.at_once)
            finally:
                for task in opening:
                    task.cancel()
                await asyncio.gather(*opening, return_exceptions=True)

    async def _open(self, name: str) -> None:
        """Take no digests of a platform before it can take them: they would only keep others from going."""
        async with self._queue.held_back(DIGESTS + name):
            await self._platforms[name].ready()

    async def _hand_over(self) -> None:
        await self._opened.wait()
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._queue.put(await self._queue.lost())
            except StoreError as error:
                log.warning("%s What was put into the outbox is taken up later.", error)

    async def _steer(self) -> None:
        """Go by the database's clock, so that all machines agree on what is due."""
        clock = self._house.clock
        if not isinstance(clock, SteeredClock):
            return
        while True:
            await asyncio.sleep(STEER_EVERY)
            try:
                await clock.follow(self._database.now)
            except StoreError as error:
                log.debug("%s", error)

    def problem(self, struck_at: datetime, now: datetime) -> str | None:  # noqa: ARG002 - any process may have had it
        """Tell when the queue cannot be used."""
        return self._queue.problem


def _instant(kept: str | None) -> datetime | None:
    return datetime.fromisoformat(kept) if kept else None
