"""EDGE. How the store asks the database: one statement a trip, or several in one, kept all or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from core.asker import Asker
from core.clock import Clock
from core.database import Database
from core.errors import StoreError

Values: TypeAlias = Sequence[Any] | Mapping[str, Any]
Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, Values]
_Question: TypeAlias = Asker[Statement, list[Row]]

MOMENT = 3
"""Turns of the event loop: some for those who ask several things through tasks of their own."""
LOCK_PLACE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))"
LOCK_MARK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))"


class Asking:
    """What all parts of the store stand on.

    Args:
        database: an open pool; each statement is a transaction of its own.
        clock: dates kept texts.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: list[_Question] = []
        self._trips: set[asyncio.Task[None]] = set()

    async def _rows(self, statement: str, values: Values = ()) -> list[Row]:
        """Return what a question finds. Questions that are asked in one moment go in one trip."""
        question: _Question = Asker((statement, values))
        self._waiting.append(question)
        if len(self._waiting) == 1:
            trip = asyncio.create_task(self._ask_waiting())
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return await question.answer

    async def _ask_waiting(self) -> None:
        """Ask what has come together, after all who are about to ask in this moment have asked."""
        for _ in range(MOMENT):
            await asyncio.sleep(0)
        asked, self._waiting = self._waiting, []
        try:
            answers = await self._together(*(question.question for question in asked))
        except asyncio.CancelledError:
            _refuse(asked)
            raise
        except Exception as error:  # noqa: BLE001 - it is theirs who asked, whatever it is
            for question in asked:
                question.fail(error)
        else:
            for question, rows in zip(asked, answers, strict=True):
                question.settle(rows)

    async def close(self) -> None:
        """Let go of the connections; whoever still waits for an answer waits no longer."""
        trips = list(self._trips)
        _refuse(self._waiting)
        for trip in trips:
            trip.cancel()
        await asyncio.gather(*trips, return_exceptions=True)
        await self._database.close()

    async def _row(self, statement: str, values: Values = ()) -> Row | None:
        found = await self._rows(statement, values)
        return found[0] if found else None

    async def _value(self, statement: str, values: Values = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = await self._row(statement, values)
        return None if row is None else row[0]

    async def _changed(self, statement: str, values: Values = ()) -> list[Row]:
        """Change something, in a trip of its own; returns the rows that the statement tells."""
        [rows] = await self._together((statement, values))
        return rows

    async def _change(self, statement: str, values: Values = ()) -> int:
        """Return how many rows were changed."""
        async with self._database.connection() as connection:
            return (await connection.execute(statement, values)).rowcount

    async def _together(self, *statements: Statement) -> list[list[Row]]:
        """Ask several in one trip and one transaction; each sees what those before it did, and what others had kept.

        A pipeline of a connection that commits by itself is one transaction, which ends with the pipeline:
        https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
        """
        async with self._database.connection() as connection:
            async with connection.pipeline():
                cursors = [await connection.execute(statement, values) for statement, values in statements]
            return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]


def _refuse(questions: Sequence[_Question]) -> None:
    for question in questions:
        question.fail(StoreError("The store is closed."))


def about(column: str, address: str) -> str:
    """Return the condition that a column holds `%(address)s`, or, where that ends in `/`, begins with it."""
    return f"starts_with({column}, %(address)s)" if address.endswith("/") else f"{column} = %(address)s"
