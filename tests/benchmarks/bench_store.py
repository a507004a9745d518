"""Figures of the embedded store: `python -m tests.benchmarks.bench_store` and, for the long run, `... --kills 1000`.

A kill: a child process writes and says after each write that it was acknowledged; it is killed at a random instant, and
the files are opened again. They must hold every acknowledged write, and of the one in flight all or nothing; the same
writes on a MemoryStore tell what that is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import msgspec

from core.store import State, Store
from core.store.documents import CHANGES_KEPT, Documents
from core.store.embedded import EmbeddedStore
from core.store.journal import JournalStorage
from core.store.texts import text_token
from tests.fakes import NOON, TODAY, MemoryStore, make_change, make_delivery, make_mark, make_subscription, read_whole

KILLS_A_FOLDER = 50
SMALL_JOURNAL = 20_000
LONGEST_LIFE_S = 0.1
TIMED_WRITES = 400
TEXTS = 20_000
MARKS = 20_000


async def act(store: Store, number: int) -> None:
    """Do write `number`, which is the same one on every store that holds the same."""
    chance = random.Random(number)
    known = list(await store.subscriptions())
    open_now = list(await store.open_deliveries())
    change = make_change(f"act {number}", at=NOON + timedelta(seconds=number))
    kind = chance.randrange(8)
    if kind == 0 and len(known) > 12:
        await store.remove_subscriptions([s.id for s in chance.sample(known, 5)], change)
    elif kind == 1 and known:
        await store.replace_subscription(replace(chance.choice(known), interests=f"topic {number}"), change)
    elif kind == 2 and known:
        day = TODAY + timedelta(days=chance.randrange(30))
        await store.enqueue(make_delivery(chance.choice(known).id, day, message="m" * 2_000, composed_at=change.at))
    elif kind == 3 and open_now:
        delivery = chance.choice(open_now)
        state = chance.choice(list(State))
        await store.move(replace(delivery, state=state, attempts=number), expected=delivery.state)
    elif kind == 4:
        await store.mark(
            make_mark(chance.choice(["up", "down", "saved"]), paper=str(chance.randrange(9)), at=change.at)
        )
    elif kind == 5:
        await store.set_fact("fact", str(number))
    elif kind == 6 and number % 50 == 0:
        await store.prune(change.at)
    else:
        await store.add_subscription(make_subscription(f"s{number}", f"place {chance.randrange(4)}"), change)


@dataclass(slots=True)
class Kills:
    """What became of the killed writers."""

    kills: int = 0
    writes: int = 0
    in_flight_kept: int = 0
    before_first_write: int = 0


def kill_writers(kills: int, seed: int) -> Kills:
    """Kill writers and look at what they left.

    Raises:
        SystemExit: an acknowledged write is missing, or something else is there.
    """
    chance, tally = random.Random(seed), Kills()
    while tally.kills < kills:
        with tempfile.TemporaryDirectory() as folder:
            model, done = MemoryStore(), 0
            for _ in range(min(KILLS_A_FOLDER, kills - tally.kills)):
                acknowledged = _kill_one(Path(folder), done, chance.uniform(0, LONGEST_LIFE_S))
                kept = asyncio.run(_compare(Path(folder), model, done, acknowledged))
                tally.kills += 1
                tally.writes += acknowledged
                tally.in_flight_kept += kept
                tally.before_first_write += acknowledged == 0
                done += acknowledged + kept
    return tally


def _kill_one(folder: Path, first: int, life_s: float) -> int:
    """Let a child write from number `first` on for a while; returns how many writes it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(_write_on(folder, first, writing))
        finally:
            os._exit(1)
    os.close(writing)
    time.sleep(life_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as acknowledgements:
        return len(acknowledgements.read())


async def _write_on(folder: Path, number: int, acknowledge: int) -> None:
    store = await EmbeddedStore.open(folder, journal_bound=SMALL_JOURNAL)
    while True:
        await act(store, number)
        os.write(acknowledge, b".")
        number += 1


async def _compare(folder: Path, model: MemoryStore, first: int, acknowledged: int) -> bool:
    """Bring the model to where the files must be; returns whether they hold the write in flight, too."""
    store = await EmbeddedStore.open(folder)
    found, notices = await read_whole(store), store.notices
    await store.close()
    for number in range(first, first + acknowledged):
        await act(model, number)
    if notices:
        sys.exit(f"A kill left a broken file: {notices}")
    if found == await read_whole(model):
        return False
    await act(model, first + acknowledged)
    if found != await read_whole(model):
        kept = Path(tempfile.gettempdir()) / f"lost-{os.getpid()}"
        shutil.copytree(folder, kept)
        sys.exit(f"After {first + acknowledged} acknowledged writes the files hold something else; they are in {kept}.")
    return True


async def measure_writes(folder: Path, subscriptions: int) -> None:
    """Time acknowledged writes to a store that is full in every other respect."""
    _fill(folder)
    store = await EmbeddedStore.open(folder)
    started = time.perf_counter()
    kept = [
        await store.add_subscription(make_subscription(f"s{n}", f"slack:T1/C{n % 500}"), make_change())
        for n in range(subscriptions)
    ]
    print(f"add {subscriptions} subscriptions: {time.perf_counter() - started:.1f} s")
    delivery = make_delivery(message="m" * 20_000)
    writes: dict[str, Callable[[int], Awaitable[object]]] = {
        "replace_subscription": lambda n: store.replace_subscription(replace(kept[n], top=n % 20 + 1), make_change()),
        "set_fact": lambda n: store.set_fact("fact", str(n)),
        "mark": lambda n: store.mark(make_mark(paper=f"new {n}")),
        "keep_text": lambda n: store.keep_text(f"new {n}"),
        "enqueue": lambda n: store.enqueue(replace(delivery, subscription=kept[n].id)),
        "move": lambda n: store.move(
            replace(delivery, subscription=kept[n].id, state=State.SENT), expected=State.PENDING
        ),
    }
    for name, write in writes.items():
        _print_times(name, [await _time(write(number)) for number in range(TIMED_WRITES)])
    _print_times("subscriptions() of all", [await _time(store.subscriptions()) for _ in range(20)])
    await store.close()
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def measure_opening(folder: Path, deliveries: int) -> None:
    """Time opening with many settled deliveries (2,000 subscriptions for 90 days are 180,000)."""
    store = await EmbeddedStore.open(folder)
    await store.close()
    with closing(sqlite3.connect(folder / "deliveries.sqlite3")) as database, database:
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
            " INSERT INTO deliveries (subscription, day, address, state, due_at, composed_at, changed_at, message,"
            " upto, attempts, parts, note, silence, lacking)"
            " SELECT 'x' || (i / 90), date('2026-01-01', (i % 90) || ' days'), 'slack:T1/C1',"
            " 'sent', ?, ?, ?, '', 0, 1, '[\"1700000000.000100\"]', '', '', '[]' FROM n",
            (deliveries, *[NOON.isoformat(timespec="microseconds")] * 3),
        )
        database.execute(
            "INSERT OR IGNORE INTO shown SELECT subscription, day, p.value, '2310.' || abs(random() % 90000),"
            " p.value + 1, 'matches *diffusion models* and 41 upvotes' FROM deliveries, json_each('[0,1,2,3,4]') p"
        )
    size = (folder / "deliveries.sqlite3").stat().st_size / 1e6
    started = time.perf_counter()
    store = await EmbeddedStore.open(folder)
    print(f"open with {deliveries} more deliveries ({size:.0f} MB): {time.perf_counter() - started:.2f} s")
    _print_times("deliveries_of_paper", [await _time(store.deliveries_of_paper(f"2310.{n}")) for n in range(50)])
    _print_times("sent_lacking", [await _time(store.sent_lacking(NOON - timedelta(days=90))) for _ in range(20)])
    _print_times("prune with copy", [await _time(store.prune(NOON - timedelta(days=90)))])
    await store.close()


