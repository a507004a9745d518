"""EDGE. The outbox in PostgreSQL: one row per (subscription, day), with the papers that it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from core.digests.subscription import Subscription
from core.store import Delivery, Shown, State
from core.store.postgres.asking import Asking, Row
from core.store.postgres.subscriptions import SELECT as SUBSCRIPTION
from core.store.postgres.subscriptions import read_subscription
from core.store.texts import oldest_use
from core.store.turns import KEPT_FOR

CHANGES_KEPT = 1_000_000
FORGOTTEN_AT_ONCE = 10_000

COLUMNS = (
    "subscription", "day", "address", "state", "due_at", "composed_at", "changed_at", "papers", "ranks", "reasons",
    "message", "upto", "not_before", "attempts", "parts", "note", "silence", "lacking", "told",
)  # fmt: skip
SELECT = f"SELECT {', '.join(f'd.{name}' for name in COLUMNS)} FROM deliveries d"
_PLACES = ", ".join(f"%({name})s" for name in COLUMNS)
_ENQUEUE = f"INSERT INTO deliveries ({', '.join(COLUMNS)}) VALUES ({_PLACES}) ON CONFLICT DO NOTHING"
# Asked as the second of one transaction: what it sees then is what was kept by whoever held the turn before.
_TRY_TURN = "SELECT set_config('paperboy.turn', pg_try_advisory_xact_lock(hashtextextended(%s, 3))::text, true)"
_ENQUEUE_FIRST = f"""
INSERT INTO deliveries ({", ".join(COLUMNS)}) SELECT {_PLACES}
WHERE current_setting('paperboy.turn') = 'true'
    AND EXISTS (SELECT FROM subscriptions WHERE id = %(subscription)s::text AND pause_reason IS NULL)
    AND NOT EXISTS (
        SELECT FROM deliveries WHERE address = %(address)s::text AND composed_at >= %(since)s::timestamptz
        AND NOT (state = 'dead' AND parts = '{{}}') AND (papers && %(papers)s::text[] OR told && %(told)s::text[])
    )
