"""EDGE. Work that many processes share: jobs of procrastinate in PostgreSQL, which only say who works on what.

    what                       job                                      lock: one at a time      waits once as
    a digest of a date         digest, in the queue of its platform     its address              subscription/date
    a round (see `Round`)      by its name, in the queue of its kind    its name                 its name

A worker takes jobs of the queues it was given, a few at once. One that is told to stop finishes what is under way; one
that dies is noticed by its silence (see `lease.py`), and others take its jobs. A job that ends well is deleted at once.

Jobs of one lock go in the order of their priority, and one that waits for its time holds up those behind it. So what
waits has a lower priority the later it comes: it holds up nothing that is due before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from procrastinate import App, JobContext
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job

from core.clock import Clock
from core.database import Database
from core.delivery.again import Again, Rules, priority_at
from core.delivery.errands import Errand
from core.delivery.lease import TRY_AGAIN, Connector, Lease, first_line
from core.delivery.tempo import USUAL, Tempo
from core.errors import PaperboyError, StoreError, log_level
from core.store import Delivery

log = logging.getLogger(__name__)

DIGESTS = "digests:"
"""Begins the names of the queues of digests, which go on with a platform's."""
GRACE = 10.0
ASKED_AGAIN = 10
CHUNK = 2000
MANY = 500
LOST_AT_MOST = 5000
FIRST_PRIORITY = 100
KEPT_HOURS = 24

RunErrand: TypeAlias = Callable[[Errand], Awaitable[Delivery | None]]
"""Runs an errand and returns the delivery that has to wait."""
Run: TypeAlias = Callable[[], Awaitable[object]]
"""Does a round."""


@dataclass(frozen=True, slots=True)
class Round:
    """Something that is done once at each of its times, by whichever process comes first.

    Attributes:
        name: of the job.
        queue: whose workers do it.
        cron: its times in UTC, with a sixth field for seconds; empty where it is done only when it is asked for.
        run: does it.
    """

    name: str
    queue: str
    cron: str
    run: Run


async def end_worker(running: asyncio.Task[None], is_idle: Callable[[], bool]) -> bool:
    """Cancel a worker and give it `GRACE` to finish what is under way; returns whether it ended.

    One that does nothing and goes on is cancelled again: until Python 3.12, `asyncio.wait_for`, with which the pool of
    connections waits, can lose a cancellation (https://github.com/python/cpython/issues/86296).
    """
    running.cancel()
    for _ in range(ASKED_AGAIN):
        await asyncio.wait([running], timeout=GRACE / ASKED_AGAIN)
        if running.done():
            return True
        if is_idle():
            running.cancel()
    return False


