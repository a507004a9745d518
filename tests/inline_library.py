"""The real library, tables and queries and all, in memory and without threads: for tests that ask it very often."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from core.papers.library import Library
from core.papers.schema import apply_steps, transaction

T = TypeVar("T")


class InlineLibrary(Library):
    """Answers at once, in the caller's thread."""

    def __init__(self) -> None:
        self.path = Path("memory")
        self._connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        apply_steps(self._connection, self.path)

    async def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        return ask(self._connection)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        with transaction(self._connection):
            return change(self._connection)

    async def close(self) -> None:
        self._connection.close()
