"""What the library holds by day and by field, for those who browse: SQL over one connection.

A list is ordered by upvotes, then by age, newest first; a paper without votes follows those that have some.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from core.papers.windows import SOURCES, Between, Window, listing_condition, paper_condition


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list: ids of papers in order, and how many there are in all."""

    ids: tuple[str, ...]
    total: int


def list_papers(connection: sqlite3.Connection, window: Window, field: str, *, limit: int, offset: int = 0) -> Listed:
    """Return papers of a window, and of a category (`cs.LG`) or a whole archive (`cs`) where one is named."""
    where, values = paper_condition(window)
    if field:
        condition, more = field_condition(field)
        where, values = f"{where} AND p.number IN ({condition})", (*values, *more)
    (total,) = connection.execute(f"SELECT count(*) FROM papers p WHERE {where}", values).fetchone()  # noqa: S608 - ours
    query = (
        f"SELECT p.id FROM papers p WHERE {where}"  # noqa: S608 - compiled here, values apart
        " ORDER BY p.upvotes IS NULL, p.upvotes DESC, p.published DESC, p.id LIMIT ? OFFSET ?"
    )
    ids = tuple(identifier for (identifier,) in connection.execute(query, (*values, limit, offset)))
    return Listed(ids, total)


def field_condition(field: str) -> tuple[str, tuple[str, ...]]:
    """Return SQL for the numbers of a field's papers, and its parameters."""
    if "." in field:
        return "SELECT paper FROM paper_categories WHERE category = ?", (field,)
    return "SELECT paper FROM paper_categories WHERE category = ? OR category BETWEEN ? AND ?", (
        field, f"{field}.", f"{field}.\U0010ffff",
    )  # fmt: skip


def count_fields(connection: sqlite3.Connection, window: Window) -> Sequence[tuple[str, int]]:
    """Return the categories of a window's papers, each with how many it has, most first."""
    where, values = listing_condition(window)
    query = (
        "SELECT c.category, count(DISTINCT c.paper) FROM paper_categories c"  # noqa: S608 - one of our constants
        f" WHERE c.paper IN (SELECT l.paper FROM listings l WHERE {where})"
        " GROUP BY c.category ORDER BY 2 DESC, 1"
    )
    return connection.execute(query, values).fetchall()


def count_by_day(connection: sqlite3.Connection, first: date, last: date) -> dict[date, int]:
    """Return how many papers were listed for each day from the first to the last that has any."""
    where, values = listing_condition(Between(first, last))
    query = f"SELECT l.day, count(DISTINCT l.paper) FROM listings l WHERE {where} GROUP BY l.day ORDER BY l.day"  # noqa: S608 - one of our constants
    return {date.fromisoformat(day): count for day, count in connection.execute(query, values)}


def count_by_month(connection: sqlite3.Connection) -> dict[date, int]:
    """Return how many papers were listed in each month that has any, by its first day, newest first."""
    query = "SELECT substr(day, 1, 7), count(DISTINCT paper) FROM listings GROUP BY 1 ORDER BY 1 DESC"
    return {date.fromisoformat(f"{month}-01"): count for month, count in connection.execute(query)}


def day_before(connection: sqlite3.Connection, day: date) -> date | None:
    """Return the newest day before this one for which papers were listed."""
    return _next_day(connection, "max", "<", day)


def day_after(connection: sqlite3.Connection, day: date) -> date | None:
    """Return the first day after this one for which papers were listed."""
    return _next_day(connection, "min", ">", day)


def _next_day(connection: sqlite3.Connection, which: str, side: str, day: date) -> date | None:
    query = (
        f"SELECT {which}((SELECT {which}(l.day) FROM listings l WHERE l.source = s.source AND l.day {side} ?))"  # noqa: S608 - words of ours
        f" FROM ({SOURCES}) s"
    )
    (found,) = connection.execute(query, (day.isoformat(),)).fetchone()
    return date.fromisoformat(found) if found else None


def read_history(connection: sqlite3.Connection, identifier: str) -> dict[tuple[str, str], list[tuple[date, float]]]:
    """Return a paper's readings by (signal, source): the last one of each day, oldest first."""
    query = (
        "SELECT s.name, s.source, substr(s.at, 1, 10) AS day, s.value, max(s.at) FROM signals s"
        " JOIN papers p ON p.number = s.paper WHERE p.id = ? GROUP BY s.name, s.source, day ORDER BY day, s.name"
    )
    found: dict[tuple[str, str], list[tuple[date, float]]] = {}
    for name, source, day, value, _ in connection.execute(query, (identifier,)):
        found.setdefault((name, source), []).append((date.fromisoformat(day), value))
    return found
