"""How soon Slack's commands are acknowledged while a digest run is on: `python -m tests.benchmarks.bench_acknowledge`.

Fifty commands at once, again and again, in both modes, with a real desk behind them; all the while digests are composed
and posted. Slack's stand-in, paperboy and the digest run share one process, so that the figures are rather too high.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fakes import make_change, make_subscription
from tests.integration.slack_rooms import WAYS, Room, open_room
from tests.servers.slack import Channel
from tests.worlds import MONDAY, World, make_record, open_world, upvotes

COMMANDS = ("search optimizers compared", "today", "list", "help", "why 2611.00007")
AT_ONCE, ROUNDS, CHANNELS, PAPERS = 50, 8, 100, 600
TARGET = 0.3  # seconds; Slack itself gives three


async def run_digests(world: World, room: Room, posted: list[str]) -> None:
    """Compose and post digests without end."""
    kept = [
        await world.house.store.add_subscription(
            make_subscription(f"b{number}", f"slack:T1/C{number}", interests="optimizers"), make_change()
        )
        for number in range(CHANNELS)
    ]
    room.server.channels |= {f"C{number}": Channel() for number in range(CHANNELS)}
    while True:
        for item in kept:
            edition = await world.house.newsroom.edition_for(replace(item, created_at=MONDAY), MONDAY.date(), MONDAY)
            await room.slack.deliver(item.address, edition.message, key=f"{item.id}/{len(posted)}")
            posted.append(item.id)


async def acknowledge(way: str, folder: Path) -> None:
    """Print how long acknowledgements took in one mode."""
    records = [
        make_record(f"2611.{number:05}", f"Optimizers Compared, Part {number}", signals=upvotes(number))
        for number in range(PAPERS)
    ]
    async with open_world(folder, records) as world, open_room(WAYS[way]) as room:
        room.desk.answer = world.desk.answer  # type: ignore[method-assign]
        posted: list[str] = []
        digests = asyncio.create_task(run_digests(world, room, posted))
        took: list[float] = []
        began = time.perf_counter()
        for number in range(ROUNDS):
            before = len(room.server.replies)
            took += await asyncio.gather(
                *(room.server.slash(COMMANDS[(number + n) % len(COMMANDS)]) for n in range(AT_ONCE))
            )
            await room.server.until(lambda before=before: len(room.server.replies) >= before + AT_ONCE, 120)  # type: ignore[misc]
        digests.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await digests
    took.sort()
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(
        f"{way:6} {len(took)} commands, {AT_ONCE} at once, {len(posted)} digests meanwhile "
        f"({time.perf_counter() - began:.0f} s): half within {p50 * 1000:.0f} ms, 99 % within {p99 * 1000:.0f} ms "
        f"({p99 / TARGET:.2f} of {TARGET * 1000:.0f} ms), longest {took[-1] * 1000:.0f} ms"
    )


def main() -> None:
    """Print both modes."""
    for way in WAYS:
        with TemporaryDirectory() as folder:
            asyncio.run(acknowledge(way, Path(folder)))


if __name__ == "__main__":
    main()
