"""The language of interests and searches: text -> Query, or a QueryError that points at the place (`grammar.py`).

Typographic quotes and full-width forms count as their plain ones. A paper's id, DOI or address as the whole text is
that paper.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from core.errors import QueryError
from core.papers.paper import arxiv_id, paper_id
from core.papers.tokens import tokens
from core.search.grammar import MAX_WORDS, PREFIXED, joined, read_tree
from core.search.stems import is_stop_word
from core.search.tree import (
    And,
    Author,
    Category,
    Like,
    Named,
    Node,
    Word,
    positive_leaves,
    render,
)

MAX_LENGTH = 8_000

_QUOTES = dict.fromkeys("“”„‟«»", '"')
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_PLAIN = str.maketrans({**_QUOTES, **_FULL_WIDTH, "\u3000": " ", "\u2212": "-"})
_HALVES = re.compile("[\ud800-\udfff]")
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_AROUND = " [].,;"
"""What comes along when an id is copied out of a sentence or a list of references."""
_DOI = re.compile(r"(?:(?:https?://)?(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S{1,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood.

    Attributes:
        text: as it was typed.
        tree: what it says; None means everything.
    """

    text: str
    tree: Node | None

    def __str__(self) -> str:
        return _render_whole(self.tree)

    @property
    def is_empty(self) -> bool:
        """Whether it asks for everything."""
        return self.tree is None

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it is about, as typed, each once; stop-words only where there is nothing else."""
        found = dict.fromkeys(leaf.text for leaf in positive_leaves(self.tree) if isinstance(leaf, Word))
        return tuple(word for word in found if not is_stop_word(word)) or tuple(found)

    @property
    def categories(self) -> tuple[str, ...]:
        """The arXiv categories and archives that it asks for, each once."""
        return tuple(dict.fromkeys(leaf.name for leaf in positive_leaves(self.tree) if isinstance(leaf, Category)))

    @property
    def likes(self) -> tuple[str, ...]:
        """Ids of the papers that it wants to be near to, each once."""
        return tuple(dict.fromkeys(leaf.paper for leaf in positive_leaves(self.tree) if isinstance(leaf, Like)))

    @property
    def authors(self) -> tuple[Author, ...]:
        """The authors that it asks for, each once."""
        return tuple(dict.fromkeys(leaf for leaf in positive_leaves(self.tree) if isinstance(leaf, Author)))

    @property
    def named(self) -> Named | None:
        """The paper that the whole query names, where it does."""
        return self.tree if isinstance(self.tree, Named) else None


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        QueryError: what cannot be read, where, and the right form.
    """
    text = _HALVES.sub("\ufffd", text)
    plain = text.translate(_PLAIN)
    if len(plain) > MAX_LENGTH:
        raise QueryError(
            f"The query has {len(plain)} characters; at most {MAX_LENGTH} can be read.", query=text, position=MAX_LENGTH
        )
    if not plain.strip():
        return Query(text, None)
    tree = named_paper(plain) or read_tree(text, plain)
    if tree is None:
        raise QueryError("There is no word in this query; write what it is about, or nothing.", query=text, position=0)
    return Query(text, tree)


def one_line(text: str) -> str:
    """Return a query as it is kept and shown: one line, without what commands a terminal or turns its reading round."""
    return "".join(" " if char.isspace() else char for char in text if char.isspace() or not _COMMANDS.match(char))


def parse_words(text: str) -> Query:
    """Read a text as plain words alone: no sign in it means anything.

    Raises:
        QueryError: it is too long, or holds no word.
    """
    text = _HALVES.sub("\ufffd", text)
    words = [Word(token) for token in tokens(text)]
    if len(words) > MAX_WORDS:
        raise QueryError(f"There are {len(words)} words; at most {MAX_WORDS} can be read.", query=text, position=0)
    if not words and text.strip():
        raise QueryError("There is no word in this text.", query=text, position=0)
    return Query(text, joined(And, words))


def point_at(error: QueryError, *, width: int = 72) -> str:
    """Return two lines: the query, shortened around the place, and a caret below the place."""
    line = "".join(char if char.isprintable() else " " for char in error.query)
    place = min(error.position, len(line))
    start = max(0, min(place - width // 2, len(line) - width))
    shown = line[start : start + width]
    head, tail = "…" if start else "", "…" if start + width < len(line) else ""
    indent = sum(_columns(char) for char in head + line[start:place])
    return f"{head}{shown}{tail}\n{' ' * indent}^"


def _columns(char: str) -> int:
    """Return how many columns of a terminal a character takes."""
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def named_paper(plain: str) -> Named | None:
    """Return the paper that the whole text names; `cat:cs.LG` has the form of a foreign id and is none."""
    text = plain.strip()
    if identifier := arxiv_id(text.strip(_AROUND)):
        return Named(identifier)
    if doi := _DOI.fullmatch(text.rstrip(_AROUND)):
        return Named(doi[1], doi=True)
    if PREFIXED.match(text) or not tokens(text) or set(text) & set('()"'):
        return None
    return Named(identifier) if (identifier := paper_id(text)) else None


def _render_whole(tree: Node | None) -> str:
    text = render(tree)
    if tree is not None and not isinstance(tree, Named) and named_paper(text):
        return f"({text})"  # a lone word in brackets is a word, even where it has the form of an id
    return text
