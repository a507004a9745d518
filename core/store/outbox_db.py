"""EDGE. Deliveries in SQLite: they outgrow what TinyDB does well (90 days of every subscription's digests).

One row per (subscription, day), the papers it showed beside it. WAL with synchronous=FULL: what is committed is on the
disk (https://www.sqlite.org/pragma.html#pragma_synchronous). `outbox_file.py` makes, opens and restores the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from core.errors import StoreError
from core.store import OPEN, Delivery, Shown, State
from core.store.outbox_file import FILE, open_for_reading, open_for_writing, renew_copy

_OPEN_STATES = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
_COLUMNS = (
    "subscription", "day", "address", "state", "due_at", "composed_at", "changed_at", "message", "upto", "not_before",
    "attempts", "parts", "note", "silence", "lacking", "told",
)  # fmt: skip
_SELECT = f"""
SELECT {", ".join(f"d.{column}" for column in _COLUMNS)},
    (SELECT json_group_array(json_array(s.position, s.paper, s.rank, s.why)) FROM shown s
     WHERE s.subscription = d.subscription AND s.day = d.day) AS shown
FROM deliveries d
"""  # noqa: S608 - the names are the constants above
_INSERT = f"INSERT INTO deliveries ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - same
_UPDATE = f"UPDATE deliveries SET {', '.join(f'{column} = ?' for column in _COLUMNS)}"  # noqa: S608 - the same


class Outbox:
    """The deliveries; for one thread, which is the one that opened it.

    Attributes:
        notices: one sentence for each file that was broken, and what became of it.

    Args:
        folder: where the file lies; it exists, unless it is only read.
        read_only: change nothing; a missing file is an empty outbox.
        stamp: goes into the name of a file that is set aside.

    Raises:
        StoreError: the file cannot be opened, or a newer program wrote it.
    """

    def __init__(self, folder: Path, *, read_only: bool = False, stamp: str = "") -> None:
        self._path = folder / FILE
        self.notices: tuple[str, ...] = ()
        with self._explained():
            if read_only:
                self._connection = open_for_reading(self._path)
            else:
                self._connection, self.notices = open_for_writing(self._path, stamp)
        self._connection.row_factory = sqlite3.Row

    def enqueue(self, delivery: Delivery) -> bool:
        """Keep a new delivery, unless its key has one."""
        with self._transaction() as database:
            inserted = database.execute(f"{_INSERT} ON CONFLICT DO NOTHING", _row(delivery)).rowcount == 1
            if inserted:
                _insert_shown(database, delivery)
        return inserted

    def move(self, delivery: Delivery, expected: State) -> bool:
        """Replace a delivery that stands in `expected`."""
        key = (delivery.subscription, delivery.day.isoformat())
        with self._transaction() as database:
            cursor = database.execute(
                f"{_UPDATE} WHERE subscription = ? AND day = ? AND state = ?", (*_row(delivery), *key, expected.value)
            )
            moved = cursor.rowcount == 1
            if moved:
                database.execute("DELETE FROM shown WHERE subscription = ? AND day = ?", key)
                _insert_shown(database, delivery)
        return moved

    def forget_waiting(self, subscriptions: Collection[str]) -> None:
        """Forget the deliveries of subscriptions that were not begun; of the others something may have arrived."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM deliveries WHERE state = 'pending' AND parts = '[]'"
                " AND subscription IN (SELECT value FROM json_each(?))",
                (json.dumps(list(subscriptions)),),
            )

    def forget_addresses(self, addresses: Collection[str]) -> None:
        """Forget all deliveries to these addresses; one that ends in `/` stands for all that begin so."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM deliveries WHERE EXISTS (SELECT 1 FROM json_each(?) WHERE address = value"
                " OR (value LIKE '%/' AND substr(address, 1, length(value)) = value))",
                (json.dumps(list(addresses)),),
            )

    def prune(self, before: datetime, known: Collection[str]) -> int:
        """Forget settled deliveries composed before then, but not the newest of each known subscription."""
        with self._transaction() as database:
            cursor = database.execute(
                f"DELETE FROM deliveries WHERE state NOT IN ({_OPEN_STATES}) AND composed_at < ?"  # noqa: S608 - constants
                " AND NOT (subscription IN (SELECT value FROM json_each(?)) AND day ="
                " (SELECT max(day) FROM deliveries newest WHERE newest.subscription = deliveries.subscription))",
                (_instant(before), json.dumps(list(known))),
            )
        return cursor.rowcount

    def open_deliveries(self, subscription: str | None = None) -> list[Delivery]:
        """Return what is not settled, oldest due first: all, or that of one subscription."""
        order = f"d.state IN ({_OPEN_STATES}) ORDER BY d.due_at, d.subscription, d.day"
        if subscription is not None:
            return self._select(f"WHERE d.subscription = ? AND {order}", subscription)
        return self._select(f"WHERE {order}")

    def latest_deliveries(self, subscriptions: Collection[str]) -> dict[str, Delivery]:
        """Return the delivery with the newest day of each subscription."""
        found = self._select(
            "JOIN (SELECT subscription, max(day) AS day FROM deliveries"
            " WHERE subscription IN (SELECT value FROM json_each(?)) GROUP BY subscription) AS newest"
            " ON newest.subscription = d.subscription AND newest.day = d.day",
            json.dumps(list(subscriptions)),
        )
        return {delivery.subscription: delivery for delivery in found}

    def latest_days(self, subscriptions: Collection[str]) -> dict[str, tuple[date, datetime]]:
        """Return the newest day of each subscription that has a delivery, and when that one was due."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT subscription, max(day), due_at FROM deliveries"  # SQLite takes due_at from the row of the max
                " WHERE subscription IN (SELECT value FROM json_each(?)) GROUP BY subscription",
                (json.dumps(list(subscriptions)),),
            )
            return {name: (date.fromisoformat(day), datetime.fromisoformat(due)) for name, day, due in rows}

    def last_sent(self, subscription: str, before: date) -> Delivery | None:
        """Return the newest delivery of a subscription that was sent for a day before `before`."""
        found = self._select(
            "WHERE d.subscription = ? AND d.day < ? AND d.state = 'sent' ORDER BY d.day DESC LIMIT 1",
            subscription,
            before.isoformat(),
        )
        return found[0] if found else None

    def sent_lacking(self, since: datetime) -> list[Delivery]:
        """Return sent deliveries composed since then that lacked a source, oldest first."""
        return self._select(
            "WHERE d.state = 'sent' AND d.lacking != '[]' AND d.composed_at >= ?"
            " ORDER BY d.composed_at, d.subscription",
            _instant(since),
        )

    def delivery(self, subscription: str, day: date) -> Delivery | None:
        """Return one delivery."""
        return next(iter(self._select("WHERE d.subscription = ? AND d.day = ?", subscription, day.isoformat())), None)

    def deliveries_of_paper(self, paper: str, address: str | None) -> list[Delivery]:
        """Return deliveries that showed a paper, newest first."""
        return self._select(
            "WHERE (d.subscription, d.day) IN (SELECT subscription, day FROM shown WHERE paper = ?)"
            " AND (? IS NULL OR d.address = ?) ORDER BY d.composed_at DESC, d.day DESC, d.subscription",
            paper,
            address,
            address,
        )

    def shown_papers(self, address: str, since: datetime) -> frozenset[str]:
        """Return the papers of a place's deliveries composed since then; of dead ones, only if a part arrived."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT DISTINCT s.paper FROM deliveries d JOIN shown s USING (subscription, day)"
                " WHERE d.address = ? AND d.composed_at >= ? AND NOT (d.state = 'dead' AND d.parts = '[]')",
                (address, _instant(since)),
            )
            return frozenset(row[0] for row in rows)

    def told(self, address: str, since: datetime) -> frozenset[str]:
        """Return what a place's deliveries composed since then told of known papers; of dead ones as above."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT told FROM deliveries WHERE address = ? AND composed_at >= ? AND told != '[]'"
                " AND NOT (state = 'dead' AND parts = '[]')",
                (address, _instant(since)),
            )
            return frozenset(name for row in rows for name in json.loads(row[0]))

    def copy(self) -> None:
        """Renew the copy from which a broken file is restored."""
        with self._explained():
            renew_copy(self._connection, self._path)

    def close(self) -> None:
        """Let go of the file."""
        with self._explained():
            self._connection.close()

    def _select(self, rest: str, *values: str | None) -> list[Delivery]:
        with self._explained():
            return [_delivery(row) for row in self._connection.execute(_SELECT + rest, values)]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                told = f"The disk that holds {self._path} is full or fails ({error}); free some space."
                raise StoreError(told) from error
            raise StoreError(f"{self._path} cannot be used: {error}.") from error
        except OSError as error:
            raise StoreError(f"{self._path} cannot be used: {error.strerror}.") from error


