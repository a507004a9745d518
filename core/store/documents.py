"""EDGE. The small state as TinyDB tables: subscriptions, changes, marks, texts, facts, what is sealed.

Every public method is one write of the storage, or none. A removal of subscriptions also leaves the ids in `removals`
until their deliveries, which lie elsewhere, are forgotten too (see `embedded.py`); `forgotten` does so for addresses.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime

import msgspec
from tinydb import where
from tinydb.table import Document

from core.digests.subscription import Subscription
from core.errors import StoreError
from core.store import Change, Mark, covers
from core.store.correspondents import Correspondent
from core.store.journal import JournalStorage
from core.store.tables import Log, NamedTable, Shelf
from core.store.texts import oldest_use, text_token

CHANGES_KEPT = 10_000
TEXTS_KEPT_A_PART = 20_000 // 32


class Documents:
    """The tables and what can be done to them; not for use by two threads at once."""

    def __init__(self, storage: JournalStorage) -> None:
        self._storage = storage
        self._subscriptions = Shelf(storage, "subscriptions")
        self._marks = Shelf(storage, "marks")
        self._texts = Shelf(storage, "texts")
        self._facts = NamedTable(storage, "facts")
        self._removals = NamedTable(storage, "removals")
        self._changes = Log(storage, "changes", CHANGES_KEPT)
        self._sealed = NamedTable(storage, "sealed")
        self._forgotten = NamedTable(storage, "forgotten")
        self._correspondents = Shelf(storage, "correspondents")
        self._letters = Shelf(storage, "letters")

    def subscriptions(self, address: str | None) -> list[Subscription]:
        """Return all subscriptions, or those of one place, by address and number."""
        found = self._subscriptions if address is None else self._at(address)
        kept = [msgspec.convert(document, Subscription) for document in found]
        return sorted(kept, key=lambda subscription: (subscription.address, subscription.number))

    def subscription(self, identifier: str) -> Subscription | None:
        """Return one subscription by id."""
        document = self._subscriptions.find(identifier)
        return None if document is None else msgspec.convert(document, Subscription)

    def stopped_subscriptions(self) -> list[Subscription]:
        """Return those that are paused, but not by hand, by id."""
        found = [msgspec.convert(document, Subscription) for document in self._subscriptions if document["pause"]]
        return sorted((item for item in found if item.pause and not item.pause.by_hand), key=lambda item: item.id)

    def add_subscription(self, subscription: Subscription, change: Change) -> Subscription:
        """Keep a new subscription under the next number of its place."""
        if self._subscriptions.find(subscription.id) is not None:
            raise StoreError(f"There is a subscription {subscription.id} already.")
        number = 1 + max((document["number"] for document in self._at(subscription.address)), default=0)
        kept = replace(subscription, number=number)
        with self._storage.batch():
            self._subscriptions.put(kept.id, msgspec.to_builtins(kept))
            self._note(change)
        return kept

    def replace_subscription(self, subscription: Subscription, change: Change) -> None:
        """Keep another state of a subscription."""
        if self._subscriptions.find(subscription.id) is None:
            raise StoreError(f"There is no subscription {subscription.id} any more.")
        with self._storage.batch():
            self._subscriptions.put(subscription.id, msgspec.to_builtins(subscription))
            self._note(change)

    def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        """Forget subscriptions, and note that their deliveries are to be forgotten; returns how many there were."""
        known = [identifier for identifier in set(identifiers) if self._subscriptions.find(identifier) is not None]
        if known:
            with self._storage.batch():
                for identifier in known:
                    self._subscriptions.cut(identifier)
                    self._removals.put(identifier, {})
                self._note(change)
        return len(known)

    def removals(self) -> list[str]:
        """Return ids of removed subscriptions, and erased addresses, whose deliveries may still be there."""
        return self._removals.names()

    def settle_removals(self, identifiers: Collection[str]) -> None:
        """Forget that they were removed."""
        self._removals.cut(identifiers)

    def changes(self, address: str | None) -> list[Change]:
        """Return the journal of changes, newest first."""
        return [
            msgspec.convert(document, Change)
            for document in self._changes.newest_first()
            if address in (None, document["address"])
        ]

    def mark(self, mark: Mark) -> bool:
        """Keep a mark, or take it back when it is set already."""
        name = mark_name(mark)
        before = self._marks.find(name)
        if before is not None and before["kind"] == mark.kind:
            self._marks.cut(name)
            return False
        self._marks.put(name, msgspec.to_builtins(mark))
        return True

    def marks(self, person: str | None, place: str | None) -> list[Mark]:
        """Return marks, oldest first."""
        found = [
            msgspec.convert(document, Mark)
            for document in self._marks
            if person in (None, document["person"]) and place in (None, document["place"])
        ]
        return sorted(found, key=lambda mark: (mark.at, mark.person, mark.place, mark.paper, mark.kind))

    def keep_text(self, text: str, today: date) -> str:
        """Keep a text, or note that it was used today; returns its token."""
        token = text_token(text)
        document = {"text": text, "used": today.isoformat()}
        if self._texts.find(token) != document:
            with self._storage.batch():
                self._texts.put(token, document)
                _cut_stale(self._texts.part(token), today)
        return token

    def kept_text(self, token: str, today: date) -> str | None:
        """Return a kept text that was used in the last 90 days."""
        document = self._texts.find(token)
        return None if document is None or document["used"] < _oldest(today) else document["text"]

    def fact(self, name: str) -> str | None:
        """Return a small named fact."""
        document = self._facts.find(name)
        return None if document is None else document["value"]

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""
        self._facts.put(name, {"value": value})

    def replace_fact(self, name: str, value: str, expected: str | None) -> bool:
        """Keep a fact that is as expected."""
        if self.fact(name) != expected:
            return False
        self.set_fact(name, value)
        return True

    def keep_sealed(self, name: str, sealed: str) -> None:
        """Keep a sealed text."""
        self._sealed.put(name, {"text": sealed})

    def replace_sealed(self, name: str, sealed: str, expected: str) -> bool:
        """Keep a sealed text in place of the one that is expected there; returns whether it was."""
        if self.sealed(name) != expected:
            return False
        self.keep_sealed(name, sealed)
        return True

    def sealed(self, name: str) -> str | None:
        """Return a sealed text."""
        document = self._sealed.find(name)
        return None if document is None else document["text"]

    def take_sealed(self, name: str) -> str | None:
        """Return a sealed text and forget it."""
        text = self.sealed(name)
        if text is not None:
            self._sealed.cut([name])
        return text

    def sealed_names(self, prefix: str) -> list[str]:
        """Return the names of sealed texts that begin so."""
        return sorted(name for name in self._sealed.names() if name.startswith(prefix))

    def forget(self, address: str) -> int:
        """Forget all about an address here, and note that its deliveries are to be forgotten."""
        with self._storage.batch():
            return self._forget(address)

    def _forget(self, address: str) -> int:
        """Do so within a batch."""
        gone, left = [], []
        for document in self._subscriptions:
            if covers(address, document["address"]):
                gone.append(str(document.doc_id))
            elif covers(address, document["created_by"]):
                left.append(document)
        for name in gone:
            self._subscriptions.cut(name)
        for document in left:
            self._subscriptions.put(str(document.doc_id), {**document, "created_by": document["address"]})
        for mark in [mark for mark in self._marks if _is_of(address, mark, "person", "place")]:
            self._marks.cut(str(mark.doc_id))
        self._changes.cut(lambda change: _is_of(address, change, "person", "address"))
        self._forgotten.put(address, {})
        return len(gone)

    def forgotten(self) -> list[str]:
        """Return the addresses whose deliveries may still be there."""
        return self._forgotten.names()

    def settle_forgotten(self, addresses: Collection[str]) -> None:
        """Forget that they were forgotten."""
        self._forgotten.cut(addresses)

    def correspondents(self) -> list[Correspondent]:
        """Return everybody who is known by mail, by name."""
        found = [msgspec.convert(document, Correspondent) for document in self._correspondents]
        return sorted(found, key=lambda correspondent: correspondent.name)

    def correspondent(self, name: str) -> Correspondent | None:
        """Return one."""
        document = self._correspondents.find(name)
        return None if document is None else msgspec.convert(document, Correspondent)

    def keep_correspondent(self, correspondent: Correspondent, expected: Correspondent | None) -> bool:
        """Keep another state of one that stands as expected."""
        if self.correspondent(correspondent.name) != expected:
            return False
        self._correspondents.put(correspondent.name, msgspec.to_builtins(correspondent))
        return True

    def erase_place(self, address: str, name: str, left: Correspondent | None) -> int:
        """Forget all about an address as `forget` does, and its correspondent."""
        with self._storage.batch():
            if left is None:
                self._correspondents.cut(name)
            else:
                self._correspondents.put(name, msgspec.to_builtins(left))
            return self._forget(address)

    def note_letter(self, key: str, step: str, at: datetime) -> None:
        """Note how far a delivery has come."""
        self._letters.put(key, {"step": step, "at": at.isoformat()})

    def letter(self, key: str) -> str | None:
        """Return what was noted last."""
        document = self._letters.find(key)
        return None if document is None else document["step"]

    def prune_letters(self, before: datetime) -> None:
        """Forget the notes from before then."""
        old = [document for document in self._letters if datetime.fromisoformat(document["at"]) < before]
        with self._storage.batch():
            for document in old:
                self._letters.cut(str(document.doc_id))

    def _at(self, address: str) -> Sequence[Document]:
        return self._subscriptions.search(where("address") == address)

    def _note(self, change: Change) -> None:
        self._changes.append(msgspec.to_builtins(change))


def _is_of(address: str, document: Document, *keys: str) -> bool:
    return any(covers(address, document[key]) for key in keys)


def _oldest(today: date) -> str:
    return oldest_use(today).isoformat()


def _cut_stale(part: NamedTable, today: date) -> None:
    """Forget the texts of one part that are too old, and the least used of too many."""
    by_age = sorted(part, key=lambda document: document["used"])
    surplus = len(by_age) - TEXTS_KEPT_A_PART
    stale = (document for place, document in enumerate(by_age) if place < surplus or document["used"] < _oldest(today))
    part.cut([str(document.doc_id) for document in stale])


def mark_name(mark: Mark) -> str:
    """Name what a mark is about: a vote is of a person, place and paper; a person saves a paper once, wherever."""
    group = [mark.place, "vote"] if mark.kind in {"up", "down"} else [mark.kind]
    return msgspec.json.encode([mark.person, mark.paper, *group]).decode()
