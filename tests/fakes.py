"""Stand-ins that behave as the real parts do; the contract tests hold them to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from core.clock import system_clock
from core.digests.subscription import Subscription
from core.errors import StoreError
from core.store import OPEN, Change, Delivery, Mark, Shown, State, Store, covers
from core.store.candidates import Candidate
from core.store.correspondents import Correspondent
from core.store.turns import Names, Turns

NOON = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
PAPER = "2310.01234"


def make_subscription(identifier: str = "s1", address: str = "slack:T1/C1", **fields: Any) -> Subscription:
    """A subscription with everything filled in; its number is the store's to give."""
    values: dict[str, Any] = {
        "interests": "diffusion models",
        "at": time(8),
        "timezone": "Europe/Berlin",
        "days": (0, 1, 2, 3, 4),
        "top": 5,
        "created_by": "slack:T1/U1",
        "created_at": NOON,
        "active_from": NOON,
    }
    return Subscription(id=identifier, address=address, number=0, **values | fields)


def make_delivery(subscription: str = "s1", day: date = TODAY, **fields: Any) -> Delivery:
    """A pending delivery of two papers."""
    values: dict[str, Any] = {
        "address": "slack:T1/C1",
        "state": State.PENDING,
        "due_at": NOON,
        "composed_at": NOON,
        "changed_at": NOON,
        "shown": (Shown(PAPER, 1, "matches *diffusion*"), Shown("math.GT/0309136", 2, "41 upvotes")),
        "message": '{"kind":"digest"}',
        "upto": 7,
    }
    return Delivery(subscription=subscription, day=day, **values | fields)


def make_change(what: str = "subscribed", address: str = "slack:T1/C1", at: datetime = NOON) -> Change:
    """A line for the journal of changes."""
    return Change(at, address, "slack:T1/U1", what)


def make_mark(kind: str = "up", **fields: Any) -> Mark:
    """A mark of one person in one place."""
    values = {"person": "slack:T1/U1", "place": "slack:T1/C1", "paper": PAPER, "at": NOON}
    return Mark(kind=kind, **values | fields)


async def read_whole(store: Store) -> dict[str, Any]:
    """All that a store holds, as far as its deliveries show PAPER, to compare one store with another."""
    return {
        "subscriptions": list(await store.subscriptions()),
        "changes": list(await store.changes()),
        "marks": list(await store.marks()),
        "open": list(await store.open_deliveries()),
        "deliveries": list(await store.deliveries_of_paper(PAPER)),
        "fact": await store.fact("fact"),
    }