def _instant(moment: datetime) -> str:
    """Write an instant so that the order of the texts is the order in time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _row(delivery: Delivery) -> Sequence[Any]:
    return (
        delivery.subscription,
        delivery.day.isoformat(),
        delivery.address,
        delivery.state.value,
        _instant(delivery.due_at),
        _instant(delivery.composed_at),
        _instant(delivery.changed_at),
        "" if delivery.state is State.SENT else delivery.message,
        delivery.upto,
        None if delivery.not_before is None else _instant(delivery.not_before),
        delivery.attempts,
        json.dumps(delivery.parts),
        delivery.note,
        delivery.silence,
        json.dumps(delivery.lacking),
        json.dumps(delivery.told),
    )


def _insert_shown(database: sqlite3.Connection, delivery: Delivery) -> None:
    key = (delivery.subscription, delivery.day.isoformat())
    rows = [(*key, position, s.paper, s.rank, s.why) for position, s in enumerate(delivery.shown)]
    database.executemany("INSERT INTO shown VALUES (?, ?, ?, ?, ?, ?)", rows)


def _delivery(row: sqlite3.Row) -> Delivery:
    fields = dict(row)
    fields |= {name: json.loads(fields[name]) for name in ("parts", "lacking", "told")}
    fields["shown"] = [Shown(*rest) for _, *rest in sorted(json.loads(fields["shown"]))]
    return msgspec.convert(fields, Delivery)
