"""What a query says, as a tree, and how it is written.

Word                      soft at the top level: it ranks, and enough of these words must be there
Phrase Text Author        hard: exact phrase; word or phrase in title or abstract; an author
Category FromSource MinUpvotes Since Until Like Named
Not And Or                inside Or and Not a word is hard: the paper holds it, by its stem, or not
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it was typed, without the signs around it; with a hyphen inside it has several tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """`"..."`: these tokens one after the other in title, abstract or one author's name; not stemmed."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """`ti:` or `abs:`: a word, by its stem, or an exact phrase, in `title` or `abstract` alone."""

    column: str
    text: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Author:
    """`au:`: one author whose name agrees with this one (`names.py`); with `of`, the one who wrote that paper."""

    name: str
    of: str = ""

    @property
    def key(self) -> str:
        """The name, and the paper where one is named: `Wei Wang@2310.01234`."""
        return f"{self.name}@{self.of}" if self.of else self.name


@dataclass(frozen=True, slots=True)
class Category:
    """`cat:`: an arXiv category (`cs.LG`), or a whole archive (`cs`, written `cs` or `cs.*`)."""

    name: str


@dataclass(frozen=True, slots=True)
class FromSource:
    """`src:`: held by this source."""

    name: str


@dataclass(frozen=True, slots=True)
class MinUpvotes:
    """`min:`: at least so many upvotes, by the newest reading."""

    count: int


@dataclass(frozen=True, slots=True)
class Since:
    """`after:`: published on this day or later."""

    day: date


@dataclass(frozen=True, slots=True)
class Until:
    """`before:`: published before this day."""

    day: date


@dataclass(frozen=True, slots=True)
class Like:
    """`like:`: near this paper."""

    paper: str


@dataclass(frozen=True, slots=True)
class Named:
    """The whole query names a paper: by id, or by DOI.

    An id that is not arXiv's (`scifact:4983`) may as well be words with a colon: where the library holds no such paper
    they are looked for as words.
    """

    text: str
    doi: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """None of this."""

    child: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    children: tuple[Node, ...]


Leaf: TypeAlias = Word | Phrase | Text | Author | Category | FromSource | MinUpvotes | Since | Until | Like | Named
Node: TypeAlias = Leaf | Not | And | Or
_SEVERAL = (And, Or)
_INNER = (And, Or, Not)


def positive_leaves(node: Node | None) -> Iterator[Leaf]:
    """Yield the leaves that are not under a Not, in order."""
    if node is None or isinstance(node, Not):
        return
    for child in node.children if isinstance(node, _SEVERAL) else (node,):
        if isinstance(child, _INNER):
            yield from positive_leaves(child)
        else:
            yield child


def all_leaves(node: Node | None) -> Iterator[Leaf]:
    """Yield every leaf, in order."""
    if node is None:
        return
    inner = (node.child,) if isinstance(node, Not) else node.children if isinstance(node, _SEVERAL) else (node,)
    for child in inner:
        if isinstance(child, _INNER):
            yield from all_leaves(child)
        else:
            yield child


def conjuncts(node: Node | None) -> tuple[Node, ...]:
    """Return what must hold at the top level."""
    if node is None:
        return ()
    return node.children if isinstance(node, And) else (node,)


def render(node: Node | None) -> str:
    """Write a tree in the query language; reading it again makes the same tree."""
    match node:
        case None:
            return ""
        case And(children):
            return " ".join(_nested(child, (Or,)) for child in children)
        case Or(children):
            return " OR ".join(f"({render(child)})" if _excludes(child) else render(child) for child in children)
        case Not(child):
            return f"-{_nested(child, (And, Or, Not))}"
        case leaf:
            return _render_leaf(leaf)


def _excludes(node: Node) -> bool:
    """Whether something is excluded beside something wanted: outside brackets that would hold for every alternative."""
    return isinstance(node, And) and any(isinstance(child, Not) for child in node.children)


def _nested(node: Node, grouped: tuple[type, ...]) -> str:
    return f"({render(node)})" if isinstance(node, grouped) else render(node)


def _render_leaf(leaf: Leaf) -> str:  # noqa: C901, PLR0911 - one line a kind
    match leaf:
        case Word(text) | Named(text):
            return text
        case Phrase(text):
            return f'"{text}"'
        case Text(column, text, exact):
            value = f'"{text}"' if exact else text
            return f"{'ti' if column == 'title' else 'abs'}:{value}"
        case Author():
            return f'au:"{leaf.key}"'
        case Category(name):
            return f"cat:{name}"
        case FromSource(name):
            return f"src:{name}"
        case MinUpvotes(count):
            return f"min:{count}"
        case Since(day):
            return f"after:{day.isoformat()}"
        case Until(day):
            return f"before:{day.isoformat()}"
        case Like(paper):
            return f"like:{paper}"
