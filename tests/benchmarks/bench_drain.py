"""How fast many channels drain through what Slack and Discord allow: `python -m tests.benchmarks.bench_drain`.

Slack in virtual time, which passes when everybody waits; Discord in real time, as discord.py keeps its own clock.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count

from bots.discord import Discord
from bots.slack import Slack
from core.chat.message import Kind, Message, text
from core.delivery.courier import AT_ONCE
from core.errors import DeliveryError
from tests.fakes import MemoryStore
from tests.servers import discord as d
from tests.servers.rates import RateLimit, VirtualTime
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, Channel, SlackServer

SHORT = Message(Kind.DIGEST, heading="Papers", lines=(text("Monday"),))
SLACK_CHANNELS = 300
SLACK_LIMITS = ((1.0, 1), (5.0, 10), (10.0, 20))
DISCORD_POSTS = 25
DISCORD_BUCKET = (5, 1.0)


async def drain_slack(per_second: float, burst: int) -> None:
    """Print what share of a workspace's limit is used while many of its channels are due."""
    async with SlackServer() as server:
        virtual = VirtualTime(lambda: (len(server.calls), server.answered))
        limit = server.rates["chat.postMessage"] = RateLimit(per_second, burst, virtual.now)
        slack = Slack(
            bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=server.api_url, clock=virtual.clock, sleep=virtual.sleep
        )
        channels = [f"C{number}" for number in range(SLACK_CHANNELS)]
        server.channels |= {name: Channel() for name in channels}
        at_once = asyncio.Semaphore(AT_ONCE)

        async def deliver(channel: str) -> None:
            for _ in count():
                try:
                    async with at_once:
                        await slack.deliver(f"slack:T1/{channel}", SHORT, key=channel)
                except DeliveryError as error:
                    await virtual.sleep(error.retry_after or 1.0)
                else:
                    return

        began = time.perf_counter()
        await virtual.run(*map(deliver, channels))
        share = len(server.posts) / limit.allowed(virtual.now())
        print(
            f"slack    {per_second:4.0f}/s, {burst:3} at once: {len(server.posts)} channels in {virtual.now():6.1f} s "
            f"(virtual; {time.perf_counter() - began:.1f} s real), {share:.1%} of what is allowed, "
            f"{limit.refused} refused, {len(limit.pushy)} while a wait was asked for (the first {AT_ONCE} at most)"
        )


async def drain_discord() -> None:
    """Print the same for four channels of Discord."""
    most, seconds = DISCORD_BUCKET
    async with d.DiscordServer() as server:
        server.bucket = DISCORD_BUCKET
        discord = Discord(d.TOKEN, store=MemoryStore(), api_url=server.api_url, gateway_url=server.gateway_url)
        places = [f"discord:{d.CHANNEL}", f"discord:{d.OTHER_CHANNEL}", f"discord:@{d.ALICE}", f"discord:@{d.BOB}"]

        async def drain(place: str) -> float:
            """Return the seconds until the last post; the call that uses up a window returns only at its end."""
            began = time.perf_counter()
            for number in range(DISCORD_POSTS):
                last = time.perf_counter()
                await discord.deliver(place, SHORT, key=f"k{number}")
            return last - began

        slowest = max(await asyncio.gather(*map(drain, places)))
        await discord.close()
        ideal = (DISCORD_POSTS - 1) // most * seconds
        print(
            f"discord  {most} in {seconds:g} s a channel: {len(places)} x {DISCORD_POSTS} posts in {slowest:.2f} s "
            f"(real), {ideal:.2f} s at best, {ideal / slowest:.1%}; {server.limited} refused"
        )


async def main() -> None:
    """Print all figures."""
    for per_second, burst in SLACK_LIMITS:
        await drain_slack(per_second, burst)
    await drain_discord()


if __name__ == "__main__":
    asyncio.run(main())