def _fill(folder: Path) -> None:
    storage = JournalStorage(folder, bound=1 << 30)
    documents = Documents(storage)
    with storage.batch():
        for number in range(CHANGES_KEPT):
            documents._note(make_change(f"filled {number}"))
        for number in range(TEXTS):
            documents._texts.put(text_token(str(number)), {"text": f"kept {number}", "used": TODAY.isoformat()})
        for number in range(MARKS):
            documents._marks.put(str(number), msgspec.to_builtins(make_mark(paper=f"filled {number}")))
    storage.close()


async def _time(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1000


def _print_times(name: str, times_ms: list[float]) -> None:
    ordered = sorted(times_ms)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95) - (len(ordered) == 1)]
    print(f"{name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, max {ordered[-1]:.2f} ms ({len(ordered)} calls)")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=0, help="kill so many writers instead of timing writes")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--subscriptions", type=int, default=2_000)
    parser.add_argument("--deliveries", type=int, default=180_000)
    options = parser.parse_args()
    if options.kills:
        started = time.perf_counter()
        tally = kill_writers(options.kills, options.seed)
        print(
            f"{tally.kills} kills (seed {options.seed}) in {time.perf_counter() - started:.0f} s: "
            f"{tally.writes} writes acknowledged, none lost; in flight and kept whole: {tally.in_flight_kept}; "
            f"killed before the first write: {tally.before_first_write}"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_writes(Path(folder), options.subscriptions))
        asyncio.run(measure_opening(Path(folder), options.deliveries))


if __name__ == "__main__":
    main()
