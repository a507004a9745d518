"""EDGE. Papers by what somebody has typed of a title or an id so far."""

from __future__ import annotations

import re
import sqlite3

from core.papers.paper import paper_id
from core.papers.tokens import tokens

_SHORTEST = 2  # letters of an unfinished word that are looked for
_ID = re.compile(r"[0-9a-z.:/-]*[0-9][0-9a-z.:/-]*", re.IGNORECASE)
_AFTER = "\U0010ffff"


def find_titles(connection: sqlite3.Connection, typed: str, limit: int) -> list[tuple[str, str]]:
    """Return (id, title) of papers whose id was typed, or begins so, and of those with all the words in their titles.

    The last word may be unfinished. What came last into the library stands first; nothing typed gives the newest.
    """
    words = typed.strip()
    found = dict(_by_id(connection, paper_id(words) or words, limit)) if _ID.fullmatch(paper_id(words) or words) else {}
    for identifier, title in _by_title(connection, words, limit):
        found.setdefault(identifier, title)
    return list(found.items())[:limit]


def _by_id(connection: sqlite3.Connection, beginning: str, limit: int) -> list[tuple[str, str]]:
    ask = "SELECT id, title FROM papers WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return connection.execute(ask, (beginning, beginning + _AFTER, limit)).fetchall()


def _by_title(connection: sqlite3.Connection, typed: str, limit: int) -> list[tuple[str, str]]:
    if not typed:
        return connection.execute("SELECT id, title FROM papers ORDER BY number DESC LIMIT ?", (limit,)).fetchall()
    *whole, last = tokens(typed) or [""]
    wanted = [f'"{word}"' for word in whole] + ([f'"{last}"*'] if len(last) >= _SHORTEST else [])
    if not wanted:
        return []
    ask = (
        "SELECT papers.id, papers.title FROM words JOIN papers ON papers.number = words.rowid"
        " WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?"
    )
    return connection.execute(ask, (f"title : ({' AND '.join(wanted)})", limit)).fetchall()
