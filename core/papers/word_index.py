"""EDGE. The word index (FTS5) beside the papers: it holds the tokens of title, abstract and authors, and no text."""

from __future__ import annotations

import sqlite3

import msgspec

from core.papers.tokens import RULES, token_key


def index_words(connection: sqlite3.Connection, number: int, title: str, abstract: str, authors: str) -> None:
    """Put a paper's texts into the index; `authors` is a JSON array."""
    connection.execute(
        "INSERT INTO words (rowid, title, abstract, authors) VALUES (?, ?, ?, ?)",
        (number, *_indexed(title, abstract, authors)),
    )


def unindex_words(connection: sqlite3.Connection, number: int, title: str, abstract: str, authors: str) -> None:
    """Take a text out of the index, which keeps no copy of it and so must be given the very same one."""
    connection.execute(
        "INSERT INTO words (words, rowid, title, abstract, authors) VALUES ('delete', ?, ?, ?, ?)",
        (number, *_indexed(title, abstract, authors)),
    )


def _indexed(title: str, abstract: str, authors: str) -> tuple[str, str, str]:
    names = " ".join(msgspec.json.decode(authors, type=list[str]))
    return token_key(title), token_key(abstract), token_key(names)


def refresh_words(connection: sqlite3.Connection) -> None:
    """Make the word index again when it was made by other rules than today's; the caller holds the transaction."""
    made_by = connection.execute("SELECT value FROM facts WHERE name = 'words made by'").fetchone()
    if made_by == (RULES,):
        return
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    for number, title, abstract, authors in connection.execute("SELECT number, title, abstract, authors FROM papers"):
        index_words(connection, number, title, abstract, authors)
        connection.execute("UPDATE papers SET title_key = ? WHERE number = ?", (token_key(title), number))
    note_rules(connection)


def note_rules(connection: sqlite3.Connection) -> None:
    """Note that the index was made by today's rules."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('words made by', ?)", (RULES,))
