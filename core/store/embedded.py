"""EDGE. The Store of one machine: files in one folder, one process, one thread that writes.

    paperboy.lock, paperboy.pid     who owns the folder (folder.py)
    state-*.json, state-*.journal   subscriptions, changes, marks, kept texts, facts: TinyDB (documents.py, journal.py)
    deliveries.sqlite3              the outbox: SQLite (outbox_db.py, outbox_file.py)

All work on files (files.py) runs in a thread of its own, one call after the other, so the event loop never waits for a
disk; a caller who is cancelled does not stop what it began.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from core.clock import Clock, system_clock
from core.digests.subscription import Subscription
from core.errors import StoreError
from core.spelling import NO_TEXT
from core.store import Change, Delivery, Mark, State
from core.store.candidates import Candidate
from core.store.correspondents import Correspondent
from core.store.files import Files
from core.store.generations import FORMAT
from core.store.journal import JOURNAL_BOUND, Disk
from core.store.turns import Names, Turns

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class EmbeddedStore:
    """The Store port on the files of one folder; see the port for what each method promises.

    Attributes:
        notices: one sentence for each file that was found broken on opening, and what became of it.
    """

    def __init__(self, files: Files, thread: ThreadPoolExecutor) -> None:
        self._files, self._thread, self._closed = files, thread, False
        self.notices: tuple[str, ...] = files.notices
        self._names = Names()
        self._turns = Turns()
        self.alone = self._turns.alone

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        read_only: bool = False,
        clock: Clock = system_clock,
        journal_bound: int = JOURNAL_BOUND,
        disk: Disk | None = None,
    ) -> EmbeddedStore:
        """Open the store of a data folder; without `read_only` this process owns the folder until `close`.

        Args:
            folder: made where it is missing, unless it is only read.
            read_only: see the state as it is now, also while another process owns the folder; nothing is changed.
            clock: dates kept texts and the names of files that are set aside.
            journal_bound: bytes of journal after which the state is written anew.
            disk: the calls that change files, for tests.

        Raises:
            StoreBusy: another process owns the folder.
            StoreError: the folder or a file in it cannot be used.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

        def open_files() -> Files:
            return Files(folder, read_only=read_only, clock=clock, journal_bound=journal_bound, disk=disk)

        opening = thread.submit(open_files)
        try:
            return cls(await asyncio.shield(asyncio.wrap_future(opening)), thread)
        except BaseException:
            thread.submit(_close_opened, opening)
            thread.shutdown(wait=False)
            raise

    async def subscriptions(self, address: str | None = None) -> Sequence[Subscription]:
        """Return all subscriptions, or those of one place, by address and number."""
        return await self._run(self._files.documents.subscriptions, address)

    async def subscription(self, identifier: str) -> Subscription | None:
        """Return one subscription by id."""
        return await self._run(self._files.documents.subscription, identifier)

    async def candidates(self, now: datetime) -> Sequence[Candidate]:  # noqa: ARG002 - all of them may be due
        """Return all subscriptions: one machine's are read quickly."""
        return await self._run(self._files.candidates)

    async def put_off(self, candidates: Sequence[tuple[Candidate, datetime]], now: datetime) -> None:
        """Forget it at once."""

    async def expected(self, since: datetime, until: datetime) -> Sequence[Subscription]:  # noqa: ARG002 - as above
        """Return all subscriptions."""
        return await self.subscriptions()

    async def stopped_subscriptions(self) -> Sequence[Subscription]:
        """Return the subscriptions that are paused, but not by hand, by id."""
        return await self._run(self._files.documents.stopped_subscriptions)

    async def add_subscription(self, subscription: Subscription, change: Change) -> Subscription:
        """Keep a new subscription under the next number of its place; StoreError when its id is taken."""
        return await self._run(self._files.documents.add_subscription, subscription, change)

    async def replace_subscription(self, subscription: Subscription, change: Change) -> None:
        """Keep another state of a subscription; StoreError when there is none."""
        await self._run(self._files.documents.replace_subscription, subscription, change)

    async def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        """Forget subscriptions and their waiting deliveries; the change is noted when there was one at all."""
        return await self._run(self._files.remove_subscriptions, identifiers, change)

    async def changes(self, address: str | None = None) -> Sequence[Change]:
        """Return the newest 10,000 changes, newest first."""
        return await self._run(self._files.documents.changes, address)

    async def enqueue(self, delivery: Delivery) -> bool:
        """Keep a new delivery; False when its (subscription, day) has one."""
        return await self._run(lambda: self._files.changing_outbox().enqueue(delivery))

    async def enqueue_first(self, delivery: Delivery, *, turn: str, since: datetime) -> bool:
        """Keep a new delivery, unless its place was shown something of it meanwhile or somebody is alone with it."""
        if self._turns.is_held(turn):
            return False
        return await self._run(self._files.enqueue_first, delivery, since)

    async def move(self, delivery: Delivery, *, expected: State) -> bool:
        """Replace a delivery that stands in `expected`; False otherwise."""
        return await self._run(lambda: self._files.changing_outbox().move(delivery, expected))

    async def open_deliveries(self, subscription: str | None = None) -> Sequence[Delivery]:
        """Return deliveries that are not settled, oldest due first: all, or those of one subscription."""
        return await self._run(lambda: self._files.outbox().open_deliveries(subscription))

    async def latest_deliveries(self, subscriptions: Collection[str]) -> Mapping[str, Delivery]:
        """Return the delivery with the newest day of each subscription that has one."""
        return await self._run(lambda: self._files.outbox().latest_deliveries(subscriptions))

    async def last_sent(self, subscription: str, before: date) -> Delivery | None:
        """Return the newest delivery of a subscription that was sent for a day before `before`."""
        return await self._run(lambda: self._files.outbox().last_sent(subscription, before))

    async def sent_lacking(self, since: datetime) -> Sequence[Delivery]:
        """Return sent deliveries composed since then that lacked a source, oldest first."""
        return await self._run(lambda: self._files.outbox().sent_lacking(since))

    async def delivery(self, subscription: str, day: date) -> Delivery | None:
        """Return one delivery."""
        return await self._run(lambda: self._files.outbox().delivery(subscription, day))

    async def standing(self, subscription: str, day: date) -> tuple[Subscription | None, Delivery | None]:
        """Return a subscription and its delivery of a date."""
        found = self._files
        return await self._run(
            lambda: (found.documents.subscription(subscription), found.outbox().delivery(subscription, day))
        )

    async def deliveries_of_paper(self, paper: str, address: str | None = None) -> Sequence[Delivery]:
        """Return deliveries that showed a paper, newest first."""
        return await self._run(lambda: self._files.outbox().deliveries_of_paper(paper, address))

    async def shown_papers(self, address: str, since: datetime) -> frozenset[str]:
        """Return papers that a place was shown, or is about to be, in deliveries composed since then."""
        return await self._run(lambda: self._files.outbox().shown_papers(address, since))

    async def told(self, address: str, since: datetime) -> frozenset[str]:
        """Return what a place was told of known papers, or is about to be, in deliveries composed since then."""
        return await self._run(lambda: self._files.outbox().told(address, since))

    async def prune(self, before: datetime) -> int:
        """Forget old settled deliveries, and renew the copy from which broken deliveries are restored."""
        return await self._run(self._files.prune, before)

    async def mark(self, mark: Mark) -> bool:
        """Keep a mark or take it back; a paper is saved once by a person, whatever the place."""
        return await self._run(self._files.documents.mark, mark)

    async def marks(self, *, person: str | None = None, place: str | None = None) -> Sequence[Mark]:
        """Return marks, oldest first."""
        return await self._run(self._files.documents.marks, person, place)

    async def keep_text(self, text: str) -> str:
        """Keep a text for 90 days after its last use, 20,000 at most; returns its token."""
        return await self._run(lambda: self._files.documents.keep_text(text, self._files.clock().date()))

    async def kept_text(self, token: str) -> str | None:
        """Return a kept text."""
        return await self._run(lambda: self._files.documents.kept_text(token, self._files.clock().date()))

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""
        return await self._run(self._files.documents.fact, name)

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""
        await self._run(self._files.documents.set_fact, name, value)

    async def replace_fact(self, name: str, value: str, *, expected: str | None) -> bool:
        """Keep a fact that is `expected` now; False where it is another."""
        return await self._run(self._files.documents.replace_fact, name, value, expected)

    async def keep_sealed(self, name: str, sealed: str) -> None:
        """Keep a sealed text."""
        await self._run(self._files.documents.keep_sealed, name, sealed)

    async def replace_sealed(self, name: str, sealed: str, *, expected: str) -> bool:
        """Keep a sealed text in place of the one that is expected there."""
        return await self._run(self._files.documents.replace_sealed, name, sealed, expected)

    async def sealed(self, name: str) -> str | None:
        """Return a sealed text."""
        return await self._run(self._files.documents.sealed, name)

    async def take_sealed(self, name: str) -> str | None:
        """Return a sealed text and forget it."""
        return await self._run(self._files.documents.take_sealed, name)

    async def sealed_names(self, prefix: str) -> Sequence[str]:
        """Return the names of sealed texts that begin so."""
        return await self._run(self._files.documents.sealed_names, prefix)

    async def forget(self, address: str) -> int:
        """Forget all about an address, or about those that begin so; decided by one line of the journal."""
        return await self._run(self._files.forget, address)

    async def correspondents(self) -> Sequence[Correspondent]:
        """Return everybody who is, was or must not be written to by mail, by name."""
        return await self._run(self._files.documents.correspondents)

    async def correspondent(self, name: str) -> Correspondent | None:
        """Return one by the keyed hash of the address."""
        return await self._run(self._files.documents.correspondent, name)

    async def keep_correspondent(self, correspondent: Correspondent, *, expected: Correspondent | None) -> bool:
        """Keep another state of one that stands as `expected`; False otherwise."""
        return await self._run(self._files.documents.keep_correspondent, correspondent, expected)

    async def erase_place(self, address: str, *, name: str, left: Correspondent | None) -> int:
        """Forget a place wholly, its deliveries too."""
        return await self._run(self._files.erase_place, address, name, left)

    async def note_letter(self, key: str, step: str, at: datetime) -> None:
        """Note how far a delivery has come on its way to a mail server."""
        await self._run(self._files.documents.note_letter, key, step, at)

    async def letter(self, key: str) -> str | None:
        """Return what was noted last of a delivery."""
        return await self._run(self._files.documents.letter, key)

    async def is_first(self, name: str, at: datetime) -> bool:
        """Whether a name comes up for the first time; it is forgotten when this process ends."""
        return self._names.is_first(name, at)

    async def close(self) -> None:
        """Let go of files and lock, after what was begun has ended."""
        if self._closed:
            return
        closing = self._run(self._files.close)
        self._closed = True
        try:
            await closing
        finally:
            self._thread.shutdown(wait=False)

    def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """Do the work in the store's thread; whoever stops waiting for it does not stop it."""
        if self._closed:
            raise StoreError("The store is closed.")
        loop = asyncio.get_running_loop()

        def run() -> _T:
            try:
                return work(*args, **kwargs)
            except UnicodeEncodeError as error:
                raise StoreError(NO_TEXT) from error

        return asyncio.shield(loop.run_in_executor(self._thread, run))


def _close_opened(opening: Future[Files]) -> None:
    if opening.exception() is None:
        opening.result().close()


async def migrate(folder: Path) -> int:
    """Bring the files of a data folder to this version, and return it.

    Raises:
        StoreBusy: another process owns the folder.
        StoreError: a newer program wrote them, or they cannot be used.
    """
    store = await EmbeddedStore.open(folder)
    await store.close()
    return FORMAT
