"""A query's tree -> SQL over the library: the one interpreter of the language.

Filters become a condition on a row `p` of `papers`; words become an expression for the word index (FTS5), in which
every token stands quoted, so that nothing a person types is read as its syntax. What SQL cannot say is a registered
function.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from core.papers.tokens import token_key, tokens
from core.search.names import index_tokens, names_agree
from core.search.stems import is_stop_word
from core.search.tree import (
    And,
    Author,
    Category,
    FromSource,
    Leaf,
    Like,
    MinUpvotes,
    Named,
    Node,
    Not,
    Or,
    Phrase,
    Since,
    Text,
    Until,
    Word,
    conjuncts,
    positive_leaves,
)

BM25 = "bm25(words, 2.0, 1.0, 1.0)"
"""Okapi BM25 as SQLite has it (smaller is better), the title counted twice: https://sqlite.org/fts5.html#the_bm25_function"""

SUBJECT = "{title abstract}"
"""Where a word that filters is looked for: not among the authors, some of whom are called Long, King or Song."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition or expression, and its parameters."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a query asks of the library.

    Attributes:
        filters: condition that a paper must meet whatever its words.
        soft: index expression of which a paper must hold something; empty when no word is asked for.
        ranking: index expression whose BM25 orders papers; empty when there is nothing to rank by.
        bound: every paper that meets the filters and `soft` also meets `ranking`.
    """

    filters: Sql
    soft: str
    ranking: str
    bound: bool


def compile_query(tree: Node | None, near: Mapping[str, Near]) -> Compiled:
    """Compile a tree; `near` holds what is near to each paper of its `like:`."""
    words = soft_words(tree)
    soft = _any_of([word for leaf in words for word in tokens(leaf.text)])
    hard = [node for node in conjuncts(tree) if not isinstance(node, Word)]
    ranked = set(ranked_words(tree))
    bound = any(_needs_text(node, ranked) for node in conjuncts(tree))
    return Compiled(_joined(" AND ", [condition(node, near) for node in hard]), soft, _ranking(tree, near), bound)


@dataclass(frozen=True, slots=True)
class Near:
    """What is near to a paper.

    Attributes:
        ranking: index expression of its telling words.
        scores: nearness 0..1 of papers, by number, nearest first.
        telling: those words.
    """

    ranking: str
    scores: Mapping[int, float]
    telling: tuple[str, ...] = ()


def soft_words(tree: Node | None) -> list[Word]:
    """Return the words of the top level that count: no stop-words, unless there is nothing else."""
    words = [node for node in conjuncts(tree) if isinstance(node, Word)]
    return [word for word in words if not is_stop_word(word.text)] or words


