"""Which rows of a library all machines share, and how they are named in SQLite and in PostgreSQL.

Shared are the tables below, whole. Each machine derives the rest from them: the word index, what a paper is filed under
(`paper_categories`, `paper_sources`) and the tokens of its title. A few facts are a machine's own (`OWN_FACTS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LAYOUT = 2
"""The version of the library's tables (`len(schema.STEPS)`) of which these are the rows."""

REPLICA_OF = "replica of"
REPLICA_AT = "replica at"
REPLICA_TOKEN = "replica token"  # noqa: S105 - a name
OWN_FACTS = frozenset({"model problem", "words made by", REPLICA_OF, REPLICA_AT, REPLICA_TOKEN})
"""Facts that are true of one machine: why it could not get the model, how its index was made, how far it followed."""

DERIVED = frozenset({"paper_categories", "paper_sources", "words", "vocabulary"})
"""Tables that each machine makes of the others."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that all machines share.

    Attributes:
        name: in SQLite; in PostgreSQL it stands behind `library_`.
        key: how many of the columns, from the first on, tell a row from all others.
        columns: their types in PostgreSQL, by name.
    """

    name: str
    key: int
    columns: Mapping[str, str]

    @property
    def shared_name(self) -> str:
        """Its name in PostgreSQL."""
        return f"library_{self.name}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell a row from all others."""
        return tuple(self.columns)[: self.key]


_WHOLE, _TEXT, _REAL, _BYTES = "int8", "text", "float8", "bytea"

PAPERS = Table(
    "papers",
    1,
    {"number": _WHOLE, "id": _TEXT, "change": _WHOLE, "withdrawn": _WHOLE, "published": _TEXT, "upvotes": _REAL}
    | dict.fromkeys(("doi", "first_seen", "sources", "title", "authors", "abstract", "details"), _TEXT),
)
TABLES = (
    PAPERS,
    # The order of their rows counts where a table has no number of its own, so the one that SQLite gives is shared.
    Table("records", 1, {"rowid": _WHOLE, "paper": _WHOLE, "source": _TEXT, "body": _BYTES}),
    Table(
        "signals",
        4,
        {"paper": _WHOLE, "name": _TEXT, "source": _TEXT, "hour": _TEXT, "at": _TEXT, "value": _REAL},
    ),
    Table("listings", 1, {"sequence": _WHOLE, "paper": _WHOLE, "source": _TEXT, "day": _TEXT, "kind": _TEXT}),
    Table("happenings", 1, {"rowid": _WHOLE, "paper": _WHOLE, "kind": _TEXT, "detail": _TEXT, "at": _TEXT}),
    Table("facts", 1, {"name": _TEXT, "value": _TEXT}),
)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the database, or a replica of it, has come.

    Attributes:
        identity: what tells this library from any other.
        batch: the number of the last change; 0 before the first.
        token: drawn for that change, so that another one of the same number is known; empty before the first.
        listed: the highest number that the listing log has given.
        layout: the version of the tables.
    """

    identity: str
    batch: int = 0
    token: str = ""
    listed: int = 0
    layout: int = LAYOUT


Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a change did to one table: rows as they are now, and the keys of those that are gone."""

    table: Table
    rows: list[Row]
    removed: list[Row]


def shared_text(text: str) -> str:
    r"""Return a text as PostgreSQL can hold it, which knows no character 0: it is written \1\1, and \1 as \1\2."""
    if "\0" in text or "\1" in text:
        return text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text


def own_text(text: str) -> str:
    """Return a text as it was before `shared_text`."""
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text
