"""The grammar of the query language, read from left to right: text -> tree, or a QueryError that points at the place.

    query   = branch ("OR" branch)*            OR in capitals; words next to each other bind tighter
    branch  = term+
    term    = ["-"] ( "(" query ")" | '"' phrase '"' | prefix ":" value | word )

An exclusion written beside alternatives, outside brackets, holds for all of them: `a OR b -c` is `(a OR b) -c`.
An unknown prefix, a prefix followed by a blank and a hyphen inside a word are plain text. Text without any letter or
digit says nothing and is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NoReturn

from core.errors import QueryError
from core.papers.tokens import tokens
from core.search.prefixes import PREFIXES, BadValue, read_value
from core.search.tree import And, Leaf, Like, Node, Not, Or, Phrase, Word, positive_leaves

MAX_WORDS = 1_000
MAX_FILTERS = 100
MAX_DEPTH = 20

PREFIXED = re.compile(rf"({'|'.join(PREFIXES)}):(.*)", re.IGNORECASE | re.DOTALL)
_CHUNK = re.compile(r'[^\s()"]+')


def read_tree(text: str, plain: str) -> Node | None:
    """Read a query; None where no word is in it.

    Args:
        text: as it was typed, to point at.
        plain: the same, as long, in plain signs.

    Raises:
        QueryError: what cannot be read, where, and the right form.
    """
    return _Reader(text, plain).read()


def joined(kind: type[And | Or], children: list[Word] | list[Node]) -> Node | None:
    """Join nodes, without needless levels."""
    flat: list[Node] = []
    for child in children:
        flat.extend(child.children if isinstance(child, kind) else [child])
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _clean(text: str) -> str:
    """Strip the signs around a word: what remains begins and ends with a letter, a digit or a mark on one."""
    kept = [index for index, char in enumerate(text) if char.isalnum() or unicodedata.category(char).startswith("M")]
    return text[kept[0] : kept[-1] + 1] if kept else ""


def _words(chunk: str) -> Iterator[Word]:
    """Yield the words of a chunk that is plain text; what would be read otherwise when written alone falls apart."""
    text = _clean(chunk)
    if not tokens(text):
        return
    if text == "OR" or PREFIXED.fullmatch(text):
        yield from map(Word, tokens(text))
    else:
        yield Word(text)


class _Reader:
    """Reads one text from left to right; `plain` has the same length as `text`, so that places agree."""

    def __init__(self, text: str, plain: str) -> None:
        self.text = text
        self.plain = plain
        self.at = 0
        self.word_count = 0
        self.filter_count = 0

    def read(self) -> Node | None:
        tree = self._alternatives(depth=0)
        if self._next() == ")":
            self._fail('This ")" closes nothing; write it with a "(" before it, or leave it out.', self.at)
        return tree

    def _fail(self, message: str, position: int, hint: str = "") -> NoReturn:
        raise QueryError(message, query=self.text, position=position, hint=hint)

    def _next(self) -> str:
        """Skip blanks and return the next character, or nothing at the end."""
        while self.at < len(self.plain) and self.plain[self.at].isspace():
            self.at += 1
        return self.plain[self.at : self.at + 1]

    def _alternatives(self, depth: int) -> Node | None:
        if depth > MAX_DEPTH:
            self._fail(f"There are more than {MAX_DEPTH} brackets in one another; write it flatter.", self.at - 1)
        branches: list[Node | None] = []
        excluded: list[Node] = []
        operator: int | None = None
        while True:
            start = self.at
            terms, exclusions = self._branch(depth)
            bare = not self.plain[start : self.at].strip()
            stop = self._takes_or()
            if bare and (operator is not None or stop is not None):
                place = operator if operator is not None else stop
                assert place is not None
                self._fail("OR needs something on both sides, as in: grokking OR memorization.", place, "a OR b")
            if stop is None and operator is None:
                return joined(And, [node for _, node in sorted([*terms, *exclusions], key=lambda term: term[0])])
            branches.append(joined(And, [node for _, node in terms or exclusions]))
            excluded += [node for _, node in exclusions if terms]
            if stop is None:
                break
            operator = stop
        self._count_filters(len(branches), self.at)
        either = joined(Or, [branch for branch in branches if branch is not None])
        return joined(And, [node for node in (either, *excluded) if node is not None])

    def _takes_or(self) -> int | None:
        """Step over an OR and return its place; None where there is none."""
        self._next()
        chunk = _CHUNK.match(self.plain, self.at)
        if chunk is None or chunk[0] != "OR":
            return None
        self.at = chunk.end()
        return chunk.start()

    def _branch(self, depth: int) -> tuple[list[tuple[int, Node]], list[tuple[int, Node]]]:
        """Read what stands side by side; return (place, node) of what is wanted, and of what is excluded."""
        terms: list[tuple[int, Node]] = []
        exclusions: list[tuple[int, Node]] = []
        while (char := self._next()) and char != ")":
            start = self.at
            if (stop := self._takes_or()) is not None:
                self.at = stop
                break
            found = terms if not self._excludes() else exclusions
            found.extend((start, node) for node in self._term(depth))
            assert self.at > start
        return terms, exclusions

    def _term(self, depth: int) -> list[Node]:
        start = self.at
        if not self._excludes():
            return self._positive(depth)
        self.at += 1
        children = self._positive(depth)
        child = joined(And, children)
        if child is None:
            return []
        self._count_filters(1, start)
        if any(isinstance(leaf, Like) for leaf in positive_leaves(child)):
            self._fail("like: says what to be near to and cannot be excluded; write it without the minus.", start)
        return [Not(child)]

    def _excludes(self) -> bool:
        following = self.plain[self.at + 1 : self.at + 2]
        return self.plain[self.at] == "-" and (following.isalnum() or following in {'"', "("})

    def _positive(self, depth: int) -> list[Node]:
        if self.plain[self.at] == "(":
            return self._group(depth)
        if self.plain[self.at] == '"':
            start = self.at
            phrase = self._quoted()
            self._count_filters(1, start)
            return [Phrase(phrase)] if tokens(phrase) else []
        return self._chunk()

    def _group(self, depth: int) -> list[Node]:
        start = self.at
        self.at += 1
        child = self._alternatives(depth + 1)
        if self._next() != ")":
            self._fail("This bracket is unclosed; write ) where the group ends.", start, "(a b) OR c")
        self.at += 1
        return [child] if child is not None else []

    def _quoted(self) -> str:
        start = self.at
        end = self.plain.find('"', start + 1)
        if end < 0:
            self._fail('This quote is unclosed; write " where the phrase ends.', start, '"length generalization"')
        self.at = end + 1
        return " ".join(self.plain[start + 1 : end].split())

    def _chunk(self) -> list[Node]:
        start = self.at
        chunk = _CHUNK.match(self.plain, start)
        assert chunk is not None
        self.at = chunk.end()
        prefixed = PREFIXED.fullmatch(chunk[0])
        following = self.plain[self.at : self.at + 1]
        if prefixed and prefixed[2]:
            return [self._leaf(prefixed[1].lower(), prefixed[2], start, quoted=False)]
        if prefixed and following == '"':
            return [self._leaf(prefixed[1].lower(), self._quoted(), start, quoted=True)]
        words = list(_words(chunk[0]))
        self.word_count += len(words)
        if self.word_count > MAX_WORDS:
            self._fail(f"There are more than {MAX_WORDS} words; say it shorter.", start)
        return list(words)

    def _leaf(self, prefix: str, value: str, start: int, *, quoted: bool) -> Leaf:
        self._count_filters(1, start)
        try:
            return read_value(prefix, value if quoted else value.rstrip(",;"), quoted=quoted)
        except BadValue as error:
            self._fail(str(error), start, error.form)

    def _count_filters(self, more: int, position: int) -> None:
        self.filter_count += more
        if self.filter_count > MAX_FILTERS:
            self._fail(
                f"There are more than {MAX_FILTERS} phrases, prefixes and alternatives; say it shorter.", position
            )
