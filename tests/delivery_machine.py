"""Whatever dies, fails, jumps or is edited while digests go out: nothing twice or lost, no move but the known ones.

Each process works on the same store and the same platform through doors that close when it is killed, which happens
before or after any write; a killed process is followed by a new one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.chat.newsroom import Newsroom
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from core.delivery.recovery import Recovery
from core.digests.subscription import Pause
from core.errors import DeliveryError, DeliveryFailure, StoreError
from core.papers.calendar import Calendar
from core.search.engine import Engine
from core.settings import Settings
from core.store import ARROWS, DOUBTFUL_PART, OPEN, Delivery, State
from tests.fake_platform import FakePlatform
from tests.fakes import MemoryStore, make_change, make_subscription
from tests.inline_library import InlineLibrary
from tests.worlds import make_record

START = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)
PLACES = ("fake:C1", "fake:C2")
WRITES = {"enqueue", "move", "replace_subscription", "replace_fact", "set_fact", "add_subscription"}
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland")
FAILURES = (
    DeliveryError(DeliveryFailure.RETRY, "The platform asks to wait.", retry_after=40),
    DeliveryError(DeliveryFailure.RETRY, "The platform cannot be reached."),
    DeliveryError(DeliveryFailure.UNKNOWN, "The platform did not answer in time."),
    DeliveryError(DeliveryFailure.REVOKED, "The token is not accepted."),
    DeliveryError(DeliveryFailure.REJECTED, "The message is refused."),
    DeliveryError(DeliveryFailure.FORBIDDEN, "paperboy may not post there."),
    RuntimeError("a mistake of our own"),
)


class Killed(BaseException):
    """The end of a process; nothing of ours may catch it."""


class Fate:
    """What is in store for one process."""

    def __init__(self) -> None:
        self.alive = True
        self.deadly_write: int | None = None
        self.failing_write: int | None = None
        self.after = False

    def live(self) -> None:
        if not self.alive:
            raise Killed

    def strikes(self) -> bool:
        """Count a write; returns whether it is the one."""
        self.deadly_write = None if self.deadly_write is None else self.deadly_write - 1
        self.failing_write = None if self.failing_write is None else self.failing_write - 1
        return 0 in (self.deadly_write, self.failing_write)

    def strike(self) -> None:
        if self.failing_write == 0:
            self.failing_write = None
            raise StoreError("The disk is full.")
        self.alive = False
        raise Killed


class Door:
    """One process's way to the store or the platform."""

    def __init__(self, room: Any, fate: Fate) -> None:
        self._room, self._fate = room, fate

    def __getattr__(self, name: str) -> Any:
        inside = getattr(self._room, name)
        if not asyncio.iscoroutinefunction(inside):
            return inside

        async def pass_through(*args: Any, **named: Any) -> Any:
            self._fate.live()
            struck = name in WRITES and self._fate.strikes()
            if struck and not self._fate.after:
                self._fate.strike()
            result = await inside(*args, **named)
            if struck:
                self._fate.strike()
            self._fate.live()
            return result

        return pass_through


