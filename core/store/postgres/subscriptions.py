"""EDGE. Subscriptions and the journal of changes in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.digests.subscription import Pause, Subscription
from core.errors import StoreError
from core.store import Change
from core.store.candidates import Candidate
from core.store.postgres.asking import LOCK_PLACE, Asking, Row

CHANGES_TOLD = 10_000

_COLUMNS = (
    "id", "address", "number", "interests", "at", "timezone", "days", "top", "created_by", "created_at", "active_from",
    "when_ready", "weekly", "quiet", "no_repeats", "pause_reason", "pause_since", "pause_by_hand",
)  # fmt: skip
COLUMNS = ", ".join(_COLUMNS)
SELECT = f"SELECT {COLUMNS} FROM subscriptions"
_NEXT_NUMBER = "(SELECT coalesce(max(number), 0) + 1 FROM subscriptions WHERE address = %(address)s)"
_PLACES = ", ".join(_NEXT_NUMBER if name == "number" else f"%({name})s" for name in _COLUMNS)
_NOTE = """
    INSERT INTO changes (at, address, person, what)
    SELECT %(changed_at)s, %(changed_address)s, %(changed_by)s, %(what)s WHERE EXISTS (SELECT FROM kept)
"""
_ADD = f"""
WITH kept AS (
    INSERT INTO subscriptions ({COLUMNS})
    VALUES ({_PLACES})
    ON CONFLICT (id) DO NOTHING
    RETURNING number
), noted AS ({_NOTE})
SELECT number FROM kept
"""
_REPLACE = f"""
WITH kept AS (
    UPDATE subscriptions SET {", ".join(f"{name} = %({name})s" for name in _COLUMNS)}, look_at = '-infinity'
    WHERE id = %(id)s
    RETURNING id
), noted AS ({_NOTE})
SELECT id FROM kept
"""
_REMOVE = f"""
WITH kept AS (DELETE FROM subscriptions WHERE id = ANY(%(ids)s) RETURNING id),
waiting AS (
    DELETE FROM deliveries WHERE state = 'pending' AND parts = '{{}}' AND subscription IN (SELECT id FROM kept)
), noted AS ({_NOTE})
SELECT count(*) FROM kept
"""
_STAMP = "s.xmin::text"
"""The transaction that wrote the row last: https://www.postgresql.org/docs/16/ddl-system-columns.html"""
_CANDIDATES = f"""
SELECT {", ".join(f"s.{name}" for name in _COLUMNS)}, newest.day, newest.due_at, {_STAMP} FROM subscriptions s
LEFT JOIN LATERAL (
    SELECT day, due_at FROM deliveries WHERE subscription = s.id ORDER BY day DESC LIMIT 1
) AS newest ON true
WHERE s.look_at <= %(now)s OR s.looked_at > %(now)s
"""
# Whoever holds one of them is changing it, so that it is due to be looked at again.
_PUT_OFF = f"""
WITH free AS (
    SELECT s.id, given.look_at FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS given (id, stamp, look_at)
    JOIN subscriptions s ON s.id = given.id WHERE {_STAMP} = given.stamp
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE subscriptions s SET look_at = free.look_at, looked_at = %s FROM free WHERE s.id = free.id
"""


class Subscriptions(Asking):
    """The part of the port that is about subscriptions."""

    async def subscriptions(self, address: str | None = None) -> Sequence[Subscription]:
        """Return all subscriptions, or those of one place, by address and number."""
        where = "" if address is None else "WHERE address = %s"
        rows = await self._rows(f"{SELECT} {where} ORDER BY address, number", () if address is None else (address,))
        return [read_subscription(row) for row in rows]

    async def subscription(self, identifier: str) -> Subscription | None:
        """Return one subscription by id."""
        row = await self._row(f"{SELECT} WHERE id = %s", (identifier,))
        return None if row is None else read_subscription(row)

    async def candidates(self, now: datetime) -> Sequence[Candidate]:
        """Return those that were not put off beyond `now`, and those that were by a clock that was ahead of it."""
        rows = await self._rows(_CANDIDATES, {"now": now})
        return [Candidate(read_subscription(row), row[-3] and row[-3:-1], row[-1]) for row in rows]

    async def put_off(self, candidates: Sequence[tuple[Candidate, datetime]], now: datetime) -> None:
        """Note until when they are not due; those that have changed meanwhile stay candidates."""
        if candidates:
            names, stamps, instants = zip(
                *((one.subscription.id, one.stamp, at) for one, at in candidates), strict=True
            )
            await self._change(_PUT_OFF, (list(names), list(stamps), list(instants), now))

    async def expected(self, since: datetime, until: datetime) -> Sequence[Subscription]:
        """Return those that are to be looked at behind one instant and up to another."""
        rows = await self._rows(f"{SELECT} WHERE look_at > %s AND look_at <= %s", (since, until))
        return [read_subscription(row) for row in rows]

    async def stopped_subscriptions(self) -> Sequence[Subscription]:
        """Return those that are paused, but not by hand, by id."""
        return [read_subscription(row) for row in await self._rows(f"{SELECT} WHERE NOT pause_by_hand ORDER BY id")]

    async def add_subscription(self, subscription: Subscription, change: Change) -> Subscription:
        """Keep a new subscription under the next number of its place; asked twice, the second raises StoreError."""
        values = {**_values(subscription), **_values_of_change(change)}
        _, found = await self._together((LOCK_PLACE, (subscription.address,)), (_ADD, values))
        if not found:
            raise StoreError(f"There is a subscription {subscription.id} already.")
        return replace(subscription, number=found[0][0])

    async def replace_subscription(self, subscription: Subscription, change: Change) -> None:
        """Keep another state of a subscription; asked twice, the change is noted twice."""
        if not await self._changed(_REPLACE, {**_values(subscription), **_values_of_change(change)}):
            raise StoreError(f"There is no subscription {subscription.id} any more.")

    async def remove_subscriptions(self, identifiers: Collection[str], change: Change) -> int:
        """Forget subscriptions and their waiting deliveries; asked twice, the second finds none."""
        [(count,)] = await self._changed(_REMOVE, {"ids": list(identifiers), **_values_of_change(change)})
        return int(count)

    async def changes(self, address: str | None = None) -> Sequence[Change]:
        """Return the newest 10,000 changes, newest first."""
        where = "" if address is None else "WHERE address = %s"
        rows = await self._rows(
            f"SELECT at, address, person, what FROM changes {where} ORDER BY id DESC LIMIT {CHANGES_TOLD}",
            () if address is None else (address,),
        )
        return [Change(*row) for row in rows]


def read_subscription(row: Row) -> Subscription:
    """Return the subscription that begins a row of COLUMNS."""
    reason, since, by_hand = row[15:18]
    pause = None if reason is None else Pause(reason, since, by_hand)
    fields: Row = (*row[:6], tuple(row[6]), *row[7:15], pause)
    return Subscription(*fields)


def _values(subscription: Subscription) -> dict[str, Any]:
    pause = subscription.pause
    return {
        **{name: getattr(subscription, name) for name in _COLUMNS[:15]},
        "days": list(subscription.days),
        "pause_reason": pause and pause.reason,
        "pause_since": pause and pause.since,
        "pause_by_hand": pause and pause.by_hand,
    }


def _values_of_change(change: Change) -> dict[str, Any]:
    return {
        "changed_at": change.at,
        "changed_address": change.address,
        "changed_by": change.person,
        "what": change.what,
    }
