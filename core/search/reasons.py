"""Which parts of a query a paper meets, and how that is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from core.papers.paper import Paper
from core.papers.tokens import tokens, tokens_beginning
from core.search.lexical import SUBJECT, Near, Sql, condition
from core.search.stems import is_stop_word, stem
from core.search.tree import Leaf, Like, Named, Node, Phrase, Text, Word, positive_leaves, render

TITLE_MATCHES = "title matches"
MAX_REASON = 80
MAX_ASKED = 200  # leaves of one query that are looked at one by one; SQLite takes no more than 2,000 columns


def telling_leaves(tree: Node | None) -> list[Leaf]:
    """Return the leaves that can be a reason, each once: no stop-words, unless there is nothing else."""
    leaves = list(dict.fromkeys(positive_leaves(tree)))
    telling = [leaf for leaf in leaves if not (isinstance(leaf, Word) and is_stop_word(leaf.text))]
    return (telling or leaves)[:MAX_ASKED]


def held_leaves(
    connection: sqlite3.Connection,
    leaves: Sequence[Leaf],
    near: Mapping[str, Near],
    where: Sql,
) -> dict[int, tuple[int, ...]]:
    """Return of each paper that meets `where` how it holds each leaf: 0 not, 1 somewhere, 2 in the title.

    Args:
        connection: a state of the library.
        leaves: what to look for.
        near: what is near to the papers of `like:`.
        where: condition on a row `p` of `papers`.
    """
    columns = [_degree(leaf, near) for leaf in leaves]
    values = [value for column in columns for value in column.values]
    asked = ", ".join(["p.number", *(column.text for column in columns)])
    query = f"SELECT {asked} FROM papers p WHERE {where.text}"  # noqa: S608 - compiled; what people type is in values
    return {row[0]: row[1:] for row in connection.execute(query, (*values, *where.values))}


def _degree(leaf: Leaf, near: Mapping[str, Near]) -> Sql:
    if isinstance(leaf, Phrase):
        titled, held = condition(Text("title", leaf.text, exact=True), near), condition(leaf, near)
        return Sql(f"{titled.text} + {held.text}", (*titled.values, *held.values))
    if not isinstance(leaf, Word):
        return condition(leaf, near)
    phrase = f'"{" ".join(tokens(leaf.text))}"'
    indexed = "(p.number IN (SELECT rowid FROM words WHERE words MATCH ?))"
    return Sql(f"{indexed} + {indexed}", (f"title : {phrase}", f"{SUBJECT} : {phrase}"))


def reasons(
    connection: sqlite3.Connection, tree: Node | None, near: Mapping[str, Near], papers: Mapping[int, Paper]
) -> dict[int, str]:
    """Return of each of these papers (by number), in a few words, what of the query it meets."""
    leaves = telling_leaves(tree)
    words = [leaf for leaf in leaves if isinstance(leaf, Word)]
    others = [leaf for leaf in leaves if not isinstance(leaf, Word)]
    where = Sql("p.number IN (SELECT value FROM json_each(?))", (json.dumps(list(papers)),))
    degrees = held_leaves(connection, others, near, where) if others else {}
    held = held_words(words, papers.values())
    told = {}
    for number, holds in zip(papers, held, strict=True):
        met = [leaf for leaf, degree in zip(others, degrees.get(number, ()), strict=False) if degree]
        told[number] = tell([*chain.from_iterable(holds.values()), *met])
    return told


def held_words(words: Sequence[Word], papers: Iterable[Paper]) -> list[dict[Word, tuple[Word, ...]]]:
    """Return what each paper holds of each word: all of it, or, of one with a hyphen, the parts that tell something.

    An author's name counts. It is read from the texts: in a large library the index would go through long lists for
    each common word.
    """
    stems = {word: {token: stem(token) for token in tokens(word.text)} for word in words}
    # Nearly all of a stem is how its word begins: the stemmer puts no more than two letters of its own at the end.
    starts = tuple({found[: max(1, len(found) - 2)] for parts in stems.values() for found in parts.values() if found})
    found = []
    for paper in papers:
        texts = (paper.title, paper.abstract, "\n".join(paper.authors))
        held = {stem(token) for text in texts for token in tokens_beginning(text, starts)}
        found.append({word: shown for word, parts in stems.items() if (shown := _held_of(word, parts, held))})
    return found


def _held_of(word: Word, parts: Mapping[str, str], held: Collection[str]) -> tuple[Word, ...]:
    there = [token for token, stemmed in parts.items() if stemmed in held]
    if len(there) == len(parts):
        return (word,) if there else ()
    telling = [token for token in there if len(token) > 1 and not token.isdigit() and not is_stop_word(token)]
    return tuple(Word(token) for token in telling or there)


def tell(leaves: Sequence[Leaf]) -> str:
    """Say in at most 80 characters which parts of a query are met."""
    words = [leaf.text for leaf in leaves if isinstance(leaf, Word)]
    parts = [f"words: {', '.join(words)}"] if words else []
    for leaf in leaves:
        match leaf:
            case Word():
                continue
            case Named():
                parts.append("this is the paper")
            case Like(paper):
                parts.append(f"like {paper}")
            case other:
                parts.append(render(other))
    text = "; ".join(parts)
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
