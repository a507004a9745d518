"""The state that must not be lost, behind one port.

Every method is atomic: after it returned, a kill -9 or a power cut loses nothing of it; when it raises, nothing of it
was kept. All raise StoreError. All instants are aware and in UTC.

The outbox holds one Delivery per (subscription, local date):

    pending ──claim──> sending ──┬─ accepted ──────────────> sent      (composed and claimed at once where it can be)
       ^                         ├─ surely not taken ──────> pending (with `not_before`) or dead
       └──────── not there ──────┴─ reply lost, crash ─────> unknown ── found ──> sent
                                                                     └─ nobody can look ──> dead

`ARROWS` says the same as data. A dead digest of today whose place can be posted to again is queued anew, and
so is one that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from core.digests.subscription import Subscription
from core.store.candidates import Candidate
from core.store.correspondents import Correspondent


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DEAD = "dead"


DOUBTFUL_PART = "?"
"""Stands among the parts of a dead delivery that may have arrived, which nobody could look up."""

OPEN = frozenset({State.PENDING, State.SENDING, State.UNKNOWN})

ARROWS = frozenset(
    {
        (None, State.PENDING),  # queued
        (None, State.SENDING),  # queued and claimed at once, by whoever is to post it
        (None, State.SENT),  # nothing to say, and quiet was asked for
        (State.PENDING, State.SENDING),  # claimed, just before the call
        (State.PENDING, State.DEAD),  # a later digest covers it
        (State.SENDING, State.SENDING),  # one part more has arrived
        (State.SENDING, State.SENT),  # accepted
        (State.SENDING, State.PENDING),  # surely not taken; again later
        (State.SENDING, State.UNKNOWN),  # reply lost, or paperboy stopped
        (State.SENDING, State.DEAD),  # refused for good, or given up
        (State.UNKNOWN, State.UNKNOWN),  # looking failed; again later
        (State.UNKNOWN, State.SENT),  # found where it was sent
        (State.UNKNOWN, State.PENDING),  # surely not there, or not all of it
        (State.UNKNOWN, State.DEAD),  # nobody can look, so never again
        (State.SENT, State.SENT),  # completed, when a source came back
        (State.DEAD, State.PENDING),  # its place is back, and its day is not over; or somebody asks for it
        (State.DEAD, State.SENT),  # the same, with nothing to say
    }
)
"""From which state a delivery goes to which; None is before it was kept."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One paper of a digest.

    Attributes:
        paper: its id.
        rank: its place in the digest, 1 is the first.
        why: the reason that was shown.
    """

    paper: str
    rank: int
    why: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One digest on its way, or arrived.

    Attributes:
        subscription: id of the subscription.
        day: the local date it is for; (subscription, day) is the key.
        address: where it goes.
        state: where it stands.
        due_at: when it was due.
        shown: its papers, in order; empty for an explained silence.
        message: the composed message as JSON, until it is sent; empty afterwards.
        upto: the library's listing sequence that it covers; the next digest begins behind it.
        composed_at: when it was composed.
        changed_at: when it last changed its state.
        not_before: not to be tried before this.
        attempts: how often it was tried.
        parts: receipts of the parts that arrived, in order (a long digest is several messages).
        note: the last failure, or how an unknown was settled.
        silence: the reason that was told instead of papers.
        lacking: names of the sources that did not answer when it was composed.
        told: names of what it tells of papers that are known already (see `core.papers.happenings`).
    """

    subscription: str
    day: date
    address: str
    state: State
    due_at: datetime
    composed_at: datetime
    changed_at: datetime
    shown: tuple[Shown, ...] = ()
    message: str = ""
    upto: int = 0
    not_before: datetime | None = None
    attempts: int = 0
    parts: tuple[str, ...] = ()
    note: str = ""
    silence: str = ""
    lacking: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The delivery's name for the outside: `subscription/YYYY-MM-DD`."""
        return f"{self.subscription}/{self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person thinks of a paper: `up`, `down` or `saved`.

    Attributes:
        person: address of the person.
        place: address of the place where it was said.
    """

    person: str
    place: str
    paper: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the journal of changes to a place: who did what, when."""

    at: datetime
    address: str
    person: str
    what: str


