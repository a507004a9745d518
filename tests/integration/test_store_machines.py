"""Any sequence of writes leaves in each store what it leaves in memory: reopenings, crashes and full disks included."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.delivery.outbox import due_subscriptions
from core.errors import StoreError
from core.store import State, Store
from core.store.embedded import EmbeddedStore
from core.store.generations import journal_path, list_generations
from core.store.journal import Disk
from core.store.postgres import PostgresStore
from tests.fakes import NOON, TODAY, MemoryStore, make_change, make_delivery, make_mark, make_subscription, read_whole
from tests.servers.postgres import emptied

NAMES = st.sampled_from(["a", "b", "c", "d"])
PLACES = st.sampled_from(["slack:T1/C1", "discord:1"])
STATES = st.sampled_from(list(State))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
DAYS = st.integers(0, 3).map(lambda days: TODAY + timedelta(days=days))


class FullDisk(Disk):
    """A disk that takes a part of a line, where it is told so."""

    room: int | None = None

    def write(self, descriptor: int, data: bytes) -> None:
        if self.room is None:
            super().write(descriptor, data)
            return
        super().write(descriptor, data[: self.room])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class StoreMachine(RuleBasedStateMachine):
    """A store and the one in memory, side by side."""

    crashes = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model = MemoryStore()

    def both(self, ask: Callable[[Store], Awaitable[Any]]) -> None:
        """Do the same to both, and compare what they say to it."""
        assert self.told(ask, self.store) == self.told(ask, self.model)

    def told(self, ask: Callable[[Store], Awaitable[Any]], store: Store) -> Any:
        async def answer() -> Any:
            try:
                return await ask(store)
            except StoreError:
                return StoreError

        return self.loop.run_until_complete(answer())

    @rule(address=st.sampled_from(["slack:T1/", "slack:T1/C1", "slack:T1/U1", "discord:1"]))
    def forget(self, address: str) -> None:
        self.both(lambda store: store.forget(address))

    @rule(name=NAMES, text=NAMES)
    def seal(self, name: str, text: str) -> None:
        self.both(lambda store: store.keep_sealed(name, text))
        self.both(lambda store: store.sealed_names(""))

    @rule(name=NAMES)
    def take(self, name: str) -> None:
        self.both(lambda store: store.take_sealed(name))

    @rule(name=NAMES, place=PLACES)
    def add(self, name: str, place: str) -> None:
        self.both(lambda store: store.add_subscription(make_subscription(name, place), make_change(name, place)))

    @rule(name=NAMES, top=st.integers(1, 20))
    def replace(self, name: str, top: int) -> None:
        async def edit(store: Store) -> None:
            kept = await store.subscription(name) or make_subscription(name)
            await store.replace_subscription(replace(kept, top=top), make_change("edited"))

        self.both(edit)

    @rule(names=st.sets(NAMES))
    def remove(self, names: set[str]) -> None:
        self.both(lambda store: store.remove_subscriptions(names, make_change("removed")))

    @rule(name=NAMES, day=DAYS, state=STATES, hours=st.integers(-3, 3))
    def enqueue(self, name: str, day: Any, state: State, hours: int) -> None:
        moment = NOON + timedelta(hours=hours)
        self.both(lambda store: store.enqueue(make_delivery(name, day, state=state, composed_at=moment, due_at=moment)))

    @rule(name=NAMES, day=DAYS, expected=STATES, state=STATES, papers=st.sampled_from([(), ("x",)]))
    def move(self, name: str, day: Any, expected: State, state: State, papers: tuple[str, ...]) -> None:
        self.both(lambda store: store.move(make_delivery(name, day, state=state, parts=papers), expected=expected))

    @rule(hours=st.integers(-3, 4))
    def prune(self, hours: int) -> None:
        self.both(lambda store: store.prune(NOON + timedelta(hours=hours)))

    @rule(kind=st.sampled_from(["up", "down", "saved"]), place=PLACES, paper=NAMES, minutes=st.integers(0, 9))
    def mark(self, kind: str, place: str, paper: str, minutes: int) -> None:
        mark = make_mark(kind, place=place, paper=paper, at=NOON + timedelta(hours=self.crashes, minutes=minutes))
        self.both(lambda store: store.mark(mark))

    @rule(value=TEXTS)
    def set_fact(self, value: str) -> None:
        self.both(lambda store: store.set_fact("fact", value))

    @invariant()
    def holds_the_same(self) -> None:
        self.both(read_whole)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()


class EmbeddedMachine(StoreMachine):
    """Files, that are opened again after whatever may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.disk = FullDisk()

    @property
    def folder(self) -> Path:
        return self.root / str(self.crashes)

    @initialize()
    def open(self) -> None:
        # So small a journal begins a new generation with almost every write.
        self.store = self.loop.run_until_complete(EmbeddedStore.open(self.folder, journal_bound=900, disk=self.disk))
        assert self.store.notices == ()

    @rule()
    def reopen(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.open()

    @rule(torn=st.binary(max_size=60).filter(lambda data: b"\n" not in data))
    def crash(self, torn: bytes) -> None:
        """Go on with the files as they lie, and a line that was being written."""
        before = self.folder
        self.crashes += 1
        shutil.copytree(before, self.folder, ignore=shutil.ignore_patterns("paperboy.*"))
        self.loop.run_until_complete(self.store.close())
        shutil.rmtree(before)
        newest = journal_path(self.folder, list_generations(self.folder, "journal")[-1])
        newest.write_bytes(newest.read_bytes() + torn)
        self.open()

    @rule(room=st.integers(0, 200), name=NAMES)
    def fill_the_disk(self, room: int, name: str) -> None:
        """Try writes that find no room; the invariant sees that nothing of them stays."""
        self.disk.room = room
        for write in (
            lambda: self.store.set_fact("fact", "never kept"),
            lambda: self.store.add_subscription(make_subscription(f"{name} new"), make_change("never kept")),
        ):
            assert self.told(lambda _, write=write: write(), self.store) is StoreError
        self.disk.room = None

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.root)


