"""EDGE. How the store asks the database: one statement a trip, or several in one, kept all or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from core.clock import Clock
from core.database import Database

Values: TypeAlias = Sequence[Any] | Mapping[str, Any]
Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, Values]

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

    async def _rows(self, statement: str, values: Values = ()) -> list[Row]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall()

    async def _row(self, statement: str, values: Values = ()) -> Row | None:
        found = await self._rows(statement, values)
        return found[0] if found else None

    async def _value(self, statement: str, values: Values = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = await self._row(statement, values)
        return None if row is None else row[0]

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


def about(column: str, address: str) -> str:
    """Return the condition that a column holds `%(address)s`, or, where that ends in `/`, begins with it."""
    return f"starts_with({column}, %(address)s)" if address.endswith("/") else f"{column} = %(address)s"