def covers(address: str, other: str) -> bool:
    """Whether `forget(address)` forgets what is kept about another address."""
    return other.startswith(address) if address.endswith("/") else other == address


class Store(Protocol):
    """Where subscriptions, deliveries, marks and small facts are kept."""

    async def subscriptions(self, address: str | None = None) -> Sequence[Subscription]:
        """Return all subscriptions, or those of one place, by address and number."""

    async def subscription(self, identifier: str) -> Subscription | None:
        """Return one subscription by id."""

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        """Return the subscriptions that may be due at `now`, and perhaps others, in no order."""

    async def put_off(self, candidates: Sequence[tuple[Candidate, datetime]], now: datetime) -> None:
        """Note that these are not due before an instant each, unless something about them changes, as seen at `now`.

        It may be forgotten. What a clock says that is ahead does not count for one that is right.
        """

    async def expected(self, since: datetime, until: datetime) -> Sequence[Subscription]:
        """Return the subscriptions that may become due behind one instant and up to another, and perhaps others."""

    async def stopped_subscriptions(self) -> Sequence[Subscription]:
        """Return the subscriptions that are paused, but not by hand, by id."""

    async def add_subscription(self, subscription: Subscription, change: Change) -> Subscription:
        """Keep a new subscription; its `number` is set to the next free one of its place. Returns it as kept."""

    async def replace_subscription(self, subscription: Subscription, change: Change) -> None:
        """Keep another state of a subscription with the same id; StoreError when there is none."""

    async def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        """Forget subscriptions, and their deliveries that were not begun; returns how many there were.

        What was begun is settled, so that the place's other subscriptions know what it was shown.
        """

    async def changes(self, address: str | None = None) -> Sequence[Change]:
        """Return the journal of changes, newest first."""

    async def enqueue(self, delivery: Delivery) -> bool:
        """Keep a new delivery; False, and nothing done, when its (subscription, day) already has one."""

    async def enqueue_first(self, delivery: Delivery, *, turn: str, since: datetime) -> bool:
        """Keep a new delivery that was composed without being `alone` with its place, unless others came first.

        False, and nothing done, where its key has one, its place was shown one of its papers or told one of its news
        meanwhile, its subscription is gone or paused, or somebody is alone with the place. It can be asked twice.

        Args:
            delivery: as it is to stand: claimed by whoever is to post it, or as `enqueue` takes it.
            turn: the name with which one is alone with the place.
            since: what the place was shown in deliveries composed before then does not count.
        """

    async def move(self, delivery: Delivery, *, expected: State) -> bool:
        """Replace the delivery with the same key if it stands in `expected`; False, and nothing done, otherwise."""

    async def open_deliveries(self, subscription: str | None = None) -> Sequence[Delivery]:
        """Return deliveries that are pending, sending or unknown, oldest due first: all, or those of one."""

    async def latest_deliveries(self, subscriptions: Collection[str]) -> Mapping[str, Delivery]:
        """Return the delivery with the newest day of each subscription that has one (whatever its state)."""

    async def last_sent(self, subscription: str, before: date) -> Delivery | None:
        """Return the newest delivery of a subscription that was sent for a day before `before`."""

    async def sent_lacking(self, since: datetime) -> Sequence[Delivery]:
        """Return sent deliveries composed since then that lacked a source, oldest first."""

    async def delivery(self, subscription: str, day: date) -> Delivery | None:
        """Return one delivery."""

    async def standing(self, subscription: str, day: date) -> tuple[Subscription | None, Delivery | None]:
        """Return a subscription and its delivery of a date, both as they stand at one moment."""

    async def deliveries_of_paper(self, paper: str, address: str | None = None) -> Sequence[Delivery]:
        """Return deliveries that showed a paper, newest first."""

    async def shown_papers(self, address: str, since: datetime) -> frozenset[str]:
        """Return ids of the papers that a place was shown (or is about to be) in deliveries composed since then."""

    async def told(self, address: str, since: datetime) -> frozenset[str]:
        """Return names of what a place was told of known papers (or is about to be) in deliveries composed since."""

    async def prune(self, before: datetime) -> int:
        """Forget settled deliveries composed before then, save a kept subscription's newest; returns how many."""

    async def mark(self, mark: Mark) -> bool:
        """Keep a mark; the same again takes it back; `up` and `down` replace each other. Returns whether it is set."""

    async def marks(self, *, person: str | None = None, place: str | None = None) -> Sequence[Mark]:
        """Return marks, oldest first."""

    async def keep_text(self, text: str) -> str:
        """Keep a text that is too long for a button; returns a token of up to 16 characters, equal for equal texts."""

    async def kept_text(self, token: str) -> str | None:
        """Return a kept text, or None when it was pruned or never kept."""

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""

    async def replace_fact(self, name: str, value: str, *, expected: str | None) -> bool:
        """Keep a fact that is `expected` now (None: not at all); False, and nothing done, where it is another."""

    async def keep_sealed(self, name: str, sealed: str) -> None:
        """Keep a text that its owner has encrypted, in place of the one of that name."""

    async def replace_sealed(self, name: str, sealed: str, *, expected: str) -> bool:
        """Keep another sealed text in place of `expected`; False, and nothing done, where that is not there."""

    async def sealed(self, name: str) -> str | None:
        """Return a sealed text."""

    async def take_sealed(self, name: str) -> str | None:
        """Return a sealed text and forget it; of several who take one, one gets it."""

    async def sealed_names(self, prefix: str) -> Sequence[str]:
        """Return the names of the sealed texts that begin so, in order."""

    async def forget(self, address: str) -> int:
        """Forget all that is kept about an address, or, where it ends in `/`, about every address that begins so.

        That is: subscriptions there, deliveries to it, marks of or at it, lines of the journal about it or by it; as
        the maker of subscriptions elsewhere it is replaced by their place. Returns how many subscriptions there were.
        """

    async def correspondents(self) -> Sequence[Correspondent]:
        """Return everybody who is, was or must not be written to by mail, by name."""

    async def correspondent(self, name: str) -> Correspondent | None:
        """Return one by the keyed hash of the address."""

    async def keep_correspondent(self, correspondent: Correspondent, *, expected: Correspondent | None) -> bool:
        """Keep another state of one that stands as `expected` (None: not at all); False, and nothing done, else."""

    async def erase_place(self, address: str, *, name: str, left: Correspondent | None) -> int:
        """Forget an address as `forget` does, and in the same write the correspondent of that name.

        What is `left` of the correspondent is kept in its stead. Returns how many subscriptions there were.
        """

    async def note_letter(self, key: str, step: str, at: datetime) -> None:
        """Note how far has come what must not be done twice, in place of what was noted before.

        As a delivery on its way to a mail server, or what was posted below a digest.
        """

    async def letter(self, key: str) -> str | None:
        """Return what was noted last of that; None when nothing was, or its notes are pruned (see `prune`)."""

    def alone(self, name: str) -> AbstractAsyncContextManager[None]:
        """Return what only one of all that use this store, in whatever process, can hold at a time; others wait.

        Whoever holds it and dies lets go. It guards against doing work twice; what must not happen twice is guarded
        by the states of what is kept.
        """

    async def is_first(self, name: str, at: datetime) -> bool:
        """Whether nobody has asked this about a name before; of several who ask at a time, one is the first.

        Names are forgotten after a day, and may be when nobody uses the store for a moment.
        """

    async def close(self) -> None:
        """Let go of files and locks; the store is not used afterwards."""
