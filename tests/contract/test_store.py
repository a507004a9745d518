"""What every Store promises, asked of each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.digests.subscription import Pause
from core.errors import StoreError
from core.store import Delivery, Shown, State, Store
from core.store.correspondents import Consent, Correspondent, Wish
from core.store.embedded import EmbeddedStore
from core.store.facts import change_fact
from core.store.postgres import PostgresStore
from tests.fakes import NOON, MemoryStore, make_change, make_delivery, make_mark, make_subscription

DAY = NOON.date()


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["embedded", "memory", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    opened: Store
    if request.param == "postgres":
        opened = await PostgresStore.open(request.getfixturevalue("database_url"), size=4, clock=clock)
    else:
        opened = await EmbeddedStore.open(tmp_path / "data", clock=clock)
    yield opened
    await opened.close()


async def test_an_empty_store_answers_every_question(store: Store) -> None:
    assert list(await store.subscriptions()) == []
    assert await store.subscription("s1") is None
    assert list(await store.changes()) == []
    assert list(await store.open_deliveries()) == []
    assert dict(await store.latest_deliveries(["s1"])) == {}
    assert await store.delivery("s1", DAY) is None
    assert list(await store.deliveries_of_paper("2310.01234")) == []
    assert await store.shown_papers("slack:T1/C1", NOON) == frozenset()
    assert list(await store.marks()) == []
    assert await store.kept_text("abcdefgh") is None
    assert await store.fact("cursor") is None


async def test_a_subscription_comes_back_as_it_was_given(store: Store) -> None:
    given = make_subscription(
        interests='"length generalization" -survey äöü 日本 \n "',
        at=time(7, 30),
        days=(0, 3),
        when_ready=True,
        weekly=True,
        quiet=True,
        pause=Pause("the channel is archived", NOON + timedelta(microseconds=7), by_hand=False),
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    )
    kept = await store.add_subscription(given, make_change())
    assert kept == replace(given, number=1)
    assert await store.subscription("s1") == kept
    without_time = await store.add_subscription(make_subscription("s2", at=None), make_change())
    assert await store.subscription("s2") == without_time


async def test_numbers_count_up_in_each_place_and_a_free_one_is_not_given_again_below_the_highest(store: Store) -> None:
    for name, place in [("a", "p"), ("b", "p"), ("c", "p"), ("d", "q")]:
        await store.add_subscription(make_subscription(name, place), make_change())
    await store.remove_subscriptions(["b"], make_change())
    await store.add_subscription(make_subscription("e", "p"), make_change())
    assert [(s.id, s.number) for s in await store.subscriptions("p")] == [("a", 1), ("c", 3), ("e", 4)]
    assert [(s.id, s.number) for s in await store.subscriptions("q")] == [("d", 1)]


async def test_numbers_are_distinct_when_many_subscribe_at_once(store: Store) -> None:
    kept = await asyncio.gather(*(store.add_subscription(make_subscription(f"s{n}"), make_change()) for n in range(25)))
    assert sorted(s.number for s in kept) == list(range(1, 26))


async def test_subscriptions_are_listed_by_address_and_number(store: Store) -> None:
    for name, place in [("z", "b"), ("y", "a"), ("x", "b"), ("w", "a")]:
        await store.add_subscription(make_subscription(name, place), make_change())
    assert [s.id for s in await store.subscriptions()] == ["y", "w", "z", "x"]


async def test_an_id_is_given_once(store: Store) -> None:
    await store.add_subscription(make_subscription(interests="first"), make_change())
    with pytest.raises(StoreError, match="s1"):
        await store.add_subscription(make_subscription(interests="second", address="other"), make_change("again"))
    assert [s.interests for s in await store.subscriptions()] == ["first"]
    assert [change.what for change in await store.changes()] == ["subscribed"]


async def test_replacing_keeps_the_new_state_whole(store: Store) -> None:
    kept = await store.add_subscription(make_subscription(pause=Pause("paused by Alice", NOON)), make_change())
    new = replace(kept, pause=None, top=3, days=())
    await store.replace_subscription(new, make_change("resumed"))
    assert await store.subscription("s1") == new


async def test_replacing_what_is_not_there_is_an_error_and_notes_nothing(store: Store) -> None:
    with pytest.raises(StoreError, match="s1"):
        await store.replace_subscription(make_subscription(), make_change())
    assert list(await store.subscriptions()) == []
    assert list(await store.changes()) == []


async def test_removing_takes_along_what_waits_and_leaves_what_was_begun(store: Store) -> None:
    for name in ("s1", "s2"):
        await store.add_subscription(make_subscription(name), make_change())
    for offset, state in enumerate(State):
        await store.enqueue(make_delivery("s1", DAY + timedelta(days=offset), state=state))
    await store.enqueue(make_delivery("s2"))
    assert await store.remove_subscriptions(["s1", "unknown"], make_change("unsubscribed")) == 1
    assert [s.id for s in await store.subscriptions()] == ["s2"]
    kept = [await store.delivery("s1", DAY + timedelta(days=offset)) for offset in range(len(State))]
    assert [d.state for d in kept if d is not None] == [state for state in State if state is not State.PENDING]


async def test_removing_leaves_what_waits_for_its_rest(store: Store) -> None:
    await store.add_subscription(make_subscription("s1"), make_change())
    await store.enqueue(make_delivery("s1", parts=("1",)))
    await store.remove_subscriptions(["s1"], make_change("unsubscribed"))
    assert [d.parts for d in await store.open_deliveries()] == [("1",)]


async def test_removing_nothing_changes_nothing(store: Store) -> None:
    await store.enqueue(make_delivery("unknown"))
    assert await store.remove_subscriptions([], make_change()) == 0
    assert await store.remove_subscriptions(["unknown"], make_change()) == 0
    assert list(await store.changes()) == []
    assert len(await store.open_deliveries()) == 1


async def test_changes_are_told_newest_first_and_by_place(store: Store) -> None:
    first = make_change("subscribed", "p")
    other = make_change("subscribed", "q")
    last = make_change("edited", "p", at=NOON - timedelta(hours=1))  # the order is of writing, whatever the clock said
    kept = await store.add_subscription(make_subscription("s1", "p"), first)
    await store.add_subscription(make_subscription("s2", "q"), other)
    await store.replace_subscription(kept, last)
    assert list(await store.changes()) == [last, other, first]
    assert list(await store.changes("p")) == [last, first]


async def test_a_delivery_comes_back_as_it_was_given(store: Store) -> None:
    given = make_delivery(
        state=State.PENDING,
        composed_at=NOON + timedelta(microseconds=1),
        not_before=NOON + timedelta(minutes=10),
        attempts=3,
        parts=("1700000000.000100", "1700000000.000200"),
        note="Slack: ratelimited",
        shown=tuple(Shown(f"scifact:{n}", n, 'matches "x" ünï') for n in range(1, 13)),
        silence="no announcement today",
    )
    assert await store.enqueue(given) is True
    assert await store.delivery("s1", DAY) == given
    bare = make_delivery("s2", shown=(), message="")
    await store.enqueue(bare)
    assert await store.delivery("s2", DAY) == bare


async def test_a_day_has_one_delivery(store: Store) -> None:
    given = make_delivery()
    results = await asyncio.gather(*(store.enqueue(replace(given, note=str(n))) for n in range(5)))
    assert sorted(results) == [False, False, False, False, True]
    assert await store.enqueue(replace(given, state=State.SENT)) is False
    kept = await store.delivery("s1", DAY)
    assert kept is not None
    assert kept.state is State.PENDING
    assert await store.enqueue(replace(given, day=DAY + timedelta(days=1))) is True


async def test_only_one_of_many_claims_a_delivery(store: Store) -> None:
    given = make_delivery()
    await store.enqueue(given)
    claims = [replace(given, state=State.SENDING, note=f"worker {n}", attempts=1) for n in range(8)]
    results = await asyncio.gather(*(store.move(claim, expected=State.PENDING) for claim in claims))
    assert results.count(True) == 1
    assert await store.delivery("s1", DAY) == claims[results.index(True)]


LONG_AGO = NOON - timedelta(days=90)


async def enqueue_first(store: Store, name: str, *papers: str, **fields: Any) -> bool:
    shown = tuple(Shown(paper, rank, "") for rank, paper in enumerate(papers, 1))
    delivery = make_delivery(name, shown=shown, **{"state": State.SENDING, **fields})
    return await store.enqueue_first(delivery, turn="place", since=LONG_AGO)


async def test_what_was_composed_without_a_turn_is_kept_once_and_only_where_nobody_came_first(store: Store) -> None:
    for name in ("s1", "s2"):
        await store.add_subscription(make_subscription(name), make_change())
    assert await enqueue_first(store, "s1", "1", "2", told=("news",))
    assert not await enqueue_first(store, "s1", "3"), "its key has one"
    assert not await enqueue_first(store, "s2", "2", "3"), "the place is shown 2 already"
    assert not await enqueue_first(store, "s2", "3", told=("news",)), "the place is told that already"
    assert not await enqueue_first(store, "s3", "3"), "nobody subscribed to it"
    async with store.alone("place"):
        assert not await enqueue_first(store, "s2", "3"), "somebody composes there"
    async with store.alone("another place"):
        assert await enqueue_first(store, "s2", "3")
    assert (await store.delivery("s1", DAY)).state is State.SENDING
    assert await store.shown_papers("slack:T1/C1", LONG_AGO) == {"1", "2", "3"}


async def test_what_another_place_was_shown_or_what_never_arrived_keeps_nothing_from_being_queued(store: Store) -> None:
    for name in ("s1", "s2", "s3"):
        await store.add_subscription(make_subscription(name), make_change())
    assert await enqueue_first(store, "s1", "1", address="slack:T1/C2")
    assert await enqueue_first(store, "s2", "1", state=State.DEAD)
    assert await enqueue_first(store, "s3", "1")


async def test_of_many_who_compose_the_same_for_a_place_one_is_first(store: Store) -> None:
    for number in range(6):
        await store.add_subscription(make_subscription(f"s{number}"), make_change())
    kept = await asyncio.gather(*(enqueue_first(store, f"s{number}", "1") for number in range(6)))
    assert kept.count(True) == 1


async def test_what_is_paused_meanwhile_is_not_queued(store: Store) -> None:
    item = await store.add_subscription(make_subscription("s1"), make_change())
    await store.replace_subscription(replace(item, pause=Pause("by request", NOON)), make_change())
    assert not await enqueue_first(store, "s1", "1")


async def test_a_move_from_another_state_or_of_nothing_does_nothing(store: Store) -> None:
    given = make_delivery()
    assert await store.move(given, expected=State.PENDING) is False
    assert await store.delivery("s1", DAY) is None
    await store.enqueue(given)
    assert await store.move(replace(given, state=State.SENT), expected=State.SENDING) is False
    assert await store.delivery("s1", DAY) == given


async def test_a_move_replaces_everything_also_the_papers(store: Store) -> None:
    given = make_delivery()
    await store.enqueue(given)
    new = replace(
        given, shown=(Shown("2401.00001", 1, "new"),), state=State.UNKNOWN, parts=("1",), upto=9, note="reset"
    )
    assert await store.move(new, expected=State.PENDING) is True
    assert await store.delivery("s1", DAY) == new
    assert list(await store.deliveries_of_paper("2310.01234")) == []
    assert list(await store.deliveries_of_paper("2401.00001")) == [new]


async def test_what_was_sent_lets_go_of_its_message_and_keeps_the_rest(store: Store) -> None:
    given = make_delivery(state=State.SENDING)
    await store.enqueue(given)
    sent = replace(given, state=State.SENT, parts=("1", "2"))
    assert await store.move(sent, expected=State.SENDING) is True
    assert await store.delivery("s1", DAY) == replace(sent, message="")


async def test_open_deliveries_come_oldest_due_first(store: Store) -> None:
    for hours, state in enumerate([State.UNKNOWN, State.SENT, State.PENDING, State.DEAD, State.SENDING]):
        await store.enqueue(make_delivery(f"s{hours}", state=state, due_at=NOON - timedelta(hours=hours)))
    assert [d.subscription for d in await store.open_deliveries()] == ["s4", "s2", "s0"]


async def test_a_subscription_and_its_delivery_are_read_together(store: Store) -> None:
    assert await store.standing("s1", DAY) == (None, None)
    kept = await store.add_subscription(make_subscription("s1"), make_change())
    assert await store.standing("s1", DAY) == (kept, None)
    await store.enqueue(make_delivery("s1", DAY))
    assert await store.standing("s1", DAY) == (kept, await store.delivery("s1", DAY))
    assert await store.standing("s1", DAY - timedelta(days=1)) == (kept, None)
    await store.enqueue(make_delivery("s2", DAY))
    assert await store.standing("s2", DAY) == (None, await store.delivery("s2", DAY))


async def test_open_deliveries_of_one_subscription_are_asked_for_by_its_id(store: Store) -> None:
    for day, state in enumerate([State.PENDING, State.SENT, State.UNKNOWN]):
        await store.enqueue(make_delivery("s1", DAY - timedelta(days=day), state=state, due_at=NOON))
    await store.enqueue(make_delivery("s2", DAY))
    found = await store.open_deliveries("s1")
    assert {(d.subscription, d.day) for d in found} == {("s1", DAY), ("s1", DAY - timedelta(days=2))}


async def test_one_at_a_time_is_alone_with_a_name_and_others_wait_only_for_that_name(store: Store) -> None:
    log: list[str] = []

    async def hold(name: str, letter: str, entered: asyncio.Event, leave: asyncio.Event) -> None:
        async with store.alone(name):
            log.append(f"{letter} in")
            entered.set()
            await leave.wait()
            log.append(f"{letter} out")

    entered, leave, at_once = asyncio.Event(), asyncio.Event(), asyncio.Event()
    at_once.set()
    first = asyncio.create_task(hold("place a", "1", entered, leave))
    await entered.wait()
    second = asyncio.create_task(hold("place a", "2", asyncio.Event(), at_once))
    await hold("place b", "3", asyncio.Event(), at_once)
    assert log == ["1 in", "3 in", "3 out"]
    leave.set()
    await asyncio.gather(first, second)
    assert log[3:] == ["1 out", "2 in", "2 out"]


async def test_whoever_fails_or_is_cancelled_while_alone_lets_go(store: Store) -> None:
    async def fail() -> None:
        async with store.alone("place"):
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    held = asyncio.Event()

    async def wait_for_ever() -> None:
        async with store.alone("place"):
            held.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait_for_ever())
    await held.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(20), store.alone("place"):
        pass


async def test_a_name_is_first_once_and_again_a_day_later(store: Store) -> None:
    assert await store.is_first("event Ev1", NOON) is True
    assert await store.is_first("event Ev1", NOON) is False
    assert await store.is_first("event Ev2", NOON) is True
    assert await store.is_first("event Ev1", NOON + timedelta(days=1)) is True


async def test_of_many_who_ask_about_a_name_at_a_time_one_is_the_first(store: Store) -> None:
    assert sum(await asyncio.gather(*(store.is_first("event Ev1", NOON) for _ in range(20)))) == 1


async def test_the_latest_delivery_is_that_of_the_newest_day_whatever_its_state(store: Store) -> None:
    await store.enqueue(make_delivery("s1", DAY, state=State.DEAD))
    await store.enqueue(make_delivery("s1", DAY - timedelta(days=1), composed_at=NOON + timedelta(days=1)))
    await store.enqueue(make_delivery("s2", DAY))
    await store.enqueue(make_delivery("s3", DAY))
    latest = await store.latest_deliveries(["s1", "s2", "none"])
    assert {name: (d.day, d.state) for name, d in latest.items()} == {
        "s1": (DAY, State.DEAD),
        "s2": (DAY, State.PENDING),
    }
    assert dict(await store.latest_deliveries([])) == {}


async def test_latest_deliveries_can_be_asked_of_thousands(store: Store) -> None:
    await store.enqueue(make_delivery("s4999"))
    assert set(await store.latest_deliveries([f"s{n}" for n in range(5000)])) == {"s4999"}


async def test_deliveries_of_a_paper_come_newest_first_and_by_place(store: Store) -> None:
    older = make_delivery("s1", DAY - timedelta(days=1), composed_at=NOON - timedelta(days=1))
    newer = make_delivery("s1", DAY)
    elsewhere = make_delivery("s2", DAY, address="discord:1", composed_at=NOON - timedelta(hours=1))
    without = make_delivery("s3", DAY, shown=())
    for delivery in (older, newer, elsewhere, without):
        await store.enqueue(delivery)
    assert list(await store.deliveries_of_paper("2310.01234")) == [newer, elsewhere, older]
    assert list(await store.deliveries_of_paper("2310.01234", "discord:1")) == [elsewhere]
    assert list(await store.deliveries_of_paper("2310.0123")) == []


async def test_shown_papers_are_those_of_the_place_since_then(store: Store) -> None:
    def showing(name: str, paper: str, **fields: object) -> Delivery:
        return make_delivery(name, shown=(Shown(paper, 1, ""),), **fields)

    for delivery in (
        showing("on time", "p1", composed_at=NOON, state=State.SENT),
        showing("later, on its way", "p2", composed_at=NOON + timedelta(days=1)),
        showing("before", "p3", composed_at=NOON - timedelta(microseconds=1)),
        showing("elsewhere", "p4", address="discord:1"),
        showing("never arrived", "p5", state=State.DEAD),
        showing("arrived in part", "p6", state=State.DEAD, parts=("1",)),
    ):
        await store.enqueue(delivery)
    assert await store.shown_papers("slack:T1/C1", NOON) == {"p1", "p2", "p6"}


async def test_what_a_place_was_told_is_kept_with_its_deliveries(store: Store) -> None:
    def telling(name: str, *told: str, **fields: object) -> Delivery:
        return make_delivery(name, told=told, **fields)

    assert await store.told("slack:T1/C1", NOON) == frozenset()
    for delivery in (
        telling("on time", "a", "b", state=State.SENT),
        telling("on its way", "c"),
        telling("before", "d", composed_at=NOON - timedelta(seconds=1)),
        telling("elsewhere", "e", address="discord:1"),
        telling("never arrived", "f", state=State.DEAD),
        telling("arrived in part", "g", state=State.DEAD, parts=("1",)),
    ):
        await store.enqueue(delivery)
    assert await store.told("slack:T1/C1", NOON) == {"a", "b", "c", "g"}
    assert (await store.delivery("on time", DAY)).told == ("a", "b")


async def test_pruning_forgets_old_settled_deliveries_but_not_the_newest_of_a_subscription(store: Store) -> None:
    await store.add_subscription(make_subscription("s1"), make_change())
    await store.add_subscription(make_subscription("s2"), make_change())
    old = NOON - timedelta(days=90)
    for name, days_ago, state in [
        ("s1", 100, State.SENT),
        ("s1", 99, State.DEAD),
        ("s1", 98, State.PENDING),
        ("s1", 90, State.SENT),
        ("s1", 1, State.SENT),
        ("s2", 101, State.SENT),
        ("s2", 100, State.SENT),
        ("removed", 100, State.SENT),
    ]:
        moment = NOON - timedelta(days=days_ago)
        await store.enqueue(make_delivery(name, moment.date(), state=state, composed_at=moment))
    assert await store.prune(old) == 4
    kept = await store.deliveries_of_paper("2310.01234")
    assert {(d.subscription, (DAY - d.day).days) for d in kept} == {("s1", 98), ("s1", 90), ("s1", 1), ("s2", 100)}
    assert await store.prune(old) == 0


async def test_up_and_down_replace_each_other_and_the_same_again_is_taken_back(store: Store) -> None:
    assert await store.mark(make_mark("up")) is True
    down = make_mark("down", at=NOON + timedelta(minutes=1))
    assert await store.mark(down) is True
    assert list(await store.marks()) == [down]
    assert await store.mark(make_mark("down", at=NOON + timedelta(minutes=2))) is False
    assert list(await store.marks()) == []


async def test_votes_are_of_a_person_in_a_place_on_a_paper(store: Store) -> None:
    votes = [
        make_mark("up"),
        make_mark("down", place="discord:1", at=NOON + timedelta(seconds=1)),
        make_mark("down", person="discord:2", at=NOON + timedelta(seconds=2)),
        make_mark("down", paper="2401.00001", at=NOON + timedelta(seconds=3)),
    ]
    for vote in votes:
        assert await store.mark(vote) is True
    assert list(await store.marks()) == votes
    assert list(await store.marks(place="discord:1")) == [votes[1]]
    assert list(await store.marks(person="slack:T1/U1")) == [votes[0], votes[1], votes[3]]
    assert list(await store.marks(person="slack:T1/U1", place="slack:T1/C1")) == [votes[0], votes[3]]


async def test_saving_is_independent_of_votes_and_of_the_place(store: Store) -> None:
    assert await store.mark(make_mark("up")) is True
    assert await store.mark(make_mark("saved")) is True
    assert sorted(mark.kind for mark in await store.marks()) == ["saved", "up"]
    assert await store.mark(make_mark("saved", place="discord:1")) is False
    assert [mark.kind for mark in await store.marks()] == ["up"]


async def test_marks_come_oldest_first(store: Store) -> None:
    for minutes, paper in [(5, "z"), (9, "c"), (1, "q"), (5, "a"), (5, "m")]:
        await store.mark(make_mark("saved", paper=paper, at=NOON + timedelta(minutes=minutes)))
    assert [mark.paper for mark in await store.marks()] == ["q", "a", "m", "z", "c"]


async def test_a_text_is_kept_under_one_short_token(store: Store) -> None:
    long = 'cat:cs.LG "' + "sehr lang ünd schön " * 200
    token, other = await store.keep_text(long), await store.keep_text("other")
    assert token != other
    assert len(token) <= 16
    assert await store.keep_text(long) == token
    assert await store.kept_text(token) == long
    assert await store.kept_text(other) == "other"


async def test_a_text_is_forgotten_ninety_days_after_its_last_use(store: Store, clock: SetClock) -> None:
    unused, used = await store.keep_text("unused"), await store.keep_text("used")
    clock.now = NOON + timedelta(days=60)
    await store.keep_text("used")
    clock.now = NOON + timedelta(days=91)
    assert await store.kept_text(unused) is None
    assert await store.kept_text(used) == "used"


async def test_a_fact_is_what_it_was_set_to_last(store: Store) -> None:
    await store.set_fact("arxiv cursor", "1")
    await store.set_fact("other", "")
    await store.set_fact("arxiv cursor", "2 ü\n")
    assert await store.fact("arxiv cursor") == "2 ü\n"
    assert await store.fact("other") == ""


async def test_days_are_days_and_not_instants(store: Store) -> None:
    await store.enqueue(make_delivery("s1", date(2026, 12, 31)))
    await store.enqueue(make_delivery("s1", date(2027, 1, 1)))
    latest = await store.latest_deliveries(["s1"])
    assert latest["s1"].day == date(2027, 1, 1)


async def test_the_last_sent_is_the_newest_before_a_day_that_arrived(store):
    for day, state in ((1, State.SENT), (2, State.SENT), (3, State.DEAD), (4, State.SENT)):
        await store.enqueue(make_delivery("s1", date(2026, 10, day), state=state))
    assert (await store.last_sent("s1", date(2026, 10, 4))).day == date(2026, 10, 2)
    assert (await store.last_sent("s1", date(2026, 10, 5))).day == date(2026, 10, 4)
    assert await store.last_sent("s1", date(2026, 10, 1)) is None
    assert await store.last_sent("s2", date(2026, 10, 5)) is None


async def test_sent_deliveries_that_lacked_a_source_are_found_until_they_are_old(store):
    await store.enqueue(make_delivery("s1", state=State.SENT, lacking=("arxiv",)))
    await store.enqueue(make_delivery("s2", state=State.SENT))
    await store.enqueue(make_delivery("s3", state=State.PENDING, lacking=("arxiv",)))
    (found,) = await store.sent_lacking(NOON)
    assert (found.subscription, found.lacking) == ("s1", ("arxiv",))
    assert await store.sent_lacking(NOON + timedelta(seconds=1)) == []
    await store.move(replace(found, lacking=()), expected=State.SENT)
    assert await store.sent_lacking(NOON) == []


async def test_a_sealed_text_is_kept_until_another_takes_its_name(store: Store) -> None:
    await store.keep_sealed("slack:T1", "one")
    await store.keep_sealed("slack:T1", "two")
    await store.keep_sealed("mail:x", "three")
    assert await store.sealed("slack:T1") == "two"
    assert await store.sealed("slack:T2") is None
    await store.keep_sealed("slack:T0", "four")
    assert list(await store.sealed_names("slack:")) == ["slack:T0", "slack:T1"]


async def test_a_sealed_text_is_taken_once_however_many_reach_for_it(store: Store) -> None:
    await store.keep_sealed("a", "text")
    taken = await asyncio.gather(*(store.take_sealed("a") for _ in range(5)))
    assert sorted(taken, key=str) == [None, None, None, None, "text"]
    assert await store.sealed("a") is None


async def test_a_sealed_text_is_replaced_only_where_nobody_else_did_meanwhile(store: Store) -> None:
    await store.keep_sealed("a", "one")
    replaced = await asyncio.gather(*(store.replace_sealed("a", str(n), expected="one") for n in range(5)))
    assert sorted(replaced) == [False, False, False, False, True]
    assert await store.sealed("a") == str(replaced.index(True))
    assert not await store.replace_sealed("none", "x", expected="one")
    assert await store.sealed("none") is None


async def fill(store: Store) -> None:
    """Two places of one workspace, one of another, all by Alice, who has a place of her own as well."""
    for name, place in [("s1", "slack:T1/C1"), ("s2", "slack:T1/U1"), ("s3", "slack:T10/C1")]:
        await store.add_subscription(make_subscription(name, place), make_change(f"subscribed {name}", place))
        await store.enqueue(make_delivery(name, address=place))
        await store.enqueue(make_delivery(name, DAY - timedelta(days=1), address=place, state=State.SENT))
        await store.mark(make_mark(place=place, person="slack:T1/U2"))


async def test_forgetting_a_workspace_forgets_all_of_it_and_nothing_else(store: Store) -> None:
    await fill(store)
    assert await store.forget("slack:T1/") == 2
    assert [item.id for item in await store.subscriptions()] == ["s3"]
    assert [item.subscription for item in await store.open_deliveries()] == ["s3"]
    assert {item.subscription for item in await store.deliveries_of_paper("2310.01234")} == {"s3"}
    assert list(await store.marks()) == []
    assert list(await store.changes()) == []


async def test_forgetting_a_person_leaves_what_she_made_for_others_without_her_name(store: Store) -> None:
    await fill(store)
    assert await store.forget("slack:T1/U1") == 1
    assert [(item.id, item.created_by) for item in await store.subscriptions()] == [
        ("s1", "slack:T1/C1"),
        ("s3", "slack:T10/C1"),
    ]
    assert {item.address for item in await store.deliveries_of_paper("2310.01234")} == {"slack:T1/C1", "slack:T10/C1"}
    assert list(await store.changes()) == []
    assert [mark.place for mark in await store.marks()] == ["slack:T1/C1", "slack:T10/C1"]
    assert await store.forget("slack:T1/U1") == 0


async def test_what_is_forgotten_can_begin_anew(store: Store) -> None:
    await fill(store)
    await store.forget("slack:T1/")
    kept = await store.add_subscription(make_subscription("s1"), make_change("again"))
    assert kept.number == 1
    assert await store.enqueue(make_delivery("s1"))
    assert [item.subscription for item in await store.open_deliveries()] == ["s1", "s3"]


def person(name: str = "n1", **fields: object) -> Correspondent:
    wish = Wish("w1", "grokking", "08:00", "UTC", "daily", 5, NOON, "192.0.2.7")
    consent = Consent("s1", NOON, "192.0.2.7", NOON, "192.0.2.8", "yes")
    return Correspondent(name, **{"address": "email:a@b.org", "wishes": (wish,), "consents": (consent,), **fields})


async def test_a_correspondent_comes_back_as_it_was_and_changes_only_from_what_it_was(store: Store) -> None:
    assert await store.correspondent("n1") is None
    first, second = person(), person(wishes=(), asked=(NOON,), left_at=NOON)
    assert await store.keep_correspondent(first, expected=None)
    assert not await store.keep_correspondent(second, expected=None)
    assert await store.correspondent("n1") == first
    assert await store.keep_correspondent(second, expected=first)
    assert not await store.keep_correspondent(first, expected=first)
    await store.keep_correspondent(person("a0"), expected=None)
    assert [found.name for found in await store.correspondents()] == ["a0", "n1"]


async def test_of_two_who_change_a_correspondent_at_once_one_is_told(store: Store) -> None:
    await store.keep_correspondent(person(), expected=None)
    changes = [store.keep_correspondent(person(asked=(NOON,) * number), expected=person()) for number in (1, 2)]
    assert sorted(await asyncio.gather(*changes)) == [False, True]


async def test_erasing_a_place_leaves_nothing_of_it_but_what_is_said_and_others_as_they_were(store: Store) -> None:
    mine, other = "email:a@b.org", "email:c@d.org"
    for name, place in (("s1", mine), ("s2", other)):
        await store.add_subscription(make_subscription(name, place), make_change(address=place))
        await store.enqueue(make_delivery(name, address=place))
        await store.enqueue(make_delivery(name, DAY - timedelta(days=1), address=place, state=State.SENT))
        await store.mark(make_mark(person=place, place=place))
    await store.enqueue(make_delivery("older", DAY, address=mine, state=State.DEAD))
    await store.keep_correspondent(person(), expected=None)
    left = Correspondent("n1", blocked_at=NOON)
    assert await store.erase_place(mine, name="n1", left=left) == 1
    assert await store.correspondents() == [left]
    everything = [*await store.subscriptions(), *await store.changes(), *await store.marks()]
    everything += await store.deliveries_of_paper("2310.01234")
    assert mine not in str(everything)
    assert str(everything).count(other) >= 5
    assert await store.erase_place(mine, name="n1", left=None) == 0
    assert await store.correspondents() == []


async def test_a_place_that_was_erased_can_begin_anew(store: Store) -> None:
    await store.add_subscription(make_subscription("s1", "email:a@b.org"), make_change())
    await store.erase_place("email:a@b.org", name="n1", left=None)
    kept = await store.add_subscription(make_subscription("s9", "email:a@b.org"), make_change())
    await store.enqueue(make_delivery("s9", address="email:a@b.org"))
    assert kept.number == 1
    assert len(await store.open_deliveries()) == 1


async def test_the_newest_note_of_a_letter_counts_until_it_is_pruned(store: Store) -> None:
    assert await store.letter("s1/2026-10-01") is None
    await store.note_letter("s1/2026-10-01", "begun", NOON)
    await store.note_letter("s1/2026-10-01", "taken", NOON)
    await store.note_letter("s2/2026-10-01", "begun", NOON - timedelta(days=3))
    await store.prune(NOON - timedelta(days=1))
    assert await store.letter("s1/2026-10-01") == "taken"
    assert await store.letter("s2/2026-10-01") is None


async def test_a_fact_is_replaced_only_from_what_it_is_expected_to_be(store: Store) -> None:
    assert not await store.replace_fact("cursor", "2", expected="1")
    assert await store.replace_fact("cursor", "1", expected=None)
    assert not await store.replace_fact("cursor", "2", expected=None)
    assert await store.replace_fact("cursor", "2", expected="1")
    assert await store.fact("cursor") == "2"


async def test_of_many_who_change_a_fact_each_is_counted(store: Store) -> None:
    def one_more(kept: str | None) -> str:
        return str(int(kept or 0) + 1)

    await asyncio.gather(*(change_fact(store, "count", one_more) for _ in range(12)))
    assert await store.fact("count") == "12"
    assert await change_fact(store, "count", lambda _: None) == "12"
    assert await store.fact("count") == "12"


async def test_all_subscriptions_are_candidates_with_their_newest_deliveries(store: Store) -> None:
    for name in ("s1", "s2"):
        await store.add_subscription(make_subscription(name), make_change())
    await store.enqueue(make_delivery("s1", DAY - timedelta(days=1), due_at=NOON + timedelta(days=1)))
    await store.enqueue(make_delivery("s1", DAY, due_at=NOON - timedelta(hours=1)))
    found = {one.subscription.id: one for one in await store.candidates(NOON)}
    assert {name: one.last for name, one in found.items()} == {"s1": (DAY, NOON - timedelta(hours=1)), "s2": None}
    assert found["s1"].subscription == await store.subscription("s1")


async def test_who_was_put_off_is_a_candidate_again_at_the_latest_when_it_said(store: Store) -> None:
    await store.add_subscription(make_subscription("s1"), make_change())
    (candidate,) = await store.candidates(NOON)
    later = NOON + timedelta(hours=2)
    await store.put_off([(candidate, later)], NOON)
    assert [one.id for one in await store.expected(NOON, later)] == ["s1"]
    for now in (later, NOON - timedelta(seconds=1)):  # a clock that is behind trusts nobody who was ahead
        (again,) = await store.candidates(now)
        assert again.subscription == candidate.subscription


async def test_who_changed_is_a_candidate_however_long_it_was_put_off(store: Store) -> None:
    kept = await store.add_subscription(make_subscription("s1"), make_change())
    (seen,) = await store.candidates(NOON)
    await store.put_off([(seen, NOON + timedelta(days=2))], NOON)
    await store.replace_subscription(replace(kept, top=1), make_change())
    (changed,) = await store.candidates(NOON)
    assert changed.subscription.top == 1
    await store.put_off([(seen, NOON + timedelta(days=2))], NOON)  # by somebody who had not seen the change
    assert [one.subscription.top for one in await store.candidates(NOON)] == [1]


async def test_whose_deliveries_were_forgotten_is_a_candidate_again(store: Store) -> None:
    await store.add_subscription(make_subscription("s1", "slack:T1/C1", created_by="x"), make_change())
    await store.enqueue(make_delivery("s1", address="slack:T1/C0"))
    await store.put_off([(one, NOON + timedelta(days=2)) for one in await store.candidates(NOON)], NOON)
    await store.forget("slack:T1/C0")
    assert [one.last for one in await store.candidates(NOON)] == [None]


async def test_stopped_subscriptions_are_those_that_nobody_paused_by_hand(store: Store) -> None:
    for name, pause in (("b", Pause("gone", NOON, by_hand=False)), ("c", Pause("by Alice", NOON)), ("d", None)):
        await store.add_subscription(make_subscription(name, pause=pause), make_change())
    await store.add_subscription(make_subscription("a", pause=Pause("gone", NOON, by_hand=False)), make_change())
    assert [item.id for item in await store.stopped_subscriptions()] == ["a", "b"]


ODD_TEXTS = ("a\0b", "\0", "\1", "\1\1\2\0", "\x7f\u2028\ufeff", "👩‍👩‍👧 深度 \U0010ffff", "x" * 100_000)


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
async def test_any_text_that_unicode_has_comes_back_as_it_was(store: Store, text: str) -> None:
    kept = await store.add_subscription(make_subscription(text[:90], interests=text), make_change(text))
    await store.enqueue(make_delivery("s", shown=(Shown(text[:90], 1, text),), lacking=(text,), note=text))
    await store.set_fact(text[:90], text)
    assert await store.subscription(text[:90]) == kept
    assert kept.interests == text
    assert [change.what for change in await store.changes()] == [text]
    assert [found.note for found in await store.deliveries_of_paper(text[:90])] == [text]
    assert await store.shown_papers("slack:T1/C1", NOON) == frozenset({text[:90]})
    assert await store.fact(text[:90]) == text
    assert await store.kept_text(await store.keep_text(text)) == text


async def test_half_a_character_is_refused_in_one_sentence_and_changes_nothing(store: Store) -> None:
    if isinstance(store, MemoryStore):
        return  # memory keeps it, as it encodes nothing
    attempts: list[Callable[[str], Awaitable[object]]] = [
        lambda half: store.add_subscription(make_subscription(interests=half), make_change()),
        lambda half: store.enqueue(make_delivery(note=half)),
        lambda half: store.set_fact("name", half),
        store.keep_text,
        lambda half: store.mark(make_mark(person=half)),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError, match=r"half a character .* cannot be kept"):
            await attempt("a\ud800b")
    await store.set_fact("name", "whole")
    assert list(await store.subscriptions()) == list(await store.changes()) == list(await store.marks()) == []
    assert list(await store.open_deliveries()) == []