ON CONFLICT DO NOTHING RETURNING 1
"""
_MOVE = f"""
UPDATE deliveries SET {", ".join(f"{name} = %({name})s" for name in COLUMNS[2:])}
WHERE subscription = %(subscription)s AND day = %(day)s AND state = %(expected)s
"""
_OPEN = "state IN ('pending', 'sending', 'unknown')"
_ARRIVED = "NOT (state = 'dead' AND parts = '{}')"
_LATEST = """
CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE subscription = wanted ORDER BY day DESC LIMIT 1) AS d
"""
_PRUNE = f"""
DELETE FROM deliveries WHERE (subscription, day) IN (
    SELECT subscription, day FROM deliveries d
    WHERE state IN ('sent', 'dead') AND composed_at < %s AND NOT (
        EXISTS (SELECT FROM subscriptions WHERE id = d.subscription)
        AND day = (SELECT max(day) FROM deliveries newest WHERE newest.subscription = d.subscription)
    )
    LIMIT {FORGOTTEN_AT_ONCE}
)
"""
_PRUNE_CHANGES = f"DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - {CHANGES_KEPT}"


class Deliveries(Asking):
    """The part of the port that is about deliveries."""

    async def enqueue(self, delivery: Delivery) -> bool:
        """Keep a new delivery, unless its key has one; so it can be asked twice."""
        return await self._change(_ENQUEUE, row_values(delivery)) == 1

    async def enqueue_first(self, delivery: Delivery, *, turn: str, since: datetime) -> bool:
        """Keep a new delivery unless others came first, which the turn's lock and the rows tell; in one trip."""
        values = {**row_values(delivery), "since": since}
        _, kept = await self._together((_TRY_TURN, (turn,)), (_ENQUEUE_FIRST, values))
        return bool(kept)

    async def move(self, delivery: Delivery, *, expected: State) -> bool:
        """Replace a delivery that stands in `expected`.

        Whoever does not hear the answer does not know whether it was moved: asked again from another state it says no,
        and the courier settles what says that it is being sent.
        """
        return await self._change(_MOVE, {**row_values(delivery), "expected": expected.value}) == 1

    async def open_deliveries(self, subscription: str | None = None) -> Sequence[Delivery]:
        """Return what is not settled, oldest due first: all, or that of one subscription."""
        if subscription is not None:
            return await self._found(f"WHERE subscription = %s AND {_OPEN} ORDER BY due_at, day", subscription)
        return await self._found(f"WHERE {_OPEN} ORDER BY due_at, subscription, day")

    async def latest_deliveries(self, subscriptions: Collection[str]) -> Mapping[str, Delivery]:
        """Return the delivery with the newest day of each subscription that has one."""
        statement = SELECT.replace(" deliveries d", f" unnest(%s::text[]) AS wanted {_LATEST}")
        rows = await self._rows(statement, (list(subscriptions),))
        return {row[0]: read_delivery(row) for row in rows}

    async def last_sent(self, subscription: str, before: date) -> Delivery | None:
        """Return the newest delivery of a subscription that was sent for a day before `before`."""
        rest = "WHERE subscription = %s AND day < %s AND state = 'sent' ORDER BY day DESC LIMIT 1"
        return next(iter(await self._found(rest, subscription, before)), None)

    async def sent_lacking(self, since: datetime) -> Sequence[Delivery]:
        """Return sent deliveries composed since then that lacked a source, oldest first."""
        return await self._found(
            "WHERE state = 'sent' AND lacking <> '{}' AND composed_at >= %s ORDER BY composed_at, subscription", since
        )

    async def delivery(self, subscription: str, day: date) -> Delivery | None:
        """Return one delivery."""
        return next(iter(await self._found("WHERE subscription = %s AND day = %s", subscription, day)), None)

    async def standing(self, subscription: str, day: date) -> tuple[Subscription | None, Delivery | None]:
        """Return a subscription and its delivery of a date."""
        known, kept = await asyncio.gather(
            self._rows(f"{SUBSCRIPTION} WHERE id = %s", (subscription,)),
            self._rows(f"{SELECT} WHERE subscription = %s AND day = %s", (subscription, day)),
        )
        return (
            read_subscription(known[0]) if known else None,
            read_delivery(kept[0]) if kept else None,
        )

    async def deliveries_of_paper(self, paper: str, address: str | None = None) -> Sequence[Delivery]:
        """Return deliveries that showed a paper, newest first."""
        order = "ORDER BY composed_at DESC, day DESC, subscription"
        if address is None:
            return await self._found(f"WHERE papers @> ARRAY[%s] {order}", paper)
        return await self._found(f"WHERE papers @> ARRAY[%s] AND address = %s {order}", paper, address)

    async def shown_papers(self, address: str, since: datetime) -> frozenset[str]:
        """Return the papers of a place's deliveries composed since then; of dead ones, only if a part arrived."""
        return await self._names("papers", address, since)

    async def told(self, address: str, since: datetime) -> frozenset[str]:
        """Return what a place's deliveries composed since then told of known papers; of dead ones as above."""
        return await self._names("told", address, since)

    async def prune(self, before: datetime) -> int:
        """Forget old settled deliveries, old texts and notes of letters, and all but the newest million changes.

        Done in many steps, so that nobody waits long for it; asked twice, the second finds nothing.
        """
        await self._change("DELETE FROM letters WHERE at < %s", (before,))
        await self._change("DELETE FROM kept_texts WHERE used < %s", (oldest_use(self._clock().date()),))
        await self._change("DELETE FROM noted_names WHERE at < %s", (self._clock() - KEPT_FOR,))
        await self._change(_PRUNE_CHANGES)
        count = 0
        while step := await self._change(_PRUNE, (before,)):
            count += step
        return count

    async def _found(self, rest: str, *values: Any) -> list[Delivery]:
        return [read_delivery(row) for row in await self._rows(f"{SELECT} {rest}", values)]

    async def _names(self, column: str, address: str, since: datetime) -> frozenset[str]:
        rows = await self._rows(
            f"SELECT DISTINCT unnest({column}) FROM deliveries WHERE address = %s AND composed_at >= %s AND {_ARRIVED}",
            (address, since),
        )
        return frozenset(row[0] for row in rows)


def read_delivery(row: Row) -> Delivery:
    """Return the delivery that a row of the columns holds."""
    (subscription, day, address, state, due_at, composed_at, changed_at, papers, ranks, reasons, *others) = row
    message, upto, not_before, attempts, parts, note, silence, lacking, told = others
    return Delivery(
        subscription=subscription,
        day=day,
        address=address,
        state=State(state),
        due_at=due_at,
        composed_at=composed_at,
        changed_at=changed_at,
        shown=tuple(map(Shown, papers, ranks, reasons)),
        message=message,
        upto=upto,
        not_before=not_before,
        attempts=attempts,
        parts=tuple(parts),
        note=note,
        silence=silence,
        lacking=tuple(lacking),
        told=tuple(told),
    )


def row_values(delivery: Delivery) -> dict[str, Any]:
    """Return what the columns hold of a delivery."""
    names = set(COLUMNS) - {"papers", "ranks", "reasons"}
    return {
        **{name: getattr(delivery, name) for name in names},
        "state": delivery.state.value,
        "papers": [shown.paper for shown in delivery.shown],
        "ranks": [shown.rank for shown in delivery.shown],
        "reasons": [shown.why for shown in delivery.shown],
        "message": "" if delivery.state is State.SENT else delivery.message,
        "parts": list(delivery.parts),
        "lacking": list(delivery.lacking),
        "told": list(delivery.told),
    }
