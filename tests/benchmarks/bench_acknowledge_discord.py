"""How soon Discord has paperboy's acknowledgements: `python -m tests.benchmarks.bench_acknowledge_discord`.

Fifty commands arrive at once, each time again, while nothing else is on and while digests are composed and posted. The
Discord that they come from runs in the same process, so its own work is in the figures too.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from bots.discord import Discord
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from tests.fakes import make_change, make_subscription
from tests.servers.discord import CHANNEL, OTHER_CHANNEL, TOKEN, DiscordServer
from tests.worlds import MONDAY, World, make_record, open_world

PAPERS, DIGESTS, AT_ONCE, ROUNDS = 3_000, 200, 50, 5
TOPICS = ("grokking", "diffusion", "retrieval", "proteins", "graphs")


async def ask(server: DiscordServer, number: int) -> float:
    """Type a command and return the seconds until it is acknowledged, once it is answered as well."""
    began = time.perf_counter()
    asked = await server.slash("search", query=f"{TOPICS[number % len(TOPICS)]} {number}")
    await asked.until(lambda asked: asked.acknowledged is not None)
    waited = time.perf_counter() - began
    await asked.answered()
    return waited


async def ask_many(server: DiscordServer) -> list[float]:
    """Return the seconds of all rounds."""
    waits: list[float] = []
    for _ in range(ROUNDS):
        waits += await asyncio.gather(*(ask(server, number) for number in range(AT_ONCE)))
    return waits


def tell(when: str, waits: list[float]) -> None:
    """Print one line."""
    cuts = quantiles(waits, n=100)
    print(
        f"discord  {AT_ONCE} commands at once, {when:22}: median {cuts[49] * 1000:4.0f} ms, "
        f"99th percentile {cuts[98] * 1000:4.0f} ms, longest {max(waits) * 1000:4.0f} ms"
    )


async def run_digests(world: World, discord: Discord) -> int:
    """Compose and post digests until they are all out; returns how many."""
    store = world.house.store
    for number in range(DIGESTS):
        place = f"discord:{(CHANNEL, OTHER_CHANNEL)[number % 2]}"
        subscription = make_subscription(
            f"s{number}", place, interests=TOPICS[number % len(TOPICS)], created_at=MONDAY - timedelta(days=9)
        )
        await store.add_subscription(subscription, make_change(address=place))
    now = MONDAY + timedelta(days=1)
    courier = Courier(Carrier(store=store, platforms={"discord": discord}, clock=lambda: now, jitter=lambda: 0.5))
    queued = await fill_outbox(world.house.newsroom, store, now)
    while True:
        await courier.drain()
        if not courier.busy:
            return queued
        await courier.settled()


async def main() -> None:
    """Print both figures."""
    records = [
        make_record(f"2611.{number:05}", f"{TOPICS[number % len(TOPICS)]} in setting {number}")
        for number in range(PAPERS)
    ]
    with TemporaryDirectory() as folder:
        async with open_world(Path(folder), records) as world, DiscordServer() as server:
            discord = Discord(TOKEN, store=world.house.store, api_url=server.api_url, gateway_url=server.gateway_url)
            listening = asyncio.create_task(discord.listen(world.desk.answer))
            await discord.ready()
            tell("nothing else on", await ask_many(server))
            digests = asyncio.create_task(run_digests(world, discord))
            waits = await ask_many(server)
            state = "still on at the end" if not digests.done() else "over before the end"
            tell("a digest run on", waits)
            print(f"discord  {await digests} digests, {state}")
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await discord.close()


if __name__ == "__main__":
    asyncio.run(main())
