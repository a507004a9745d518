"""Many processes over one database: what is due and queued, workers beside each other, trips, idling, kills.

    python -m tests.benchmarks.bench_queue [due] [workers] [trips] [idle] [kills] [--kills N] [--seed N]

Everything runs on this machine: PostgreSQL, the workers (processes of their own) and the platform, which takes 100 ms
for a post and remembers it in a process of its own. Without words, all are measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bots.house import LIBRARY_FILE, House, make_house
from core.chat.message import Card, Kind, Message
from core.clock import system_clock
from core.database import Database, migrate
from core.delivery.carrying import Carrier
from core.delivery.errands import Errands
from core.delivery.queue import DIGESTS, Queue
from core.delivery.tempo import Tempo
from core.papers.library import Library
from core.settings import Settings
from core.store.postgres import PostgresStore
from tests.fake_platform import FakePlatform
from tests.servers.postgres import PostgresServer

FORKS = multiprocessing.get_context("forkserver")
DIGEST = Message(Kind.DIGEST, heading="Papers", cards=(Card("1", "Paper", summary="word " * 300),))
TAKES = 0.1
QUEUE = DIGESTS + "fake"
SUBSCRIBE = """
INSERT INTO subscriptions (id, address, number, interests, at, timezone, days, top, created_by, created_at, active_from,
    when_ready, weekly, quiet, no_repeats)
SELECT 's' || n, 'fake:C' || n, 1, '', CASE WHEN n <= %(due)s THEN %(at)s ELSE %(later)s END, 'UTC', '{0,1,2,3,4,5,6}',
    5, 'fake:alice', %(since)s, %(since)s, false, false, false, false
FROM generate_series(1, %(count)s) AS n
"""
YESTERDAYS = """
INSERT INTO deliveries (subscription, day, address, state, due_at, composed_at, changed_at, papers, ranks, reasons,
    message, upto, attempts, parts, note, silence, lacking, told)
SELECT id, %(day)s, address, 'sent', %(at)s, %(at)s, %(at)s, '{}', '{}', '{}', '', 0, 1, '{p}', '', '', '{}', '{}'
FROM subscriptions
"""
OUTBOX = """
INSERT INTO deliveries (subscription, day, address, state, due_at, composed_at, changed_at, papers, ranks, reasons,
    message, upto, attempts, parts, note, silence, lacking, told)
SELECT id, %(day)s, address, 'pending', %(at)s, %(at)s, %(at)s, '{}', '{}', '{}', %(message)s, 0, 0, '{}', '', '', '{}',
    '{}' FROM subscriptions
"""


@asynccontextmanager
async def open_errands(url: str, platform: object) -> AsyncIterator[tuple[Database, Queue, Errands, PostgresStore]]:
    """Open what a worker has, with an empty library."""
    store = await PostgresStore.open(url, size=10)
    with tempfile.TemporaryDirectory() as folder:
        library = await Library.open(Path(folder) / LIBRARY_FILE)
        house: House = make_house(
            Settings.model_validate({"model": {"enabled": False}}), library=library, store=store, clock=system_clock
        )
        carrier = Carrier(
            store=store,
            platforms={"fake": platform},  # type: ignore[dict-item]
            clock=system_clock,
            jitter=lambda: 0.0,
        )
        errands = Errands(store=store, newsroom=house.newsroom, carrier=carrier, clock=system_clock)
        try:
            async with Queue(store.database, system_clock, Tempo(gone_after=6.0, poll=2.0)).opened() as queue:
                queue.run_errands(errands.run)
                yield store.database, queue, errands, store
        finally:
            await library.close()
            await store.close()


async def measure_due(server: PostgresServer) -> None:
    """Find and queue a fifth of all subscriptions, for growing numbers of them."""
    print("\nfound and queued, where a fifth of the subscriptions is due")
    first = 0.0
    for count in (25_000, 50_000, 100_000):
        url = server.new_database()
        migrate(url)
        now = datetime.now(UTC)
        async with open_errands(url, FakePlatform()) as (database, queue, errands, _):
            at, later = (now - timedelta(minutes=1)).time(), (now + timedelta(hours=2)).time()
            values = {"count": count, "due": count // 5, "at": at, "later": later, "since": now - timedelta(days=30)}
            async with database.connection() as connection:
                await connection.execute(SUBSCRIBE, values)
                yesterday = now - timedelta(days=1)
                await connection.execute(YESTERDAYS, {"day": yesterday.date(), "at": yesterday})
                await connection.execute("VACUUM ANALYZE")
            await errands.find(now - timedelta(minutes=2))  # as the minute before did
            begun = time.perf_counter()
            found = await errands.find(now)
            between = time.perf_counter()
            put = await queue.put(found)
            ended = time.perf_counter()
            whole = ended - begun
            first = first or whole
            print(
                f"  {count:>7,} subscriptions, {put:>6,} due: found in {between - begun:.2f} s, queued in "
                f"{ended - between:.2f} s, together {whole:.2f} s, {whole / first:.1f} times as long",
                flush=True,
            )


if __name__ == "__main__":
    with PostgresServer() as pg:
        asyncio.run(measure_due(pg))
