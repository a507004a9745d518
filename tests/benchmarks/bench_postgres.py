"""The store on PostgreSQL at scale: finding who is due among many, and what an idle service asks.

python -m tests.benchmarks.bench_postgres [--subscriptions 100000] [--due 20000] [--idle 60]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from core.database import migrate
from core.delivery.outbox import due_soon, due_subscriptions
from core.store.postgres import PostgresStore
from tests.servers.postgres import PostgresServer
from tests.servers.sources import SourcesServer
from tests.servers.wire import Wire
from tests.shells import Shell

MORNING = datetime(2026, 11, 25, 8, tzinfo=UTC)
DAYS = 3
FILL = """
INSERT INTO subscriptions (id, address, number, interests, at, timezone, days, top, created_by, created_at,
    active_from, when_ready, weekly, quiet, no_repeats)
SELECT 's' || n, 'slack:T' || n / 50 || '/C' || n, 1, 'diffusion models', CASE WHEN n <= {due} THEN time '08:00'
    ELSE time '09:00' + n % 840 * interval '1 minute' END, 'UTC', '{{0,1,2,3,4,5,6}}', 5, 'slack:T1/U1',
    '2026-01-01', '2026-01-01', false, false, false, false
FROM generate_series(1, {many}) AS n;
INSERT INTO deliveries (subscription, day, address, state, due_at, composed_at, changed_at, papers, ranks, reasons,
    message, upto, attempts, parts, note, silence, lacking, told)
SELECT s.id, day::date, s.address, 'sent', day::date + s.at, day, day,
    ARRAY(SELECT '2611.' || (n * 7919 + abs(hashtext(s.id)::bigint)) % 50000 FROM generate_series(1, 5) n),
    '{{1,2,3,4,5}}', '{{why,why,why,why,why}}', '', 1, 1, '{{1.0}}', '', '', '{{}}', '{{}}'
FROM subscriptions s, generate_series(timestamptz '{first}', timestamptz '{last}', interval '1 day') AS day;
ANALYZE;
"""


def fill(url: str, many: int, due: int) -> None:
    """Subscribe so many, and let each have had its digests of the last days."""
    first, last = MORNING - timedelta(days=DAYS), MORNING - timedelta(days=1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL.format(many=many, due=due, first=first, last=last))


async def timed(what: str, ask: Callable[[], Awaitable[object]]) -> float:
    """Print how long something takes."""
    begun = time.perf_counter()
    found = await ask()
    seconds = time.perf_counter() - begun
    told = f"{len(found):,} found" if isinstance(found, list) else str(found)
    print(f"{what:<64} {seconds:8.3f} s   {told}")
    return seconds


async def measure_due(url: str) -> None:
    """Look from minute to minute, as the service does."""
    with Wire(url) as wire:
        store = await PostgresStore.open(wire.url)
        minute = timedelta(minutes=1)
        before = MORNING - 2 * minute
        everybody = await timed("everybody, whom nobody has looked at yet", lambda: due_subscriptions(store, before))
        await timed("a minute in which nobody is due", lambda: due_subscriptions(store, before + minute))
        await timed("whether somebody is due soon", lambda: due_soon(store, before + minute, within=3 * minute))
        trips = wire.trips
        many = await timed("the minute in which many are", lambda: due_subscriptions(store, MORNING))
        print(f"{'':<64} {wire.trips - trips:8} trips, {many / everybody:.2f} of the time for everybody")
        await store.close()


async def measure_idle(url: str, seconds: float) -> None:
    """Count what the whole service asks while nothing happens."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SourcesServer() as sources,
        Wire(url) as wire,
        Shell(Path(folder), {**sources.environment, "DATABASE_URL": wire.url}).start("run") as service,
    ):
        await asyncio.to_thread(service.fetched)
        await asyncio.sleep(5)
        before = wire.trips
        await asyncio.sleep(seconds)
        print(f"{'trips a second of an idle service':<64} {(wire.trips - before) / seconds:8.2f}")
        service.end()


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--due", type=int, default=20_000)
    parser.add_argument("--idle", type=float, default=60)
    given = parser.parse_args()
    with PostgresServer() as server:
        url = server.new_database()
        migrate(url)
        empty = server.new_database(url.rpartition("/")[2])
        fill(url, given.subscriptions, given.due)
        print(f"{given.subscriptions:,} subscriptions, {DAYS} digests each; {given.due:,} are due at one minute")
        asyncio.run(measure_due(url))
        asyncio.run(measure_idle(empty, given.idle))


if __name__ == "__main__":
    main()
