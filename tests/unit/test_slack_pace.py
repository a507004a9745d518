"""How a workspace's limits hold for everybody who calls the method."""

from __future__ import annotations

import asyncio

import pytest

from bots.slack.failures import SlackError, failure_of
from bots.slack.pace import CALM_SECONDS, POSTS_AT_ONCE, Pace
from core.errors import DeliveryFailure
from tests.servers.rates import VirtualTime


class Workspace:
    """Answers calls, the next ones with 429 and these waits."""

    def __init__(self, time, *waits):
        self.time = time
        self.waits = list(waits)
        self.asked = []

    async def __call__(self):
        self.asked.append(self.time.now())
        await asyncio.sleep(0)
        if self.waits:
            raise failure_of("ratelimited", token="", retry_after=self.waits.pop(0))
        return "taken"


def setting(*waits):
    time = VirtualTime()
    return time, Pace(now=time.now, sleep=time.sleep), Workspace(time, *waits)


async def limit(pace, workspace, method="post"):
    with pytest.raises(SlackError, match="asks to wait"):
        await pace.ask(method, workspace, patience=10)


async def test_while_a_method_is_limited_nobody_calls_it():
    time, pace, workspace = setting(7)
    await limit(pace, workspace)
    answers = await time.run(*(pace.ask("post", workspace, patience=10) for _ in range(20)))
    assert answers == ["taken"] * 20
    assert workspace.asked == [0] + [7] * 20


async def test_another_method_goes_on_and_another_workspace_too():
    time, pace, workspace = setting(7)
    await limit(pace, workspace)
    other = Pace(now=time.now, sleep=time.sleep)
    await time.run(pace.ask("look", workspace, patience=10), other.ask("post", workspace, patience=10))
    assert workspace.asked == [0, 0, 0]


async def test_the_end_of_a_wait_brings_the_next_429_to_one_alone():
    time, pace, workspace = setting(7, 3)
    await limit(pace, workspace)

    async def ask():
        try:
            return await pace.ask("post", workspace, patience=10)
        except SlackError as error:
            return error

    answers = await time.run(*(ask() for _ in range(5)))
    assert [answer == "taken" for answer in answers] == [False, True, True, True, True]
    assert workspace.asked == [0, 7, 10, 10, 10, 10]


async def test_a_wait_longer_than_the_patience_is_handed_back_without_a_call():
    _, pace, workspace = setting(600)
    await limit(pace, workspace)
    with pytest.raises(SlackError, match="asks to wait") as raised:
        await pace.ask("post", workspace, patience=10)
    assert (raised.value.kind, raised.value.retry_after) == (DeliveryFailure.RETRY, 600)
    assert len(workspace.asked) == 1


async def test_a_call_that_is_not_answered_keeps_nobody_for_long():
    time, pace, workspace = setting(1)
    await limit(pace, workspace)
    never = asyncio.Event()

    async def hang():
        await never.wait()
        return "late"

    hanging = asyncio.create_task(pace.ask("post", hang, patience=10))
    await time.run(pace.ask("post", workspace, patience=10))
    assert not hanging.done()
    never.set()
    assert await hanging == "late"


async def test_a_call_that_is_given_up_is_ended_and_gives_its_turn_back():
    time, pace, workspace = setting(1)
    await limit(pace, workspace)
    begun, ended = asyncio.Event(), []

    async def hang():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    hanging = asyncio.create_task(pace.ask("post", hang, patience=10))
    await time.run(begun.wait())
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert ended == [True]
    assert await time.run(pace.ask("post", workspace, patience=10)) == ["taken"]


async def test_after_a_calm_minute_calls_go_side_by_side_again():
    time, pace, workspace = setting(7)
    await limit(pace, workspace)
    time.seconds = 7 + CALM_SECONDS + 1
    both = asyncio.Barrier(2)
    await asyncio.wait_for(time.run(*(pace.ask("post", both.wait, patience=10) for _ in range(2))), 20)


async def test_a_clock_that_is_put_back_makes_nobody_wait():
    time, pace, workspace = setting(7)
    time.seconds = 5_000.0
    await limit(pace, workspace)
    time.seconds = 100.0
    assert await pace.ask("post", workspace, patience=10) == "taken"


async def test_posts_to_a_channel_are_a_second_apart_after_a_short_burst_and_other_channels_do_not_wait():
    time, pace, _ = setting()
    arrived = []

    async def post(channel):
        await pace.wait_to_post(channel)
        arrived.append((channel, time.now()))

    await time.run(*(post("A") for _ in range(POSTS_AT_ONCE + 2)), post("B"))
    assert [at for channel, at in arrived if channel == "A"] == [0] * POSTS_AT_ONCE + [1, 2]
    assert ("B", 0) in arrived
