"""Many processes over one database: what is due and queued, workers beside each other, trips, kills.

    python -m tests.benchmarks.bench_queue [due] [workers] [trips] [kills] [--at-once N] [--kills N] [--seed N]

Everything runs on this machine: PostgreSQL, the workers, each a process of its own, and the platform, which takes
100 ms for a post. Without words, all are measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from bots.house import make_house
from core.chat.message import Card, Kind, Message
from core.clock import system_clock
from core.database import Database, migrate
from core.delivery.carrying import Carrier
from core.delivery.errands import Errands
from core.delivery.outbox import write_message
from core.delivery.platform import Payload, Receipt
from core.delivery.queue import DIGESTS, Queue
from core.delivery.tempo import Tempo
from core.errors import DeliveryError, DeliveryFailure
from core.papers.library import LIBRARY_FILE, Library
from core.settings import Settings
from core.store.postgres import PostgresStore
from tests.fake_platform import FakePlatform
from tests.servers.postgres import PostgresServer
from tests.servers.wire import Wire

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


class SlowPlatform(FakePlatform):
    """Takes 100 ms for a post, in this process."""

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent=None
    ) -> Receipt:
        await asyncio.sleep(TAKES)
        return Receipt((key,))


class PostOffice:
    """The platform of all processes: a server that takes its time for a post, remembers it, and is asked for it."""

    def __init__(self, dice: random.Random) -> None:
        self.posts: Counter[str] = Counter()
        self.asked = 0
        self._dice = dice
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Open it; returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            while line := await reader.readline():
                what, key = json.loads(line)
                self.asked += 1
                if what == "find":
                    writer.write(json.dumps(self.posts[key]).encode() + b"\n")
                    continue
                await asyncio.sleep(self._dice.random() / 50)
                self.posts[key] += 1
                await asyncio.sleep(self._dice.random() / 50)
                if self._dice.random() < 0.05:  # it was taken, and the answer is lost
                    break
                writer.write(b"1\n")
        writer.transport.abort()

    def close(self) -> None:
        """Close it."""
        if self._server is not None:
            self._server.close()


class FarPlatform(FakePlatform):
    """The post office, seen from a worker."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def payload(self, message: Message) -> Sequence[Payload]:
        return [{"title": message.heading}]

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent=None
    ) -> Receipt:
        await self._ask("post", key)
        return Receipt((key,))

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        return [key] * min(int(await self._ask("find", key)), 1)

    async def _ask(self, what: str, key: str) -> bytes:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(json.dumps([what, key]).encode() + b"\n")
            answer = await reader.readline()
            writer.close()
        except OSError as error:
            raise DeliveryError(DeliveryFailure.UNKNOWN, "the connection broke") from error
        if not answer:
            raise DeliveryError(DeliveryFailure.UNKNOWN, "the reply was lost")
        return answer


@asynccontextmanager
async def open_errands(url: str, platform: object) -> AsyncIterator[tuple[Database, Queue, Errands, PostgresStore]]:
    """Open what a worker has, with an empty library."""
    store = await PostgresStore.open(url, size=10)
    with tempfile.TemporaryDirectory() as folder:
        library = await Library.open(Path(folder) / LIBRARY_FILE)
        settings = Settings.model_validate({"model": {"enabled": False}})
        house = make_house(settings, library=library, store=store, clock=system_clock)
        carrier = Carrier(
            store=store,
            platforms={"fake": platform},  # type: ignore[dict-item]
            clock=system_clock,
            jitter=lambda: 0.0,
        )
        errands = Errands(store=store, newsroom=house.newsroom, carrier=carrier, clock=system_clock)
        try:
            async with Queue(store.database, system_clock, Tempo(gone_after=6.0)).opened() as queue:
                queue.run_errands(errands.run)
                yield store.database, queue, errands, store
        finally:
            await library.close()
            await store.close()


def new_database(server: PostgresServer) -> str:
    """Make a database of this version."""
    url = server.new_database()
    migrate(url)
    return url


async def subscribe(database: Database, count: int, *, due: int, now: datetime) -> None:
    """Subscribe so many places, the first of them due a minute ago; yesterday's digests were sent."""
    at, later = (now - timedelta(minutes=1)).time(), (now + timedelta(hours=2)).time()
    yesterday, since = now - timedelta(days=1), now - timedelta(days=30)
    async with database.connection() as connection:
        values = {"count": count, "due": due, "at": at, "later": later, "since": since}
        await connection.execute(SUBSCRIBE, values)
        await connection.execute(YESTERDAYS, {"day": yesterday.date(), "at": yesterday})
        await connection.execute("VACUUM ANALYZE")


async def fill(database: Database, count: int) -> None:
    """Put so many composed digests into the outbox."""
    now = datetime.now(UTC)
    await subscribe(database, count, due=0, now=now)
    async with database.connection() as connection:
        await connection.execute(OUTBOX, {"day": now.date(), "at": now, "message": write_message(DIGEST)})


def be_a_worker(url: str, port: int, at_once: int, delay: float) -> None:
    """Be one worker process: with a platform of its own where there is no port."""
    logging.disable(logging.CRITICAL)

    async def work() -> None:
        await asyncio.sleep(delay)
        async with open_errands(url, FarPlatform(port) if port else SlowPlatform()) as (_, queue, _, _):
            await queue.work([QUEUE], at_once=at_once)

    asyncio.run(work())


def start(url: str, *, port: int = 0, at_once: int = 4, delay: float = 0.0) -> BaseProcess:
    """Start one; it is forked off a process that has done the imports, which take longer than its whole life."""
    process = FORKS.Process(target=be_a_worker, args=(url, port, at_once, delay), daemon=True)
    process.start()
    return process


