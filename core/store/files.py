"""EDGE. The files of one data folder, opened together, and what touches more than one of them; for one thread.

Two changes touch both databases: removing subscriptions, and forgetting an address. Either is decided by one line of
the journal, and deliveries are forgotten before anything looks at them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from core.clock import Clock
from core.errors import StoreError
from core.store import Change, Delivery
from core.store.candidates import Candidate
from core.store.correspondents import Correspondent
from core.store.documents import Documents
from core.store.folder import FolderLock
from core.store.journal import Disk, JournalStorage
from core.store.outbox_db import Outbox

_log = logging.getLogger(__name__)


class Files:
    """The opened files of one folder; for one thread."""

    def __init__(self, folder: Path, *, read_only: bool, clock: Clock, journal_bound: int, disk: Disk | None) -> None:
        self.read_only, self.clock = read_only, clock
        with ExitStack() as opened:
            if not read_only:
                opened.callback(FolderLock(folder).release)
            self._storage = JournalStorage(folder, read_only=read_only, bound=journal_bound, disk=disk, now=clock)
            opened.callback(self._storage.close)
            self.documents = Documents(self._storage)
            self._outbox = Outbox(folder, read_only=read_only, stamp=f"{clock():%Y%m%dT%H%M%SZ}")
            opened.callback(self._outbox.close)
            self._opened = opened.pop_all()
        self.notices = self._storage.notices + self._outbox.notices

    def outbox(self) -> Outbox:
        """Return the deliveries, after the waiting ones of removed subscriptions were forgotten."""
        if not self.read_only and (removed := self.documents.removals()):
            self._outbox.forget_waiting(removed)
            self.documents.settle_removals(removed)
        if not self.read_only and (forgotten := self.documents.forgotten()):
            self._outbox.forget_addresses(forgotten)
            self.documents.settle_forgotten(forgotten)
        return self._outbox

    def changing_outbox(self) -> Outbox:
        """Return the deliveries to someone who changes them."""
        if self.read_only:
            raise StoreError("This store was opened for reading only.")
        return self.outbox()

    def enqueue_first(self, delivery: Delivery, since: datetime) -> bool:
        """Keep a delivery unless its place had a paper or news of it since, or is paused; returns whether it did."""
        outbox, subscription = self.changing_outbox(), self.documents.subscription(delivery.subscription)
        return (
            subscription is not None
            and subscription.pause is None
            and outbox.shown_papers(delivery.address, since).isdisjoint(shown.paper for shown in delivery.shown)
            and outbox.told(delivery.address, since).isdisjoint(delivery.told)
            and outbox.enqueue(delivery)
        )

    def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        """Remove subscriptions with their waiting deliveries; returns how many there were."""
        count = self.documents.remove_subscriptions(identifiers, change)
        try:
            self.outbox()
        except StoreError as error:  # the removal stands in the journal; whoever uses the outbox next finishes it
            _log.warning("%s Deliveries of removed subscriptions are forgotten later.", error)
        return count

    def forget(self, address: str) -> int:
        """Remove all that is kept about a place; returns how many subscriptions it had."""
        return self._finish_forgetting(self.documents.forget(address))

    def erase_place(self, address: str, name: str, left: Correspondent | None) -> int:
        """Remove all that is kept about a place, and what is known of its reader but what is left."""
        return self._finish_forgetting(self.documents.erase_place(address, name, left))

    def _finish_forgetting(self, count: int) -> int:
        try:
            self.outbox()
        except StoreError as error:  # as above
            _log.warning("%s Deliveries that are to be forgotten are forgotten later.", error)
        return count

    def candidates(self) -> list[Candidate]:
        """Return all subscriptions, each with the day of its newest delivery."""
        subscriptions = self.documents.subscriptions(None)
        latest = self.outbox().latest_days([subscription.id for subscription in subscriptions])
        return [Candidate(item, latest.get(item.id)) for item in subscriptions]

    def prune(self, before: datetime) -> int:
        """Forget deliveries and letters from before an instant; returns how many deliveries."""
        self.documents.prune_letters(before)
        outbox = self.changing_outbox()
        count = outbox.prune(before, [subscription.id for subscription in self.documents.subscriptions(None)])
        outbox.copy()
        return count

    def close(self) -> None:
        """Close them, and let the folder go."""
        self._opened.close()
