"""A paper -> one RIS record, which reference managers read.

One field a line: a tag of two letters, two blanks, a hyphen and a blank.
https://en.wikipedia.org/wiki/RIS_(file_format)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.chat.cards import page_address
from core.chat.latex import to_unicode
from core.papers.paper import Paper

_PARTICLES = frozenset(
    {"van", "von", "der", "den", "de", "di", "da", "del", "della", "dos", "du", "la", "le", "ter", "zu"}
)
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv)\.?", re.IGNORECASE)
_GROUP = re.compile(r"\b(?:and|collaboration|team|consortium)\b", re.IGNORECASE)


def ris(paper: Paper) -> str:
    """Return the record: a journal's article where a journal is known, an unpublished work otherwise."""
    return "".join(f"{tag}  - {value}\n" for tag, value in _fields(paper) if value) + "ER  - \n"


def _fields(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "TY", "JOUR" if paper.journal_ref.strip() else "UNPB"
    yield "TI", _one_line(to_unicode(paper.title)) or paper.id
    for author in dict.fromkeys(paper.authors):
        yield "AU", family_first(to_unicode(author))
    if paper.published:
        yield "PY", str(paper.published.year)
        yield "DA", f"{paper.published:%Y/%m/%d}"
    yield "JO", _one_line(to_unicode(paper.journal_ref))
    yield "DO", _one_line(paper.doi)
    yield "AN", f"arXiv:{paper.id}" if paper.is_arxiv else paper.id
    yield "UR", page_address(paper)
    yield "AB", _one_line(to_unicode(paper.abstract))
    for category in paper.categories:
        yield "KW", category


def family_first(name: str) -> str:
    """Return `van Beethoven, Ludwig` as RIS wants names; a group's name, and a single one, as it is."""
    words = _one_line(name).split()
    if "," in name or _GROUP.search(name) or len(words) < 2:
        return " ".join(words)
    suffix = words.pop() if _SUFFIX.fullmatch(words[-1]) and len(words) > 2 else ""
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in _PARTICLES:
        start -= 1
    family, given = " ".join(words[start:]), " ".join(words[:start])
    return ", ".join(filter(None, (family, given, suffix)))


def _one_line(value: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())
