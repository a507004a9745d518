"""`/papers send N [DATE] [again]`: a digest now or a missed day's, and still never one twice."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chat import commands as c
from core.chat.message import Kind
from core.errors import DeliveryError, DeliveryFailure
from core.store import State
from core.store.figures import DUE
from tests.worlds import MONDAY, MONDAY_DATE, PLACE, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
DAY = timedelta(days=1)


def listed(number, day):
    return make_record(f"2611.{day:%m%d}{number}", f"Grokking {number} on {day:%A}", day=day)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, [listed(1, MONDAY_DATE), listed(2, MONDAY_DATE)]) as opened:
        yield opened


async def carry(world):
    """Let the courier carry what is queued, without a minute striking."""
    await world.courier.drain()
    await world.courier.settled()


async def spend_days(world, count, *, away=()):
    """Let days pass, each with a paper and a digest at eight; on those `away` paperboy does not run."""
    for ahead in range(1, count + 1):
        world.now = AT_EIGHT + DAY * ahead - timedelta(hours=1)
        await world.learn(listed(1, world.now.date()), listed(2, world.now.date()))
        if ahead not in away:
            await world.tick(AT_EIGHT + DAY * ahead)


async def test_now_is_todays_digest_and_none_follows_at_the_usual_time(world):
    await world.ask("subscribe grokking in UTC daily")
    answer = words(await world.ask("send 1"))
    assert answer.strip() == (
        "#1's digest of Mon 23 Nov 2026 is on its way, with 2 papers. It is today's: none follows at the usual time."
    )
    assert world.counted == [("fake", DUE)]
    await carry(world)
    assert len(titles(world.posted()[0])) == 2
    assert await world.tick(AT_EIGHT) == 0
    await spend_days(world, 1)
    assert sorted(titles(world.posted()[1])) == ["Grokking 1 on Tuesday", "Grokking 2 on Tuesday"]
    assert len(world.posted()) == 2


async def test_what_was_sent_is_not_sent_twice_but_said_with_the_way_to_see_it(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    for command in ("send 1", "send #1 2026-11-23"):
        answer = await world.ask(command)
        assert "#1's digest of Mon 23 Nov 2026 was sent at 08:00" in words(answer)
        assert "/papers send 1 2026-11-23 again" in words(answer)
        assert not answer.public
    await carry(world)
    assert len(world.posted()) == 1


async def test_asked_for_again_it_is_shown_to_the_place_and_the_outbox_is_left_alone(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    before = await world.house.store.delivery("s1", MONDAY_DATE)
    (button,) = (await world.ask("send 1")).buttons
    for again in (await world.ask(c.Press(button.action, button.value)), await world.ask("send 1 2026-11-23 AGAIN")):
        assert (again.kind, again.public, again.replaces) == (Kind.DIGEST, True, False)
        assert again.heading == "Papers for grokking"
        assert titles(again) == titles(world.posted()[0])
        assert [card.why for card in again.cards] == [card.why for card in world.posted()[0].cards]
        assert again.cards[0].buttons
    assert await world.house.store.delivery("s1", MONDAY_DATE) == before
    assert len(world.posted()) == 1


async def test_a_missed_day_brings_what_was_listed_on_it_and_was_not_shown(world):
    await world.ask("subscribe grokking in UTC daily top 1")
    await world.tick(AT_EIGHT)
    await spend_days(world, 3, away=(2,))
    assert "is on its way, with 1 paper." in words(await world.ask("send 1 2026-11-25"))
    await carry(world)
    missed = world.posted()[-1]
    assert missed.cards[0].title.endswith("on Wednesday")
    assert "Wednesday 25 November 2026" in words(missed)
    assert len({card.paper for message in world.posted() for card in message.cards}) == len(world.posted()) == 4


async def test_a_missed_day_moves_no_later_digests_beginning(world):
    await world.ask("subscribe grokking in UTC daily top 2")
    await world.tick(AT_EIGHT)
    await spend_days(world, 3, away=(1, 2))
    await world.ask("send 1 2026-11-25")
    await carry(world)
    late, before = [await world.house.store.delivery("s1", MONDAY_DATE + DAY * n) for n in (2, 0)]
    assert (late.state, late.upto, late.lacking) == (State.SENT, before.upto, ())
    await spend_days(world, 4, away=(1, 2, 3))
    assert sorted(titles(world.posted()[-1])) == ["Grokking 1 on Friday", "Grokking 2 on Friday"]


async def test_yesterday_that_nothing_followed_yet_covers_everything_and_today_goes_on_behind_it(world):
    await world.ask("subscribe grokking in UTC daily top 5")
    await world.tick(AT_EIGHT)
    world.now = AT_EIGHT + 2 * DAY - timedelta(hours=1)
    await world.learn(listed(1, MONDAY_DATE + DAY), listed(1, MONDAY_DATE + 2 * DAY))
    await world.ask("send 1 2026-11-24")
    await carry(world)
    assert len(world.posted()[-1].cards) == 2
    await world.learn(listed(2, MONDAY_DATE + 2 * DAY))
    assert await world.tick(AT_EIGHT + 2 * DAY) == 1
    assert titles(world.posted()[-1]) == ["Grokking 2 on Wednesday"]


async def test_what_was_given_up_is_composed_anew_and_sent(world):
    await world.ask("subscribe grokking in UTC daily")
    world.platform.failures.append(DeliveryError(DeliveryFailure.REJECTED, "Too strange."))
    await world.tick(AT_EIGHT)
    assert world.posted() == []
    assert "is on its way, with 2 papers" in words(await world.ask("send 1"))
    await carry(world)
    assert len(world.posted()[0].cards) == 2
    assert (await world.house.store.delivery("s1", MONDAY_DATE)).state is State.SENT


async def test_what_is_on_its_way_is_not_queued_again(world):
    await world.ask("subscribe grokking in UTC daily")
    world.platform.failures.append(DeliveryError(DeliveryFailure.RETRY, "Busy."))
    await world.tick(AT_EIGHT)
    assert "is on its way already (pending)" in words(await world.ask("send 1"))
    world.now += timedelta(minutes=5)
    await carry(world)
    assert len(world.posted()) == 1


async def test_what_perhaps_arrived_is_told_and_only_shown_when_asked_for_again(world):
    await world.ask("subscribe grokking in UTC daily")
    world.platform.failures.append(DeliveryError(DeliveryFailure.UNKNOWN, "the connection broke"))
    world.platform.blind = True
    await world.tick(AT_EIGHT)
    world.now += timedelta(minutes=1)
    await carry(world)
    assert (await world.house.store.delivery("s1", MONDAY_DATE)).state is State.DEAD
    answer = words(await world.ask("send 1"))
    assert "may have arrived, in part or as a whole: not known whether it arrived" in answer
    await carry(world)
    assert world.posted() == []
    assert len((await world.ask("send 1 2026-11-23 again")).cards) == 2


async def test_a_waiting_digest_of_the_day_before_is_covered_by_the_one_that_is_sent_now(world):
    await world.ask("subscribe grokking in UTC daily")
    world.platform.failures.append(DeliveryError(DeliveryFailure.RETRY, "Busy.", retry_after=100_000))
    await world.tick(AT_EIGHT)
    world.now += DAY - timedelta(hours=1)
    await world.learn(listed(1, MONDAY_DATE + DAY))
    await world.ask("send 1")
    await carry(world)
    assert [len(message.cards) for message in world.posted()] == [3]
    assert (await world.house.store.delivery("s1", MONDAY_DATE)).state is State.DEAD


async def test_nothing_to_send_leaves_the_date_to_its_own_digest(world):
    await world.ask("subscribe kernels in UTC daily")
    assert "There is nothing to send for Mon 23 Nov 2026: 2 new, none matched" in words(await world.ask("send 1"))
    assert await world.house.store.delivery("s1", MONDAY_DATE) is None
    await world.learn(make_record("2611.00077", "Kernels"))
    assert await world.tick(AT_EIGHT) == 1
    assert titles(world.posted()[0]) == ["Kernels"]


async def test_a_silence_is_told_and_told_again(world):
    await world.ask("subscribe kernels in UTC daily quiet")
    await world.tick(AT_EIGHT)
    assert "had nothing to show: 2 new, none matched." in words(await world.ask("send 1"))
    assert "2 new, none matched." in words(await world.ask("send 1 2026-11-23 again"))


async def test_where_paperboy_cannot_post_nothing_is_queued(world):
    await world.ask("subscribe grokking in UTC daily")
    world.problems[PLACE] = "I cannot post here yet: /invite @paperboy"
    assert "/invite @paperboy" in words(await world.ask("send 1"))
    assert await world.house.store.delivery("s1", MONDAY_DATE) is None


async def test_two_who_ask_at_once_get_one(world):
    await world.ask("subscribe grokking in UTC daily")
    answers = await asyncio.gather(*(world.ask("send 1") for _ in range(4)), world.tick(AT_EIGHT))
    await carry(world)
    assert len(world.posted()) == 1
    assert sum("with 2 papers" in words(answer) for answer in answers[:-1]) <= 1


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("send", "The number of the subscription is missing"),
        ("send x", "not the number of a subscription"),
        ("send 7", "There is no #7 here"),
        ("send 1 monday", "'monday' is not a date; write it as 2026-11-23"),
        ("send 1 2026-11-23 now", "/papers send N [DATE] [again]"),
        ("send 1 2026-11-24", "2026-11-24 has not come yet; today is 2026-11-23"),
        ("send 1 2026-11-22", "#1 was made on 2026-11-23, after 2026-11-22"),
        ("send 1 2026-01-02", "What was delivered is known for 90 days; 2026-01-02 is longer ago"),
    ],
)
async def test_what_cannot_be_sent_is_one_sentence(world, command, sentence):
    await world.ask("subscribe grokking in UTC daily")
    answer = await world.ask(command)
    assert answer.kind is Kind.ERROR
    assert sentence in words(answer)
    assert await world.house.store.open_deliveries() == []


async def test_a_paused_one_is_not_sent(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.ask("pause 1")
    answer = await world.ask("send 1")
    assert "#1 is paused: by request." in words(answer)
    assert "/papers resume 1" in words(answer)


async def test_sending_needs_the_right_to_manage_the_place(world):
    await world.ask("subscribe grokking in UTC daily")
    assert "right to manage" in words(await world.ask("send 1", may_manage=False))


STEPS = st.lists(st.sampled_from(["tick", "send", "yesterday", "before", "reject", "busy"]), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_in_any_order_each_date_is_sent_at_most_once_and_no_paper_twice(tmp_path_factory, steps):
    asyncio.run(_send_in_order(tmp_path_factory.mktemp("any"), steps))


async def _send_in_order(folder, steps):
    async with open_world(folder, [listed(1, MONDAY_DATE), listed(2, MONDAY_DATE)]) as world:
        await world.ask("subscribe grokking in UTC daily top 1")
        world.now = AT_EIGHT - timedelta(minutes=1)
        for step in steps:
            today: date = world.now.date()
            if step == "tick":
                world.now = (world.now + DAY).replace(hour=8, minute=0)
                await world.learn(listed(1, world.now.date()), listed(2, world.now.date()))
                await world.tick()
            elif step in {"reject", "busy"}:
                kind = DeliveryFailure.REJECTED if step == "reject" else DeliveryFailure.RETRY
                world.platform.failures.append(DeliveryError(kind, "No."))
            else:
                back = {"send": 0, "yesterday": 1, "before": 2}[step]
                await world.ask(f"send 1 {today - DAY * back}")
                await carry(world)
        keys = [post.key for post in world.platform.posts]
        assert len(keys) == len(set(keys))
        shown = [card.paper for message in world.posted() for card in message.cards]
        assert len(shown) == len(set(shown))