class PostgresMachine(StoreMachine):
    """Two processes' stores by turns, on one database that a test has named, while time goes on and clocks jump."""

    url = ""

    @initialize()
    def open(self) -> None:
        emptied(self.url)
        self.now = NOON
        self.store, self.other = [self.loop.run_until_complete(PostgresStore.open(self.url, size=1)) for _ in range(2)]

    @rule()
    def let_the_other_go_on(self) -> None:
        self.store, self.other = self.other, self.store

    @rule(name=NAMES, hour=st.integers(0, 23), days=st.sampled_from([(), (0, 3), tuple(range(7))]), ready=st.booleans())
    def edit(self, name: str, hour: int, days: tuple[int, ...], ready: bool) -> None:
        zone = ("UTC", "Asia/Tokyo", "America/New_York")[hour % 3]

        async def edit(store: Store) -> None:
            kept = await store.subscription(name) or make_subscription(name)
            changed = replace(kept, at=time(hour), timezone=zone, days=days, when_ready=ready)
            await store.replace_subscription(changed, make_change("edited"))

        self.both(edit)

    @rule(hours=st.sampled_from([0, 1, 5, 24, 100]), wrong=st.sampled_from([-30, 0, 0, 30]), queued=st.integers(0, 3))
    def look_what_is_due(self, hours: int, wrong: int, queued: int) -> None:
        """Compare what is due, by a clock that may be wrong, and queue some of it."""
        self.now += timedelta(hours=hours)
        now = self.now + timedelta(hours=wrong)
        self.both(lambda store: due_subscriptions(store, now))
        for due in self.told(lambda store: due_subscriptions(store, now), self.model)[:queued]:
            delivery = make_delivery(due.subscription.id, due.day, due_at=due.at, composed_at=now)
            self.both(lambda store, delivery=delivery: store.enqueue(delivery))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.other.close())
        super().teardown()


# Each step syncs files, so making a failure small would take minutes; what is told is the failure as it was found.
QUICKLY = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
EmbeddedMachine.TestCase.settings = QUICKLY
PostgresMachine.TestCase.settings = QUICKLY
TestEmbeddedMachine = EmbeddedMachine.TestCase


class TestPostgresMachine(PostgresMachine.TestCase):
    @pytest.fixture(autouse=True)
    def database(self, database_url: str) -> None:
        PostgresMachine.url = database_url
