"""What a query points at by an id: the papers of its `like:`, and the people of `au:NAME@ID`."""

from __future__ import annotations

import sqlite3

from core.errors import QueryError
from core.search.authors import find_people, person_of
from core.search.lexical import Near, register_functions
from core.search.postings import Postings
from core.search.query import Query
from core.search.ranking import find_near
from core.search.tree import Author, all_leaves


def resolve_likes(connection: sqlite3.Connection, query: Query, postings: Postings | None = None) -> dict[str, Near]:
    """Look up what is near to the papers of the query's `like:`, and make the connection ready for its conditions.

    Args:
        connection: a state of the library.
        query: what is asked.
        postings: as in `find_near`.

    Raises:
        QueryError: the library does not hold one of them.
    """
    register_functions(connection)
    found: dict[str, Near] = {}
    for identifier in query.likes:
        near = find_near(connection, identifier, postings)
        if near is None:
            place = max(query.text.lower().find("like:"), 0)
            raise QueryError(f"like: the library does not hold {identifier}.", query=query.text, position=place)
        found[identifier] = near
    return found | _resolve_people(connection, query)


def _resolve_people(connection: sqlite3.Connection, query: Query) -> dict[str, Near]:
    """Look up the works of each author who is told from others of the name by a paper."""
    found: dict[str, Near] = {}
    for author in (leaf for leaf in all_leaves(query.tree) if isinstance(leaf, Author) and leaf.of):
        person = person_of(find_people(connection, author.name), author.of)
        if person is None:
            place = max(query.text.lower().find("au:"), 0)
            told = f"au: the library holds no {author.of} by {author.name}."
            raise QueryError(told, query=query.text, position=place)
        found[author.key] = Near("", dict.fromkeys((work.number for work in person.works), 0.0))
    return found
