"""All digests of a morning: `python -m tests.benchmarks.bench_choosing [SUBSCRIPTIONS]`. Everything is made up here.

10,000 subscriptions with interests of their own (every fourth with a category, every fifth with an exclusion) and 5 to
50 marks each, against one day of 1,500 papers in a library of 7,500: how long `compose` takes for all of them when they
share what they look up, as the outbox lets them; for a part of them, so that the growth shows; and one by one. What
interests mean is known already, as it is in a service that ran before; the model itself takes 5 ms for each new one.
Each part begins with what is new of a morning: none of the day's papers and words, and no mark, was looked at before.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `paperboy` does, before numpy is loaded

from core.digests.digest import Order, compose
from core.digests.slate import Ahead, Slates
from core.digests.taste import Taste
from core.digests.together import MOST_TOGETHER
from core.papers.library import Library
from core.papers.paper import Listing, Record, Signal
from core.papers.windows import OnDay
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.query import parse
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
TODAY = NOW.date()
DAY, BEFORE = 1_500, 6_000
SUBSCRIPTIONS = 10_000
ALONE = 40
CATEGORIES = ("cs.LG", "cs.CL", "cs.CV", "stat.ML", "math.OC", "astro-ph.GA", "q-bio.GN", "econ.GN")
SYLLABLES = ("ar", "bel", "cor", "den", "el", "fir", "gan", "hol", "in", "jor", "kel", "lum", "mor", "nes", "or", "pla")
WORDS = [f"{first}{second}{third}" for first in SYLLABLES for second in SYLLABLES for third in SYLLABLES]
WEIGHTS = [1 / (place + 10) for place in range(len(WORDS))]  # as words are spread in texts


def make_record(number: int, chance: random.Random, *, today: bool) -> Record:
    day = TODAY if today else TODAY - timedelta(days=1 + number % 60)
    words = chance.choices(WORDS, WEIGHTS, k=150)
    signals = (Signal("upvotes", chance.randrange(100), NOW, "huggingface"),) if number % 30 == 0 else ()
    return Record(
        f"26{'11' if today else '09'}.{number:05}",
        "arxiv",
        title=" ".join(words[:8]),
        abstract=" ".join(words[8:]),
        categories=(chance.choice(CATEGORIES),),
        published=datetime.combine(day, datetime.min.time(), UTC),
        listings=(Listing("arxiv", day, "new"),),
        signals=signals,
    )


def make_orders(count: int, past: Sequence[str], chance: random.Random) -> list[Order]:
    orders = []
    for number in range(count):
        asked = " ".join(chance.choices(WORDS[:1_500], k=3))
        asked += f" cat:{chance.choice(CATEGORIES)}" if number % 4 == 0 else ""
        asked += f" -{chance.choice(WORDS[:300])}" if number % 5 == 0 else ""
        marked = chance.sample(past, chance.randint(5, 50))
        half = len(marked) * 2 // 3
        taste = Taste(dict.fromkeys(marked[:half], 1), dict.fromkeys(marked[half:], 1))
        orders.append(Order(parse(asked), OnDay(TODAY), 5, taste=taste))
    return orders


def make_slates(orders: Sequence[Order]) -> Slates:
    """Return what orders share; their interests were read before, as the newsroom has it."""
    marked = tuple(paper for order in orders for paper in (*order.taste.liked, *order.taste.disliked))
    queries = {order.query.text: order.query for order in orders}
    return Slates(Ahead(marked, [order.query.text for order in orders], queries.__getitem__))


async def choose_all(orders: Sequence[Order], engine: Engine, library: Library, *, shared: bool) -> tuple[float, float]:
    """Return how long it took, and how much of that time the processor worked for us: less where others need it too."""
    begun, worked = time.perf_counter(), time.process_time()
    slates = make_slates(orders) if shared else None
    engine._last_pool = None
    at_once = MOST_TOGETHER if shared else 1
    for start in range(0, len(orders), at_once):
        several = orders[start : start + at_once]
        if not shared:
            engine = Engine(library, engine._meaning)
        await asyncio.gather(*(compose(order, engine=engine, library=library, slates=slates) for order in several))
    return time.perf_counter() - begun, time.process_time() - worked


async def measure(folder: Path, count: int) -> None:
    chance = random.Random(20261124)
    library = await Library.open(folder / "library.sqlite3")
    models = FakeModels(FakeModel(FakeEmbedder(dimensions=384)))
    reader = Reader(library, models)
    past = [make_record(number, chance, today=False) for number in range(BEFORE)]
    day = [make_record(number, chance, today=True) for number in range(DAY)]
    try:
        await library.ingest([*past, *day], now=NOW)
        await reader.read_missing()
        engine = Engine(library, Meaning(library.path, models))
        orders = make_orders(count, [record.id for record in past], chance)
        for order in orders:
            engine.ask(order.query, engine._meaning.look())
        empty = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        alone = (await choose_all(orders[:ALONE], engine, library, shared=False))[0] / ALONE
        for part in (count // 4, count // 2, count):
            took, worked = await choose_all(orders[:part], engine, library, shared=True)
            ratio = alone * part / took
            print(f"{part:7,} digests of {DAY:,} papers: {took:6.2f} s ({worked:.2f} s of processor)", end="")
            print(f", {1000 * took / part:.2f} ms each; one by one {alone * part:7.0f} s, {ratio:.0f} times as long")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"memory: {empty} MB before, {peak} MB at most")
    finally:
        await reader.close()
        await library.close()


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SUBSCRIPTIONS
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