class Queue:
    """The jobs in one database.

    Args:
        database: open.
        clock: the database's, so that all machines agree.
        tempo: how soon what is noticed.
    """

    def __init__(self, database: Database, clock: Clock, tempo: Tempo = USUAL) -> None:
        self._database = database
        self._clock = clock
        self._tempo = tempo
        connector = Connector()
        self._lease = Lease(connector)
        self._app = App(connector=connector)
        self._app.job_manager = self._lease
        self._errand: RunErrand | None = None
        self._under_way: dict[int, asyncio.Task[Any]] = {}
        self._app.task(name="digest", retry=Rules(self._clock), pass_context=True)(self._digest)
        for name in ("procrastinate", "procrastinate.worker"):
            logging.getLogger(name).setLevel(logging.ERROR)  # each job is told by what it does

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Queue]:
        """Use the database's connections while the block lasts."""
        await self._app.open_async(self._database.pool)
        yield self

    def run_errands(self, run: RunErrand) -> None:
        """Say how errands are run in this process."""
        self._errand = run

    def register(self, rounds: Iterable[Round]) -> None:
        """Say how rounds are done in this process."""
        for one in rounds:
            task = self._app.task(
                name=one.name, queue=one.queue, lock=one.name, queueing_lock=one.name, priority=FIRST_PRIORITY
            )
            made = task(self._one_round(one))
            if one.cron:
                self._app.periodic(cron=one.cron)(made)

    def _one_round(self, one: Round) -> Callable[..., Awaitable[None]]:
        async def run(timestamp: int) -> None:
            due = datetime.fromtimestamp(timestamp, tz=UTC)
            # The clock of whoever queued it may be ahead.
            await asyncio.sleep(min(max((due - self._clock()).total_seconds(), 0), 60))
            try:
                await one.run()
            except PaperboyError as error:
                log.log(log_level(error), "%s: %s", one.name, error)

        return run

    async def ask_for(self, name: str, queue: str, at: datetime) -> bool:
        """Queue a round for an instant; False where one waits already.

        Raises:
            StoreError: the database cannot be used.
        """
        job = Job(
            queue=queue,
            task_name=name,
            lock=name,
            queueing_lock=name,
            priority=FIRST_PRIORITY,
            scheduled_at=at,
            task_kwargs={"timestamp": int(at.timestamp())},
        )
        try:
            await self._defer([job])
        except AlreadyEnqueued:
            return False
        return True

    async def put(self, errands: Sequence[Errand]) -> int:
        """Queue errands that are not in the queue; returns how many.

        Raises:
            StoreError: the database cannot be used.
        """
        put = 0
        for start in range(0, len(errands), CHUNK):
            put += await self._put(errands[start : start + CHUNK])
        if put >= MANY:
            # What takes the next job was planned for a short queue; the statistics come too late by themselves.
            async with self._database.connection() as connection:
                await connection.execute("ANALYZE procrastinate_jobs")
        return put

    async def _put(self, errands: Sequence[Errand]) -> int:
        while True:
            known = await self._known([errand.key for errand in errands])
            jobs = [self._job(errand) for errand in errands if errand.key not in known]
            if not jobs:
                return 0
            with suppress(AlreadyEnqueued):  # somebody queued one of them in the same moment
                await self._defer(jobs)
                return len(jobs)

    def _job(self, errand: Errand) -> Job:
        return Job(
            queue=DIGESTS + errand.address.partition(":")[0],
            task_name="digest",
            lock=errand.address,
            queueing_lock=errand.key,
            scheduled_at=errand.not_before,
            priority=0 if errand.not_before is None else priority_at(errand.not_before),
            task_kwargs={"subscription": errand.subscription, "day": errand.day.isoformat()},
        )

    async def _defer(self, jobs: list[Job]) -> None:
        try:
            await self._lease.batch_defer_jobs_async(jobs)
        except ConnectorException as error:
            raise StoreError(f"The job queue cannot be used ({first_line(error)}).") from error

    async def _known(self, keys: list[str]) -> frozenset[str]:
        query = (
            "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%(keys)s)"
            " UNION ALL"
            " SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'doing' AND queueing_lock = ANY(%(keys)s)"
        )
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, {"keys": keys})
            return frozenset(str(key) for (key,) in await cursor.fetchall())

    async def lost(self) -> Sequence[Errand]:
        """Return errands for what stands open in the outbox and nobody works on, oldest first.

        Raises:
            StoreError: the database cannot be used.
        """
        query = (
            "SELECT subscription, day, address, not_before FROM deliveries"
            " WHERE state IN ('pending', 'sending', 'unknown')"
            " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'"
            "  AND queueing_lock = subscription || '/' || to_char(day, 'YYYY-MM-DD'))"
            " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing' AND lock = address"
            "  AND queueing_lock = subscription || '/' || to_char(day, 'YYYY-MM-DD'))"
            " ORDER BY due_at LIMIT %s"
        )
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, (LOST_AT_MOST,))
            return [Errand(*row) for row in await cursor.fetchall()]

    async def length(self) -> dict[str, int]:
        """Return how many jobs wait, are under way, or failed for good.

        Raises:
            StoreError: the database cannot be used.
        """
        query = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status"
        async with self._database.connection() as connection:
            cursor = await connection.execute(query)
            return {str(status): int(count) for status, count in await cursor.fetchall()}

    async def tidy(self) -> None:
        """Delete jobs that failed for good a day ago; what ended well is gone already.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            await self._lease.delete_old_jobs(
                KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
            )
        except ConnectorException as error:
            raise StoreError(f"The job queue cannot be tidied ({first_line(error)}).") from error

    @asynccontextmanager
    async def held_back(self, queue: str) -> AsyncIterator[None]:
        """Take no jobs of a queue in this process until the block ended well."""
        self._lease.held_back.add(queue)
        yield
        self._lease.held_back.discard(queue)
        await self._lease.look_again()

    @property
    def problem(self) -> str | None:
        """Why this process cannot work at the moment; None when it can."""
        return "the job queue cannot be reached" if self._lease.is_away else None

    async def work(self, queues: Collection[str], *, at_once: int) -> None:
        """Take jobs until cancelled, then finish what is under way.

        Args:
            queues: whose jobs.
            at_once: how many jobs at a time.
        """
        beside = [asyncio.create_task(self._sweep()), asyncio.create_task(self._let_go_in_time())]
        try:
            while True:
                await self._be_a_worker(list(queues), at_once)
                await asyncio.sleep(TRY_AGAIN)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _be_a_worker(self, queues: list[str], at_once: int) -> None:
        """Be one worker until the database breaks it; the next one is known by another number."""
        running = asyncio.create_task(
            self._app.run_worker_async(
                queues=queues,
                concurrency=at_once,
                fetch_job_polling_interval=self._tempo.poll,
                abort_job_polling_interval=60.0,
                shutdown_graceful_timeout=GRACE,
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=self._tempo.beat,
                stalled_worker_timeout=self._tempo.gone_after,
                worker_middleware=[self._watched],
            )
        )
        try:
            await asyncio.shield(running)
        except ConnectorException as error:
            log.warning("the job queue: %s; beginning anew", first_line(error))
        except asyncio.CancelledError:
            # What is under way may last a while; only then is there no point in waiting for the database.
            done = await end_worker(running, lambda: not self._under_way)
            self._lease.stopping = True
            if not done:
                await asyncio.wait([running], timeout=GRACE / 2)
            raise

    async def _watched(self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _worker: object) -> Any:
        task = asyncio.current_task()
        assert task is not None
        assert context.job.id is not None
        self._under_way[context.job.id] = task
        try:
            return await call_next()
        finally:
            del self._under_way[context.job.id]

    async def _digest(self, context: JobContext, *, subscription: str, day: str) -> None:
        assert self._errand is not None, "only who can run errands takes jobs of these queues"
        assert context.job.lock is not None
        left = await self._errand(Errand(subscription, date.fromisoformat(day), context.job.lock))
        if left is not None:
            raise Again(left.not_before)

    async def _sweep(self) -> None:
        """Give the jobs of workers that are silent for too long to others."""
        while True:
            await asyncio.sleep(self._tempo.sweep)
            with suppress(ConnectorException):
                for job in await self._lease.get_stalled_jobs(seconds_since_heartbeat=self._tempo.gone_after):
                    log.warning("%s: its worker is gone; another takes it", job.queueing_lock or job.task_name)
                    await self._lease.release(job)

    async def _let_go_in_time(self) -> None:
        """Stop what is under way before others may take it for left behind."""
        while True:
            await asyncio.sleep(1)
            silent_for = self._lease.silent_for
            if self._under_way and silent_for > self._tempo.let_go_after:
                log.warning("the database did not answer for %.0f s; others may take what is under way", silent_for)
                for task in list(self._under_way.values()):
                    task.cancel()
