"""Many channels of one workspace, drained through what it allows; time is virtual."""

from __future__ import annotations

import asyncio

import pytest

from core.chat.message import Kind, Message, text
from core.delivery.courier import AT_ONCE
from core.errors import DeliveryError, DeliveryFailure
from tests.servers.rates import RateLimit, VirtualTime
from tests.servers.slack import Channel, SlackServer
from tests.slacks import slack_at

SHORT = Message(Kind.DIGEST, heading="Papers", lines=(text("Monday"),))


@pytest.mark.parametrize(("per_second", "burst"), [(5.0, 10), (1.0, 1)])
async def test_draining_uses_what_is_allowed_and_asks_nothing_while_it_has_to_wait(per_second, burst):
    async with SlackServer() as server:
        time = VirtualTime(lambda: (len(server.calls), server.answered))
        limit = server.rates["chat.postMessage"] = RateLimit(per_second, burst, time.now)
        slack = slack_at(server.api_url, clock=time.clock, sleep=time.sleep)
        channels = [f"C{number}" for number in range(60)]
        server.channels |= {name: Channel() for name in channels}
        at_once = asyncio.Semaphore(AT_ONCE)

        async def deliver(channel):
            while True:
                try:
                    async with at_once:
                        return await slack.deliver(f"slack:T1/{channel}", SHORT, key=channel)
                except DeliveryError as error:
                    assert error.kind is DeliveryFailure.RETRY
                    await time.sleep(error.retry_after)

        await time.run(*map(deliver, channels))
        assert sorted(post["channel"] for post in server.posts) == sorted(channels)
        # Only what was under way when the first 429 came can have been too early.
        assert all(number < AT_ONCE for number in limit.pushy)
        assert len(channels) >= 0.9 * limit.allowed(time.now())