def register_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that conditions use."""
    connection.create_function("holds_phrase", 2, holds_phrase, deterministic=True)
    connection.create_function("holds_author", 2, holds_author, deterministic=True)


def holds_phrase(phrase: str, text: str) -> bool:
    """Whether a text holds the tokens of `phrase` (joined by single blanks) one after the other."""
    return f" {phrase} " in f" {token_key(text)} "


def holds_author(name: str, authors: str) -> bool:
    """Whether the name of one of the authors (a JSON array) agrees with a name; see `names.py`."""
    return any(names_agree(name, author) for author in json.loads(authors))


def condition(node: Node, near: Mapping[str, Near]) -> Sql:
    """Return the condition that a paper meets a node strictly: a word must be held, by its stem."""
    expression = words_expression(node)
    if expression is not None:
        return _indexed(f"{SUBJECT} : ({expression})")
    match node:
        case And(children):
            return _joined(" AND ", [condition(child, near) for child in children])
        case Or(children):
            return _joined(" OR ", [condition(child, near) for child in children])
        case Not(child):
            inner = condition(child, near)
            return Sql(f"NOT {inner.text}", inner.values)
        case leaf:
            return _leaf_condition(leaf, near)


def _leaf_condition(leaf: Leaf, near: Mapping[str, Near]) -> Sql:  # noqa: C901, PLR0911 - one case a kind
    match leaf:
        case Phrase(text):
            return _phrase(text, ("title", "abstract", "authors"))
        case Text(column, text, exact):
            return _phrase(text, (column,)) if exact else _indexed(f"{column} : {_quoted(tokens(text))}")
        case Author(name, of):
            if of:
                return Sql("p.number IN (SELECT value FROM json_each(?))", (json.dumps(list(near[leaf.key].scores)),))
            index = _indexed(f"authors : ({_any_of(index_tokens(name))})")
            return Sql(f"({index.text} AND holds_author(?, p.authors))", (*index.values, name))
        case Category(name):
            # An archive is the category itself or any "archive.subject": "/" is the character behind ".".
            return Sql(
                "p.number IN (SELECT paper FROM paper_categories WHERE category = ? OR category > ? AND category < ?)",
                (name, f"{name}.", f"{name}/"),
            )
        case FromSource(name):
            return Sql("p.number IN (SELECT paper FROM paper_sources WHERE source = ?)", (name,))
        case MinUpvotes(count):
            return Sql("coalesce(p.upvotes, 0) >= ?", (count,))
        case Since(day):
            return Sql("coalesce(p.published >= ?, 0)", (day.isoformat(),))
        case Until(day):
            return Sql("coalesce(p.published < ?, 0)", (day.isoformat(),))
        case Like(paper):
            numbers = json.dumps(list(near[paper].scores))
            return Sql("p.number IN (SELECT value FROM json_each(?))", (numbers,))
        case Named(text, doi):
            return _named(text, doi=doi)
        case Word(text):
            return _indexed(f"{SUBJECT} : {_quoted(tokens(text))}")


def _named(text: str, *, doi: bool) -> Sql:
    if doi:
        return Sql("(p.doi <> '' AND p.doi = ? COLLATE NOCASE)", (text,))
    if ":" not in text:
        return Sql("p.id = ?", (text,))
    words = _indexed(f"{SUBJECT} : ({' AND '.join(_quoted([token]) for token in tokens(text))})")
    unknown = Sql("NOT EXISTS (SELECT 1 FROM papers WHERE id = ?)", (text,))
    return _joined(" OR ", [Sql("p.id = ?", (text,)), _joined(" AND ", [unknown, words])])


def _phrase(text: str, columns: Sequence[str]) -> Sql:
    index = _indexed(f"{{{' '.join(columns)}}} : {_quoted(tokens(text))}")
    key = token_key(text)
    checks = [_holds_in_authors(key) if column == "authors" else _holds_in(column, key) for column in columns]
    exact = _joined(" OR ", checks)
    return Sql(f"({index.text} AND {exact.text})", (*index.values, *exact.values))


def _holds_in(column: str, key: str) -> Sql:
    return Sql(f"holds_phrase(?, p.{column})", (key,))


def _holds_in_authors(key: str) -> Sql:
    return Sql("EXISTS (SELECT 1 FROM json_each(p.authors) WHERE holds_phrase(?, value))", (key,))


def _indexed(expression: str) -> Sql:
    return Sql("p.number IN (SELECT rowid FROM words WHERE words MATCH ?)", (expression,))


def _joined(operator: str, parts: Sequence[Sql]) -> Sql:
    if not parts:
        return Sql("1")
    return Sql(
        f"({operator.join(part.text for part in parts)})", tuple(value for part in parts for value in part.values)
    )


def words_expression(node: Node) -> str | None:
    """Return the index expression of a tree of words alone, else None. Stop-words beside other words say nothing."""
    match node:
        case Word(text):
            return _quoted(tokens(text))
        case And(children):
            telling = [child for child in children if not (isinstance(child, Word) and is_stop_word(child.text))]
            return _combined(" AND ", telling or children)
        case Or(children):
            return _combined(" OR ", children)
        case _:
            return None


def _combined(operator: str, children: Iterable[Node]) -> str | None:
    parts = [words_expression(child) for child in children]
    known = [part for part in parts if part is not None]
    return f"({operator.join(known)})" if len(known) == len(parts) else None


def _quoted(words: Sequence[str]) -> str:
    """Return tokens as one index phrase; tokens are letters and digits alone, so that no quote can end it early."""
    return f'"{" ".join(words)}"'


def _any_of(words: Iterable[str]) -> str:
    return " OR ".join(_quoted([word]) for word in words)


def _needs_text(node: Node, ranked: AbstractSet[str]) -> bool:
    """Whether whatever meets a node holds something of the ranking expression."""
    match node:
        case And(children):
            return any(_needs_text(child, ranked) for child in children)
        case Or(children):
            return all(_needs_text(child, ranked) for child in children)
        case Word(text):
            return not ranked.isdisjoint(tokens(text))
        case Phrase() | Text() | Like():
            return True
        case _:
            return False


def _ranking(tree: Node | None, near: Mapping[str, Near]) -> str:
    """Return what papers are ranked by: every word and phrase that is wanted, a repeated word repeatedly."""
    parts = []
    for leaf in positive_leaves(tree):
        match leaf:
            case Phrase(text):
                parts.append(_quoted(tokens(text)))
            case Text(column, text, _):
                parts.append(f"{column} : {_quoted(tokens(text))}")
            case Like(paper):
                parts.append(near[paper].ranking)
            case _:
                pass
    return " OR ".join([*parts, *(_quoted([word]) for word in ranked_words(tree))])


def ranked_words(tree: Node | None) -> list[str]:
    """Return the tokens of the wanted words: no stop-words, unless there is nothing else."""
    words = []
    for leaf in positive_leaves(tree):
        if isinstance(leaf, Word) or (isinstance(leaf, Named) and not leaf.doi and ":" in leaf.text):
            words += tokens(leaf.text)
    return [word for word in words if not is_stop_word(word)] or words