async def counted(database: Database, question: str) -> int:
    """Return a count."""
    async with database.connection() as connection:
        cursor = await connection.execute(question)
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


OPEN = "SELECT count(*) FROM deliveries WHERE state NOT IN ('sent', 'dead')"
WORKERS = "SELECT count(*) FROM procrastinate_workers"


async def until(database: Database, question: str, wanted: int) -> None:
    """Wait until a count is reached."""
    while await counted(database, question) != wanted:
        await asyncio.sleep(0.05)


async def measure_due(server: PostgresServer) -> None:
    """Find and queue a fifth of all subscriptions, for growing numbers of them."""
    print("\nfound and queued, where a fifth of the subscriptions is due (goal: 100,000 in 5 s, and in proportion)")
    first = 0.0
    for count in (25_000, 50_000, 100_000):
        now = datetime.now(UTC)
        async with open_errands(new_database(server), FakePlatform()) as (database, queue, errands, _):
            await subscribe(database, count, due=count // 5, now=now)
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
                f"{ended - between:.2f} s, together {whole:.2f} s, {whole / first:.1f} times the first",
                flush=True,
            )


async def measure_workers(server: PostgresServer, at_once: int, each: int) -> None:
    """Deliver through a slow platform by 1, 2 and 4 processes."""
    print(
        f"\ndelivered through a platform that takes 100 ms, {at_once} at a time in each process (goal: 0.9 of linear)"
    )
    alone = 0.0
    for count in (1, 2, 4):
        url = new_database(server)
        async with open_errands(url, FakePlatform()) as (database, queue, _, _):
            await fill(database, each * count)
            workers = [start(url, at_once=at_once) for _ in range(count)]
            await until(database, WORKERS, count)
            errands = await queue.lost()
            begun = time.perf_counter()
            await queue.put(errands)
            await until(database, OPEN, 0)
            rate = each * count / (time.perf_counter() - begun)
            for worker in workers:
                worker.kill()
            alone = alone or rate
            print(f"  {count} workers: {rate:.1f} a second, {rate / alone / count:.2f} of linear", flush=True)


async def measure_trips(server: PostgresServer) -> None:
    """Count the questions that one delivery asks the database."""
    print("\ndatabase round trips for one delivery (goal: at most 6)")
    count = 200
    for what in ("composed already", "composed by the worker"):
        url = new_database(server)
        with Wire(url) as wire:
            async with (
                open_errands(url, FakePlatform()) as (database, queue, errands, _),
                open_errands(wire.url, FakePlatform()) as (_, far, _, _),
            ):
                now = datetime.now(UTC)
                if what == "composed already":
                    await fill(database, count)
                    await queue.put(await queue.lost())
                else:
                    await subscribe(database, count, due=count, now=now)
                    await queue.put(await errands.find(now))
                before = wire.trips
                working = asyncio.create_task(far.work([QUEUE], at_once=4))
                await until(database, "SELECT count(*) FROM procrastinate_jobs", 0)
                print(f"  {what}: {(wire.trips - before) / count:.2f}, taking and ending the job included", flush=True)
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)


async def measure_kills(server: PostgresServer, kills: int, seed: int) -> None:
    """Kill workers at random moments while they deliver, and count what is lost and what came twice."""
    print(f"\n{kills} random kills under load (goal: nothing lost, nothing twice)")
    dice, killed, lost, twice, digests, begun = random.Random(seed), 0, 0, 0, 0, time.perf_counter()
    while killed < kills:
        url, office = new_database(server), PostOffice(dice)
        port, count = await office.open(), 400
        async with open_errands(url, FakePlatform()) as (database, queue, _, _):
            await fill(database, count)
            await queue.put(await queue.lost())
            workers = [start(url, port=port) for _ in range(3)]
            while killed < kills and await counted(database, OPEN) > 8:
                enough = office.asked + dice.randrange(3, 9)
                deadline = time.perf_counter() + 10
                while office.asked < enough and time.perf_counter() < deadline:
                    await asyncio.sleep(0.001)
                victim = workers.pop(dice.randrange(len(workers)))
                await asyncio.sleep(dice.random() / 30)
                victim.kill()
                killed += 1
                workers.append(start(url, port=port))
            async with asyncio.timeout(300):
                await until(database, OPEN, 0)
            sent = await counted(
                database,
                "SELECT count(*) FROM deliveries WHERE state = 'sent' AND message = '' AND day >= current_date",
            )
            for worker in workers:
                worker.kill()
        office.close()
        lost += sum(not office.posts[key] for key in office.posts) + count - len(office.posts) + (count - sent)
        twice += sum(number - 1 for number in office.posts.values() if number > 1)
        digests += count
        print(
            f"  {killed} kills, {digests:,} digests in {time.perf_counter() - begun:.0f} s: {lost} lost, {twice} twice",
            flush=True,
        )


WORDS = ("due", "workers", "trips", "kills")


async def measure(arguments: argparse.Namespace) -> None:
    """Measure what was asked for."""
    wanted = arguments.what or WORDS
    with PostgresServer() as server:
        if "due" in wanted:
            await measure_due(server)
        if "workers" in wanted:
            await measure_workers(server, arguments.at_once, arguments.each)
        if "trips" in wanted:
            await measure_trips(server)
        if "kills" in wanted:
            await measure_kills(server, arguments.kills, arguments.seed)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", choices=[[], *WORDS])
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--each", type=int, default=600, help="digests for each worker")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    FORKS.set_forkserver_preload(["bots.house", "core.delivery.queue", "core.store.postgres", "tests.fake_platform"])
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
