"""EDGE. The small state as TinyDB tables: subscriptions, changes, marks, kept texts, facts.

Every public method is one write of the storage, or none. A removal of subscriptions also leaves the ids in `removals`
until their deliveries, which lie elsewhere, are forgotten too (see `embedded.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
from tinydb import where
from tinydb.table import Document, Table

from core.digests.subscription import Subscription
from core.errors import StoreError
from core.store import Change, Mark
from core.store.journal import JournalStorage

CHANGES_KEPT = 10_000
TEXTS_KEPT = 20_000
TEXTS_KEPT_FOR = timedelta(days=90)
_TOKEN_LENGTH = 16


class _Named(Table):
    """A table whose documents are known by names of ours instead of running numbers."""

    document_id_class: type[Any] = str

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document under its name, in place of the one before."""
        self.upsert(Document(document, doc_id=name))  # type: ignore[arg-type]  # TinyDB's types know numbers only

    def find(self, name: str) -> Mapping[str, Any] | None:
        """Return the document of a name."""
        return self.get(doc_id=name)  # type: ignore[call-overload, no-any-return]  # the same

    def cut(self, names: Collection[str]) -> int:
        """Forget documents by name; returns how many there were."""
        return len(self.remove(doc_ids=names)) if names else 0  # type: ignore[arg-type]  # the same


class Documents:
    """The tables and what can be done to them; not for use by two threads at once."""

    def __init__(self, storage: JournalStorage) -> None:
        self._storage = storage
        # TinyDB's query cache would keep what a batch found before it failed.
        self._subscriptions = _Named(storage, "subscriptions", cache_size=0)
        self._removals = _Named(storage, "removals", cache_size=0)
        self._marks = _Named(storage, "marks", cache_size=0)
        self._texts = _Named(storage, "texts", cache_size=0)
        self._facts = _Named(storage, "facts", cache_size=0)
        self._changes = Table(storage, "changes", cache_size=0)

    def subscriptions(self, address: str | None) -> list[Subscription]:
        """Return all subscriptions, or those of one place, by address and number."""
        found = self._subscriptions.all() if address is None else self._at(address)
        kept = [msgspec.convert(document, Subscription) for document in found]
        return sorted(kept, key=lambda subscription: (subscription.address, subscription.number))

    def subscription(self, identifier: str) -> Subscription | None:
        """Return one subscription by id."""
        document = self._subscriptions.find(identifier)
        return None if document is None else msgspec.convert(document, Subscription)

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
                self._subscriptions.cut(known)
                for identifier in known:
                    self._removals.put(identifier, {})
                self._note(change)
        return len(known)

    def removals(self) -> list[str]:
        """Return ids of removed subscriptions whose deliveries may still be there."""
        return [str(document.doc_id) for document in self._removals]

    def settle_removals(self, identifiers: Collection[str]) -> None:
        """Forget that they were removed."""
        self._removals.cut(identifiers)

    def changes(self, address: str | None) -> list[Change]:
        """Return the journal of changes, newest first."""
        found = self._changes.all() if address is None else self._changes.search(where("address") == address)
        return [msgspec.convert(document, Change) for document in reversed(found)]

    def mark(self, mark: Mark) -> bool:
        """Keep a mark, or take it back when it is set already."""
        name = _mark_name(mark)
        before = self._marks.find(name)
        if before is not None and before["kind"] == mark.kind:
            self._marks.cut([name])
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
        return sorted(found, key=lambda mark: mark.at)

    def keep_text(self, text: str, today: date) -> str:
        """Keep a text, or note that it was used today; returns its token."""
        token = text_token(text)
        document = {"text": text, "used": today.isoformat()}
        if self._texts.find(token) != document:
            with self._storage.batch():
                self._texts.put(token, document)
                self._texts.cut(self._stale_texts(today))
        return token

    def kept_text(self, token: str) -> str | None:
        """Return a kept text."""
        document = self._texts.find(token)
        return None if document is None else document["text"]

    def fact(self, name: str) -> str | None:
        """Return a small named fact."""
        document = self._facts.find(name)
        return None if document is None else document["value"]

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact."""
        self._facts.put(name, {"value": value})

    def _at(self, address: str) -> Sequence[Document]:
        return self._subscriptions.search(where("address") == address)

    def _note(self, change: Change) -> None:
        self._changes.insert(msgspec.to_builtins(change))
        if (surplus := len(self._changes) - CHANGES_KEPT) > 0:
            self._changes.remove(doc_ids=[document.doc_id for document in self._changes.all()[:surplus]])

    def _stale_texts(self, today: date) -> list[str]:
        oldest = (today - TEXTS_KEPT_FOR).isoformat()
        by_age = sorted(self._texts, key=lambda document: document["used"])
        surplus = len(by_age) - TEXTS_KEPT
        stale = (document for place, document in enumerate(by_age) if place < surplus or document["used"] < oldest)
        return [str(document.doc_id) for document in stale]


def text_token(text: str) -> str:
    """Return the name of a text: 16 characters of a-z and 2-7, 80 bits of its SHA-256."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:_TOKEN_LENGTH]


def _mark_name(mark: Mark) -> str:
    """Name what a mark is about: a vote is of a person, place and paper; a person saves a paper once, wherever."""
    group = [mark.place, "vote"] if mark.kind in {"up", "down"} else [mark.kind]
    return msgspec.json.encode([mark.person, mark.paper, *group]).decode()
