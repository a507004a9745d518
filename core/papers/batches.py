"""Whether the day's batch is in: recognised by what a source listed, in the categories asked for, never by the clock.

A batch is a day that is newer than any that was listed before, with at least a tenth as many papers as its last days
had in the middle. What comes in afterwards for an old day, or one lone paper ahead of the others, is a straggler.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from statistics import median

BATCH_SHARE = 0.1
DAYS_COMPARED = 5


def batch_is_in(connection: sqlite3.Connection, source: str, after: int, categories: Collection[str] = ()) -> bool:
    """Return whether a source has listed a batch behind a number of the listing log.

    Args:
        connection: to the library.
        source: whose batches.
        after: what was listed up to here is known.
        categories: count papers of these alone, as `cs.LG` or `cs.*`; empty counts all.
    """
    where, values = _of_categories(categories)
    query = (
        "SELECT l.day, sum(l.sequence <= ?), count(*) FROM listings l JOIN papers p ON p.number = l.paper"  # noqa: S608
        f" WHERE l.source = ? AND NOT p.withdrawn AND {where} AND l.day >= date("
        " (SELECT max(day) FROM listings WHERE source = ?), '-31 days') GROUP BY l.day ORDER BY l.day"
    )  # S608: the condition is one of the constants below
    days = connection.execute(query, (after, source, *values, source)).fetchall()
    known = [count for _, before, count in days if before]
    newest_known = max((day for day, before, _ in days if before), default="")
    least = BATCH_SHARE * median(known[-DAYS_COMPARED:]) if known else 1
    return any(day > newest_known and count >= max(least, 1) for day, _, count in days)


def _of_categories(categories: Collection[str]) -> tuple[str, list[str]]:
    if not categories:
        return "1", []
    names = [name.removesuffix(".*") for name in categories]
    one = "c.category = ? OR c.category LIKE ? || '.%'"
    either = " OR ".join([one] * len(names))
    values = [value for name in names for value in (name, name)]
    return f"l.paper IN (SELECT c.paper FROM paper_categories c WHERE {either})", values  # noqa: S608 - marks