class Watched:
    """Remembers each move of each delivery, and each state that it ever was in; stands before the class of a store."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.moves: set[tuple[State | None, State]] = set()
        self.known: dict[str, Delivery] = {}

    async def enqueue(self, delivery: Delivery) -> bool:
        done = await super().enqueue(delivery)
        if done:
            self._saw(None, delivery)
        return done

    async def move(self, delivery: Delivery, *, expected: State) -> bool:
        done = await super().move(delivery, expected=expected)
        if done:
            self._saw(expected, delivery)
        return done

    def _saw(self, before: State | None, delivery: Delivery) -> None:
        self.moves.add((before, delivery.state))
        self.known[delivery.key] = delivery


class WatchedMemory(Watched, MemoryStore):
    """In memory."""


class DeliveryMachine(RuleBasedStateMachine):
    """Two places, up to three subscriptions to everything, and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = self.today = START
        self.store, self.platform, self.library = self.open_store(), FakePlatform(), InlineLibrary()
        self.papers = self.subscriptions = 0
        self.removed: set[str] = set()
        self.published: dict[str, datetime] = {}
        self.loop = self.runner.get_loop()
        self.loop.set_exception_handler(lambda _loop, _context: None)

    def open_store(self) -> Any:
        return WatchedMemory()

    @initialize()
    def begin(self) -> None:
        self.start()
        for place in PLACES:
            self.subscribe(place)
        self.publish(1)

    def move_on(self, time: timedelta) -> None:
        """Let time pass, for our clock (`now`, which may be wrong) and for the sources (`today`)."""
        self.now += time
        self.today += time

    # Processes

    def start(self) -> None:
        self.fate = Fate()
        self.doors = Door(self.store, self.fate), Door(self.platform, self.fate)
        store, platform = self.doors
        self.newsroom = Newsroom(
            library=self.library,
            engine=Engine(self.library),
            store=store,
            settings=Settings(),
            calendar=Calendar(),
        )
        self.courier = Courier(
            Carrier(store=store, platforms={"fake": platform}, clock=lambda: self.now, jitter=lambda: 0.5)
        )
        self.recovery = Recovery(store=store, newsroom=self.newsroom, platforms={"fake": platform})
        self.attempt(self.courier.recover())

    def attempt(self, work: Any) -> None:
        """Do something as the process would; a failing store costs the minute, a death the process."""

        async def do() -> None:
            try:
                await work
            except StoreError:
                pass
            except Killed:
                await self.courier.settled()
                self.loop.call_soon(lambda: None)

        self.runner.run(do())
        if not self.fate.alive:
            self.start()

    async def minute(self) -> None:
        store, _ = self.doors
        await fill_outbox(self.newsroom, store, self.now)
        for _ in range(4):
            await self.courier.drain()
            await self.courier.settled()
            self.fate.live()
        await self.recovery.round(self.now)

    # What happens

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        for _ in range(count):
            self.papers += 1
            identifier = f"2611.{self.papers:05}"
            record = make_record(identifier, f"Paper {self.papers}", day=self.today.date())
            self.runner.run(self.library.ingest([record], now=self.now))
            self.published[identifier] = self.today

    @rule(minutes=st.sampled_from([1, 5, 60, 60 * 7, 60 * 24, 60 * 24 * 4]))
    def pass_time(self, minutes: int) -> None:
        self.move_on(timedelta(minutes=minutes))
        self.attempt(self.minute())

    @rule(days=st.integers(1, 3))
    def wait_for_the_next_digest(self, days: int) -> None:
        self.move_on((self.now + timedelta(days=days)).replace(hour=8, minute=0) - self.now)
        self.attempt(self.minute())

    @rule(hours=st.sampled_from([-20, -5, -1, 0, 1, 5, 60]))
    def let_the_clock_be_wrong(self, hours: int) -> None:
        self.now = self.today + timedelta(hours=hours)
        self.attempt(self.minute())

    @rule(writes=st.integers(1, 7), after=st.booleans())
    def doom(self, writes: int, after: bool) -> None:
        self.fate.deadly_write, self.fate.after = writes, after

    @rule(writes=st.integers(1, 7), after=st.booleans())
    def fill_the_disk(self, writes: int, after: bool) -> None:
        self.fate.failing_write, self.fate.after = writes, after

    @rule(failures=st.lists(st.sampled_from([*FAILURES, None]), max_size=3))
    def fail(self, failures: list[Any]) -> None:
        self.platform.failures = failures

    @rule(parts=st.integers(1, 3))
    def lose_a_reply(self, parts: int) -> None:
        self.platform.lose_reply_after = parts

    @rule(failures=st.lists(st.sampled_from([error for error in FAILURES if isinstance(error, DeliveryError)])))
    def fail_to_look(self, failures: list[Any]) -> None:
        self.platform.find_failures = failures

    @rule(blind=st.booleans())
    def be_blind(self, blind: bool) -> None:
        self.platform.blind = blind

    @rule(place=st.sampled_from(PLACES), why=st.sampled_from([None, "The channel is archived.", *FAILURES[:2]]))
    def change_the_place(self, place: str, why: Any) -> None:
        self.platform.unreachable.pop(place, None)
        if why is not None:
            self.platform.unreachable[place] = why

    @precondition(lambda self: self.subscriptions < 5)
    @rule(place=st.sampled_from(PLACES))
    def subscribe(self, place: str) -> None:
        self.subscriptions += 1
        subscription = make_subscription(
            f"s{self.subscriptions}",
            place,
            interests="",
            timezone="UTC",
            days=tuple(range(7)),
            top=200,
            active_from=self.now,
            created_at=self.now,
            created_by="fake:alice",
        )
        self.runner.run(self.store.add_subscription(subscription, make_change()))

    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        if chosen := self.choose(data):
            self.removed.add(chosen.id)
            self.runner.run(self.store.remove_subscriptions([chosen.id], make_change("unsubscribed")))

    @rule(data=st.data(), zone=st.sampled_from(ZONES), hour=st.integers(0, 23), quiet=st.booleans())
    def edit(self, data: st.DataObject, zone: str, hour: int, quiet: bool) -> None:
        if chosen := self.choose(data):
            changed = replace(chosen, timezone=zone, at=time(hour), quiet=quiet)
            what = make_change(f"changed #{chosen.number}", chosen.address, self.now)
            self.runner.run(self.store.replace_subscription(changed, what))

    @rule(data=st.data())
    def pause_or_resume(self, data: st.DataObject) -> None:
        if chosen := self.choose(data):
            pause = Pause("by request", self.now) if chosen.pause is None else None
            changed = replace(chosen, pause=pause, active_from=chosen.active_from if pause else self.now)
            self.runner.run(self.store.replace_subscription(changed, make_change("paused or not")))

    def choose(self, data: st.DataObject) -> Any:
        kept = list(self.runner.run(self.store.subscriptions()))
        return data.draw(st.sampled_from(kept)) if kept else None

    # What holds

    @invariant()
    def no_part_is_there_twice(self) -> None:
        digests = [(post.address, post.key, post.part) for post in self.platform.posts]
        assert len(digests) == len(set(digests)), digests

    @invariant()
    def no_paper_is_shown_twice_at_a_place(self) -> None:
        shown = [
            (post.address, post.message.cards[post.part].paper) for post in self.platform.posts if post.message.cards
        ]
        assert len(shown) == len(set(shown)), shown

    @invariant()
    def deliveries_move_along_the_arrows_alone(self) -> None:
        assert self.store.moves <= ARROWS, self.store.moves - ARROWS

    @invariant()
    def what_is_given_up_has_a_reason(self) -> None:
        assert all(delivery.note for delivery in self.store.known.values() if delivery.state is State.DEAD)

    def teardown(self) -> None:
        try:
            self.heal()
            self.everything_ends_well()
        finally:
            self.runner.run(self.store.close())
            self.runner.run(self.library.close())
            self.runner.close()

    def heal(self) -> None:
        """Let all be well for some days."""
        self.platform.failures, self.platform.find_failures, self.platform.unreachable = [], [], {}
        self.platform.blind, self.platform.lose_reply_after = False, None
        self.fate.deadly_write = self.fate.failing_write = None
        self.open_at_peace = {key for key, delivery in self.store.known.items() if delivery.state in OPEN}
        self.publish(1)
        for _ in range(3 * 24):  # the clock may have been ahead by some days
            self.move_on(timedelta(hours=2))
            self.attempt(self.minute())

    def everything_ends_well(self) -> None:
        assert list(self.runner.run(self.store.open_deliveries())) == []
        for delivery in self.store.known.values():
            posted = [post.name for post in self.platform.posts if post.key == delivery.key]
            if delivery.state is State.SENT and delivery.note != "nothing to say, and quiet was asked for":
                assert posted == list(delivery.parts), delivery
            if delivery.state is State.DEAD and DOUBTFUL_PART not in delivery.parts:
                assert posted == list(delivery.parts), delivery
        self.nothing_is_lost()

    def nothing_is_lost(self) -> None:
        """Every paper that came while a place was subscribed is there, or in a digest of which nobody can know."""
        for subscription in self.runner.run(self.store.subscriptions()):
            if subscription.pause is not None:
                continue
            there = {
                post.message.cards[post.part].paper
                for post in self.platform.posts
                if post.address == subscription.address and post.message.cards
            }
            excused = {
                shown.paper
                for delivery in self.store.known.values()
                if delivery.address == subscription.address and self.is_excused(delivery, subscription.id)
                for shown in delivery.shown
            }
            created_on = subscription.created_at.date()
            due = {paper for paper, at in self.published.items() if at.date() >= created_on}
            assert due <= there | excused, (subscription, due - there - excused)

    def is_excused(self, delivery: Delivery, subscription: str) -> bool:
        """Whether its papers may be missing: perhaps they arrived, or another subscription's first digest had them."""
        begun = any(
            other.subscription == delivery.subscription and other.state is State.SENT and other.day < delivery.day
            for other in self.store.known.values()
        )
        of_another = delivery.subscription != subscription
        return bool(delivery.parts) or delivery.subscription in self.removed or (of_another and not begun)
