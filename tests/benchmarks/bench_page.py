"""How fast and how large the page is over a library of 100,000: `python -m tests.benchmarks.bench_page [PAPERS]`.

Made-up papers, listed over 200 days, searched by words (search by meaning has figures of its own, `search_speed.py`).
Each kind of page is asked for over a real socket, first with addresses that nobody asked for before, then again.
Sizes are those of HTML, style and script together, uncompressed.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bots.house import make_house
from bots.reading_room import ReadingRoom
from bots.web.app import create_app
from bots.web.server import serve
from bots.web.site import Site, read_static
from core.papers.library import LIBRARY_FILE, Library
from core.papers.paper import Listing, Record, Signal
from core.settings import Settings
from core.store.figures import read_days
from tests.fakes import MemoryStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()
DAYS = 200
ASKED = 30
FIELDS = ("cs.LG", "cs.CL", "cs.CV", "cs.AI", "stat.ML", "math.PR", "cs.RO", "eess.IV")
WORDS = [f"{first}{second}" for first in ("gra", "ten", "lor", "mi", "spec") for second in range(2000)]


def make_records(count: int) -> list[Record]:
    dice = random.Random(3)
    return [
        Record(
            id=f"26{1 + number % 12:02}.{number:05}",
            source="arxiv",
            title=" ".join(dice.choices(WORDS, k=9)).capitalize(),
            abstract=". ".join(" ".join(dice.choices(WORDS, k=18)).capitalize() for _ in range(8)),
            authors=tuple(f"Author {dice.choice(WORDS)}" for _ in range(6)),
            categories=tuple(dict.fromkeys(dice.choices(FIELDS, k=2))),
            published=NOW - timedelta(days=number % DAYS, hours=9),
            signals=(Signal("upvotes", dice.randrange(90), NOW, "huggingface"),) if number % 25 == 0 else (),
            listings=(Listing("arxiv", TODAY - timedelta(days=number % DAYS), "new"),),
        )
        for number in range(count)
    ]


def kinds(records: Sequence[Record]) -> dict[str, Callable[[int], str]]:
    """The address of each kind of page; another one for each number."""

    def day(number: int) -> date:
        return TODAY - timedelta(days=number)

    def words(number: int) -> str:
        return "+".join(records[number * 7].title.lower().split()[:2])

    return {
        "today": lambda _: "/",
        "today, another day and field": lambda n: f"/?field={FIELDS[n % 8]}&day={day(n + 1)}",
        "paper": lambda n: f"/paper/{records[n * 3].id}",
        "search, two words": lambda n: f"/search?q={words(n)}",
        "search, words and filters": lambda n: f"/search?q={words(n)}+-{WORDS[n]}+cat:{FIELDS[n % 8]}+after:2026-06",
        "day": lambda n: f"/day/{day(n)}",
        "week": lambda n: "/week/{}-W{:02}".format(*day(n * 6).isocalendar()[:2]),
        "month": lambda n: f"/month/{day(n * 6):%Y-%m}?page={n // 6 + 1}",
        "archive": lambda _: "/archive",
        "feed, everything": lambda n: f"/feed?top={n % 40 + 1}",
        "feed, two words": lambda n: f"/feed?q={words(n)}",
        "about": lambda _: "/about",
    }


async def time_pages(port: int, addresses: Sequence[str]) -> tuple[list[float], int]:
    times, largest = [], 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        await client.get("/healthz")
        for address in addresses:
            begun = time.perf_counter()
            answer = await client.get(address)
            times.append(time.perf_counter() - begun)
            assert answer.status_code in {200, 404}, (address, answer.status_code)
            largest = max(largest, len(answer.content))
    return times, largest


def tell(kind: str, times: Sequence[float], more: str) -> None:
    ordered = sorted(times)
    median, slowest = statistics.median(ordered) * 1000, ordered[-1] * 1000
    print(f"{kind:<44} median {median:>7.1f} ms   slowest {slowest:>7.1f} ms   {more}")


async def measure(folder: Path, count: int) -> None:
    records = make_records(count)
    library = await Library.open(folder / LIBRARY_FILE)
    begun = time.perf_counter()
    for start in range(0, count, 5000):
        await library.ingest(records[start : start + 5000], now=NOW)
    print(f"{count:,} papers kept in {time.perf_counter() - begun:.0f} s")
    web = {"searches_per_minute": 100_000}
    settings = Settings.model_validate({"home": folder, "model": {"enabled": False}, "web": web})
    house = make_house(settings, library=library, store=MemoryStore(), clock=lambda: NOW)
    await house.reader().list_words()

    async def ready() -> Sequence[str]:
        return ()

    site = Site(house, ReadingRoom(house), lambda: read_days(house.store, TODAY, 7), ready)
    mail = Route("/subscribe", lambda _request: PlainTextResponse(""), methods=["POST"])
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(site, routes=[mail])
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, lambda _host, port: bound.set_result(port)))
    port = await bound
    beside = len(read_static("style.css").encode()) + len(read_static("page.js").encode())
    try:
        for kind, address in kinds(records).items():
            addresses = [address(number) for number in range(ASKED)]
            first, largest = await time_pages(port, addresses)
            again, _ = await time_pages(port, addresses)
            tell(kind, first, f"{(largest + beside) / 1000:.1f} kB with style and script")
            tell("    again", again, "")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await site.room.close()
        await library.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="paperboy-page-") as folder:
        asyncio.run(measure(Path(folder), count))


if __name__ == "__main__":
    main()