class MemoryStore:
    """The Store port in memory."""

    def __init__(self, clock: Callable[[], datetime] = system_clock) -> None:
        self._clock = clock
        self._subscriptions: dict[str, Subscription] = {}
        self._changes: list[Change] = []
        self._deliveries: dict[tuple[str, date], Delivery] = {}
        self._marks: list[Mark] = []
        self._texts: dict[str, tuple[str, date]] = {}
        self._facts: dict[str, str] = {}
        self._sealed: dict[str, str] = {}
        self._correspondents: dict[str, Correspondent] = {}
        self._letters: dict[str, tuple[str, datetime]] = {}
        self._names = Names()
        self._turns = Turns()
        self.alone = self._turns.alone

    async def subscriptions(self, address: str | None = None) -> Sequence[Subscription]:
        found = [s for s in self._subscriptions.values() if address in (None, s.address)]
        return sorted(found, key=lambda s: (s.address, s.number))

    async def subscription(self, identifier: str) -> Subscription | None:
        return self._subscriptions.get(identifier)

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        subscriptions = await self.subscriptions()
        latest = await self.latest_deliveries([item.id for item in subscriptions])
        known = {name: (delivery.day, delivery.due_at) for name, delivery in latest.items()}
        return [Candidate(item, known.get(item.id)) for item in subscriptions]

    async def put_off(self, candidates: Sequence[tuple[Candidate, datetime]], now: datetime) -> None:
        """All of them are candidates each time."""

    async def expected(self, since: datetime, until: datetime) -> Sequence[Subscription]:
        return await self.subscriptions()

    async def stopped_subscriptions(self) -> Sequence[Subscription]:
        found = [s for s in self._subscriptions.values() if s.pause is not None and not s.pause.by_hand]
        return sorted(found, key=lambda s: s.id)

    async def add_subscription(self, subscription: Subscription, change: Change) -> Subscription:
        if subscription.id in self._subscriptions:
            raise StoreError(f"There is a subscription {subscription.id} already.")
        number = 1 + max([s.number for s in await self.subscriptions(subscription.address)], default=0)
        kept = self._subscriptions[subscription.id] = replace(subscription, number=number)
        self._note(change)
        return kept

    async def replace_subscription(self, subscription: Subscription, change: Change) -> None:
        if subscription.id not in self._subscriptions:
            raise StoreError(f"There is no subscription {subscription.id} any more.")
        self._subscriptions[subscription.id] = subscription
        self._note(change)

    async def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        known = set(identifiers) & set(self._subscriptions)
        for identifier in known:
            del self._subscriptions[identifier]
        for key, delivery in list(self._deliveries.items()):
            if delivery.subscription in known and delivery.state is State.PENDING and not delivery.parts:
                del self._deliveries[key]
        if known:
            self._note(change)
        return len(known)

    async def changes(self, address: str | None = None) -> Sequence[Change]:
        return [change for change in reversed(self._changes) if address in (None, change.address)]

    async def enqueue(self, delivery: Delivery) -> bool:
        key = (delivery.subscription, delivery.day)
        if key in self._deliveries:
            return False
        self._deliveries[key] = _without_sent_message(delivery)
        return True

    async def enqueue_first(self, delivery: Delivery, *, turn: str, since: datetime) -> bool:
        subscription = self._subscriptions.get(delivery.subscription)
        if subscription is None or subscription.pause is not None:
            return False
        shown, told = await self.shown_papers(delivery.address, since), await self.told(delivery.address, since)
        if self._turns.is_held(turn) or shown & {one.paper for one in delivery.shown} or told & set(delivery.told):
            return False
        return await self.enqueue(delivery)

    async def move(self, delivery: Delivery, *, expected: State) -> bool:
        before = self._deliveries.get((delivery.subscription, delivery.day))
        if before is None or before.state is not expected:
            return False
        self._deliveries[delivery.subscription, delivery.day] = _without_sent_message(delivery)
        return True

    async def open_deliveries(self, subscription: str | None = None) -> Sequence[Delivery]:
        known = self._deliveries.values()
        found = [one for one in known if one.state in OPEN and subscription in (None, one.subscription)]
        return sorted(found, key=lambda d: (d.due_at, d.subscription, d.day))

    async def latest_deliveries(self, subscriptions: Collection[str]) -> Mapping[str, Delivery]:
        by_day = sorted(self._deliveries.values(), key=lambda d: d.day)
        return {delivery.subscription: delivery for delivery in by_day if delivery.subscription in subscriptions}

    async def last_sent(self, subscription: str, before: date) -> Delivery | None:
        return max(
            (
                delivery
                for delivery in self._deliveries.values()
                if delivery.subscription == subscription and delivery.state is State.SENT and delivery.day < before
            ),
            key=lambda delivery: delivery.day,
            default=None,
        )

    async def sent_lacking(self, since: datetime) -> Sequence[Delivery]:
        found = [
            delivery
            for delivery in self._deliveries.values()
            if delivery.state is State.SENT and delivery.lacking and delivery.composed_at >= since
        ]
        return sorted(found, key=lambda delivery: (delivery.composed_at, delivery.subscription))

    async def delivery(self, subscription: str, day: date) -> Delivery | None:
        return self._deliveries.get((subscription, day))

    async def standing(self, subscription: str, day: date) -> tuple[Subscription | None, Delivery | None]:
        return await self.subscription(subscription), await self.delivery(subscription, day)

    async def deliveries_of_paper(self, paper: str, address: str | None = None) -> Sequence[Delivery]:
        found = [
            delivery
            for delivery in self._deliveries.values()
            if address in (None, delivery.address) and paper in {shown.paper for shown in delivery.shown}
        ]
        found.sort(key=lambda d: d.subscription)
        return sorted(found, key=lambda d: (d.composed_at, d.day), reverse=True)

    async def shown_papers(self, address: str, since: datetime) -> frozenset[str]:
        return frozenset(
            shown.paper
            for delivery in self._deliveries.values()
            if delivery.address == address and delivery.composed_at >= since
            if delivery.state is not State.DEAD or delivery.parts
            for shown in delivery.shown
        )

    async def told(self, address: str, since: datetime) -> frozenset[str]:
        return frozenset(
            name
            for delivery in self._deliveries.values()
            if delivery.address == address and delivery.composed_at >= since
            if delivery.state is not State.DEAD or delivery.parts
            for name in delivery.told
        )

    async def prune(self, before: datetime) -> int:
        self._letters = {key: letter for key, letter in self._letters.items() if letter[1] >= before}
        latest = await self.latest_deliveries(self._subscriptions)
        old = [
            key
            for key, delivery in self._deliveries.items()
            if delivery.state not in OPEN and delivery.composed_at < before
            if latest.get(delivery.subscription) != delivery
        ]
        for key in old:
            del self._deliveries[key]
        return len(old)

    async def mark(self, mark: Mark) -> bool:
        same = [old for old in self._marks if _about(old) == _about(mark)]
        self._marks = [old for old in self._marks if old not in same]
        if any(old.kind == mark.kind for old in same):
            return False
        self._marks.append(mark)
        return True

    async def marks(self, *, person: str | None = None, place: str | None = None) -> Sequence[Mark]:
        found = [mark for mark in self._marks if person in (None, mark.person) and place in (None, mark.place)]
        return sorted(found, key=lambda mark: (mark.at, mark.person, mark.place, mark.paper, mark.kind))

    async def keep_text(self, text: str) -> str:
        token = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._texts[token] = (text, self._clock().date())
        return token

    async def kept_text(self, token: str) -> str | None:
        text, used = self._texts.get(token, (None, date.min))
        return text if used >= self._clock().date() - timedelta(days=90) else None

    async def fact(self, name: str) -> str | None:
        return self._facts.get(name)

    async def set_fact(self, name: str, value: str) -> None:
        self._facts[name] = value

    async def replace_fact(self, name: str, value: str, *, expected: str | None) -> bool:
        if self._facts.get(name) != expected:
            return False
        self._facts[name] = value
        return True

    async def keep_sealed(self, name: str, sealed: str) -> None:
        self._sealed[name] = sealed

    async def replace_sealed(self, name: str, sealed: str, *, expected: str) -> bool:
        if self._sealed.get(name) != expected:
            return False
        self._sealed[name] = sealed
        return True

    async def sealed(self, name: str) -> str | None:
        return self._sealed.get(name)

    async def take_sealed(self, name: str) -> str | None:
        return self._sealed.pop(name, None)

    async def sealed_names(self, prefix: str) -> Sequence[str]:
        return sorted(name for name in self._sealed if name.startswith(prefix))

    async def forget(self, address: str) -> int:
        gone = {s.id for s in self._subscriptions.values() if covers(address, s.address)}
        self._subscriptions = {
            name: replace(s, created_by=s.address) if covers(address, s.created_by) else s
            for name, s in self._subscriptions.items()
            if name not in gone
        }
        self._deliveries = {key: d for key, d in self._deliveries.items() if not covers(address, d.address)}
        self._marks = [m for m in self._marks if not (covers(address, m.person) or covers(address, m.place))]
        self._changes = [c for c in self._changes if not (covers(address, c.person) or covers(address, c.address))]
        return len(gone)

    async def correspondents(self) -> Sequence[Correspondent]:
        return [self._correspondents[name] for name in sorted(self._correspondents)]

    async def correspondent(self, name: str) -> Correspondent | None:
        return self._correspondents.get(name)

    async def keep_correspondent(self, correspondent: Correspondent, *, expected: Correspondent | None) -> bool:
        if self._correspondents.get(correspondent.name) != expected:
            return False
        self._correspondents[correspondent.name] = correspondent
        return True

    async def erase_place(self, address: str, *, name: str, left: Correspondent | None) -> int:
        self._correspondents.pop(name, None)
        if left is not None:
            self._correspondents[name] = left
        return await self.forget(address)

    async def note_letter(self, key: str, step: str, at: datetime) -> None:
        self._letters[key] = (step, at)

    async def letter(self, key: str) -> str | None:
        step, _ = self._letters.get(key, (None, None))
        return step

    async def is_first(self, name: str, at: datetime) -> bool:
        return self._names.is_first(name, at)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _note(self, change: Change) -> None:
        self._changes = [*self._changes, change][-10_000:]


def _without_sent_message(delivery: Delivery) -> Delivery:
    return replace(delivery, message="") if delivery.state is State.SENT else delivery


def _about(mark: Mark) -> tuple[str, ...]:
    vote = mark.kind in {"up", "down"}
    return (mark.person, mark.paper, mark.place if vote else "", "vote" if vote else mark.kind)
