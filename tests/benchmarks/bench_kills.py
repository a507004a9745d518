"""The outbox under kill -9: processes that deliver to a Slack on loopback are killed until N have died, then counted.

    python -m tests.benchmarks.bench_kills [--kills 1000]

Each process is a real one: the store on its files, the courier, the Slack adapter with its socket. It lacks what does
not touch the outbox (sources, library, page). Replies are dropped now and
then, before or after the post took effect.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

from core.chat.message import Card, Kind, Message
from core.clock import system_clock
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import write_message
from core.store import State
from core.store.embedded import EmbeddedStore
from tests.fakes import make_change, make_delivery, make_subscription
from tests.servers.slack import TEAM, Channel, Fault, SlackServer
from tests.slacks import slack_at

CHANNELS = 40
LAST = 6  # so many digests a town are left to a process that may live on: they wait for their next try
FORKS = multiprocessing.get_context("forkserver")
DIGEST = Message(Kind.DIGEST, heading="Papers", cards=tuple(Card(str(n), f"Paper {n}") for n in range(5)))


async def deliver(home: Path, api_url: str) -> None:
    """Be the process that is killed: carry what is in the outbox until nothing is open."""
    store = await EmbeddedStore.open(home)
    slack = slack_at(api_url, clock=system_clock)

    async def answer(_request: object) -> Message:
        return DIGEST

    courier = Courier(Carrier(store=store, platforms={"slack": slack}, clock=system_clock, jitter=lambda: 0.0))
    loops = [asyncio.create_task(slack.listen(answer)), asyncio.create_task(courier.run(every=0.5))]
    while await store.open_deliveries():
        await asyncio.sleep(0.1)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await store.close()


async def fill(home: Path, town: int, day: date) -> None:
    """Queue one digest for each channel of a fresh data folder."""
    now = datetime.now(UTC)
    store = await EmbeddedStore.open(home)
    for number in range(CHANNELS):
        name, address = f"t{town}s{number}", f"slack:{TEAM}/C{number}"
        await store.add_subscription(make_subscription(name, address, active_from=now), make_change())
        fields = {"address": address, "message": write_message(DIGEST), "due_at": now, "composed_at": now}
        await store.enqueue(make_delivery(name, day, shown=(), **fields))
    await store.close()


def be_killed(home: Path, api_url: str) -> None:
    """Be one process."""
    logging.disable(logging.CRITICAL)
    asyncio.run(deliver(home, api_url))


def start(home: Path, api_url: str) -> BaseProcess:
    """Start one process; it is forked off one that has done the imports, which take longer than its whole life."""
    process = FORKS.Process(target=be_killed, args=(home, api_url))
    process.start()
    return process


async def drain_with_kills(home: Path, slack: SlackServer, dice: random.Random, kills: int) -> int:
    """Start and kill processes until all is delivered; returns how many were killed in mid-work."""
    killed = 0
    while True:
        process = start(home, slack.api_url)
        deadly = killed < kills and len({post["channel"] for post in slack.posts}) < CHANNELS - LAST
        if deadly and dice.random() < 0.15:
            slack.fail("chat.postMessage", Fault(landed=dice.random() < 0.5, drop=True))
        enough = len(slack.calls) + dice.randrange(3, 9) if deadly else sys.maxsize
        while process.is_alive() and len(slack.calls) < enough:
            await asyncio.sleep(0.001)
        if not process.is_alive():
            if process.exitcode:
                raise SystemExit(f"a process ended by itself with {process.exitcode}")
            return killed
        await asyncio.sleep(dice.random() / 50)
        process.kill()
        await asyncio.to_thread(process.join)
        killed += 1


async def count(home: Path, slack: SlackServer, town: int, day: date) -> tuple[int, int]:
    """Return how many digests are lost and how many parts are there twice."""
    store = await EmbeddedStore.open(home, read_only=True)
    names = [f"t{town}s{number}" for number in range(CHANNELS)]
    sent = [one.subscription for one in (await store.latest_deliveries(names)).values() if one.state is State.SENT]
    await store.close()
    parts = Counter(
        (payload.get("key"), payload.get("part"))
        for post in slack.posts
        if (payload := post.get("metadata", {}).get("event_payload", {}))
    )
    lost = sum(name not in sent or not parts[f"{name}/{day}", 0] for name in names)
    return lost, sum(number - 1 for number in parts.values())


async def measure(kills: int, seed: int) -> None:
    """Kill so many processes, and print what was lost and what came twice."""
    dice, day, begun = random.Random(seed), datetime.now(UTC).date(), time.monotonic()
    killed = town = lost = twice = digests = 0
    while killed < kills:
        with tempfile.TemporaryDirectory() as folder:
            async with SlackServer() as slack:
                slack.channels |= {f"C{number}": Channel() for number in range(CHANNELS)}
                await fill(Path(folder), town, day)
                killed += await drain_with_kills(Path(folder), slack, dice, kills - killed)
                more_lost, more_twice = await count(Path(folder), slack, town, day)
        lost, twice, digests, town = lost + more_lost, twice + more_twice, digests + CHANNELS, town + 1
        print(
            f"{killed} kills, {digests} digests in {time.monotonic() - begun:.0f} s: {lost} lost, {twice} twice",
            flush=True,
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    FORKS.set_forkserver_preload(["bots.slack.slack", "core.store.embedded", "tests.servers.slack", "tests.fakes"])
    asyncio.run(measure(arguments.kills, arguments.seed))


if __name__ == "__main__":
    main()
