"""What counts as the same word, and which words say nothing.

Stems are made by the very tokenizer of the library's word index (SQLite's Porter stemmer), in a database in memory.
"""

from __future__ import annotations

import sqlite3
from functools import cache, lru_cache
from threading import Lock

from core.papers.tokens import tokens

_FUNCTION_WORDS = """
a about above after again against all also am an and any are as at be because been before being below between
both but by can cannot could did do does doing down during each either etc few for from further had has have having he
her here hers him his how however i if in into is it its itself just may me might more most must my neither no nor not
of off on once one only onto or other our out over own per same shall she should so some such than that the their them
then there these they this those through thus to too toward towards under until up upon us very via was we were what
when where whether which while who whom whose why will with within without would yet you your
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_LOCK = Lock()


@lru_cache(maxsize=100_000)
def is_stop_word(word: str) -> bool:
    """Whether a word says nothing about a subject."""
    return all(token in STOP_WORDS for token in tokens(word))


@lru_cache(maxsize=100_000)
def stem(token: str) -> str:
    """Return the stem of one token, as the word index has it; empty where the index does not see the token."""
    with _LOCK:
        scratch = _scratch()
        scratch.execute("INSERT INTO scratch (rowid, text) VALUES (1, ?)", (token,))
        row = scratch.execute("SELECT term FROM terms").fetchone()
        scratch.execute("INSERT INTO scratch (scratch, rowid, text) VALUES ('delete', 1, ?)", (token,))
    return row[0] if row else ""


@cache
def _scratch() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.executescript(
        "CREATE VIRTUAL TABLE scratch USING fts5 "
        "(text, content='', tokenize='porter unicode61 remove_diacritics 2');"
        "CREATE VIRTUAL TABLE terms USING fts5vocab (scratch, row);"
    )
    return connection
