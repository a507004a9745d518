"""The values behind prefixes: text -> leaf, or the right form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from core.papers.paper import paper_id
from core.papers.tokens import tokens
from core.search.tree import Author, Category, FromSource, Leaf, Like, MinUpvotes, Since, Text, Until

SOURCES: Mapping[str, str] = {
    "hf": "huggingface",
    "huggingface": "huggingface",
    "arxiv": "arxiv",
    "hn": "hackernews",
    "hackernews": "hackernews",
    "import": "import",
    "sample": "sample",
}
_CATEGORY = re.compile(r"([a-z]+(?:-[a-z]+)*)(?:\.(\*|[a-z]{2,}(?:-[a-z]+)*))?", re.IGNORECASE)
_LOWER_CASE_SUBJECTS = ("cond-mat", "physics")  # all other archives write their subjects in capitals
_DATE = re.compile(r"([1-9][0-9]{3})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
_COUNT = re.compile(r"[0-9]{1,9}")


class BadValue(Exception):  # noqa: N818 - it never leaves the parser, which says where
    """A value that a prefix does not take; `form` is an example of what it takes."""

    def __init__(self, message: str, form: str) -> None:
        super().__init__(message)
        self.form = form


def read_value(prefix: str, value: str, *, quoted: bool) -> Leaf:
    """Read the value behind a prefix.

    Raises:
        BadValue: the prefix does not take it.
    """
    text = " ".join(value.split())
    if prefix in {"ti", "abs"}:
        return _read_text(prefix, text, exact=quoted)
    return _READERS[prefix](text)


def _read_text(prefix: str, text: str, *, exact: bool) -> Text:
    column = "title" if prefix == "ti" else "abstract"
    if not tokens(text):
        raise BadValue(f"{prefix}: takes a word or a phrase in quotes.", f"{prefix}:grokking")
    return Text(column, text, exact)


def _read_author(text: str) -> Author:
    if not tokens(text):
        raise BadValue("au: takes a name, in quotes when it has blanks.", 'au:"Yoshua Bengio"')
    name, at, paper = text.partition("@")
    if not at:
        return Author(text)
    identifier = paper_id(paper)
    if identifier is None or not tokens(name):
        raise BadValue("au: takes a paper of the author behind the @.", 'au:"Wei Wang@2310.01234"')
    return Author(name.strip(), identifier)


def _read_category(text: str) -> Category:
    shape = _CATEGORY.fullmatch(text)
    if shape is None:
        raise BadValue(
            f"cat: takes an arXiv category or archive, such as cs.LG or cs.*, not {_shown(text)}.", "cat:cs.LG"
        )
    archive, subject = shape[1].lower(), shape[2]
    if subject is None or subject == "*":
        return Category(archive)
    return Category(f"{archive}.{subject.lower() if archive in _LOWER_CASE_SUBJECTS else subject.upper()}")


def _read_source(text: str) -> FromSource:
    name = SOURCES.get(text.lower())
    if name is None:
        raise BadValue(f"src: knows no source {_shown(text)}; allowed are {', '.join(SOURCES)}.", "src:hf")
    return FromSource(name)


def _read_count(text: str) -> MinUpvotes:
    if not _COUNT.fullmatch(text):
        raise BadValue(f"min: takes a number of upvotes, 0 or more, not {_shown(text)}.", "min:20")
    return MinUpvotes(int(text))


def _read_day(prefix: str, text: str) -> date:
    shape = _DATE.fullmatch(text)
    try:
        if shape is not None:
            return date(int(shape[1]), int(shape[2] or 1), int(shape[3] or 1))
    except ValueError:
        raise BadValue(f"{prefix}: there is no date {_shown(text)}.", f"{prefix}:2026-10-01") from None
    raise BadValue(
        f"{prefix}: takes a year, a month or a day (2026, 2026-10, 2026-10-01), not {_shown(text)}.",
        f"{prefix}:2026-10-01",
    )


def _read_like(text: str) -> Like:
    identifier = paper_id(text)
    if identifier is None:
        raise BadValue(f"like: takes a paper's id, such as 2310.01234, not {_shown(text)}.", "like:2310.01234")
    return Like(identifier)


def _shown(text: str) -> str:
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


_READERS: Mapping[str, Callable[[str], Leaf]] = {
    "au": _read_author,
    "cat": _read_category,
    "src": _read_source,
    "min": _read_count,
    "after": lambda text: Since(_read_day("after", text)),
    "before": lambda text: Until(_read_day("before", text)),
    "like": _read_like,
}
PREFIXES = ("ti", "abs", *_READERS)
