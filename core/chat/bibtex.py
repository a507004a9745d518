r"""A paper -> one BibTeX entry, in the form that arXiv recommends: https://info.arxiv.org/help/hypertex/bibstyles/.

Unicode stays (biber and today's engines read it); TeX's own marks are escaped in what people wrote as plain text.
Titles keep their formulas. BibTeX counts `\{` as a brace, too, so a lone one is written by its name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from core.chat.latex import to_unicode
from core.papers.paper import Paper

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", **{mark: "\\" + mark for mark in "$&#%_"},
}  # fmt: skip
_FORMULA = re.compile(
    r"(?<!\\)\$(?=\S)(?:[^$\\{}%#&]|\\[^{}]|\\?\{(?:[^${}\\%#&]|\\[^{}]|\\?\{[^${}\\%#&]*\\?\})*\\?\}){1,200}\$(?!\d)",
    re.DOTALL,
)
_CAPITALS = re.compile(r"\S*(?<=\S)[A-Z]\S*|\S*[A-Z](?=[0-9-])\S*")
_SMALL_WORDS = frozenset(
    {"a", "an", "the", "on", "of", "in", "for", "to", "and", "is", "are", "with", "from", "by", "at"}
)
LONGEST_PART = 40
"""Letters of a name or a word in a key, which is a file's name as well."""
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv)\.?", re.IGNORECASE)


def bibtex(paper: Paper) -> str:
    """Return the entry: `@article` where a journal is known, `@misc` otherwise, with all authors."""
    fields = "".join(f"  {name:<13} = {{{value}}},\n" for name, value in _fields(paper) if value)
    return f"@{'article' if paper.journal_ref.strip() else 'misc'}{{{citation_key(paper)},\n{fields}}}\n"


def citation_key(paper: Paper) -> str:
    """Return `vaswani2017attention`: last name of the first author, year, first telling word of the title; ASCII."""
    author = _ascii(_last_name(to_unicode(paper.authors[0])))[:LONGEST_PART] if paper.authors else ""
    words = map(_ascii, re.split(r"[\s\-–—/:]+", to_unicode(paper.title)))  # noqa: RUF001 - dashes of print are meant
    word = next((word for word in words if word and word not in _SMALL_WORDS), "")
    year = str(paper.published.year) if paper.published else ""
    return author + year + word[:LONGEST_PART] or _ascii(paper.id)[:LONGEST_PART] or "paper"


def _fields(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "title", protect_title(paper.title or paper.id)
    yield "author", " and ".join(filter(None, map(_write_author, paper.authors)))
    if paper.published:
        yield "year", str(paper.published.year)
    yield "journal", escape(to_unicode(paper.journal_ref))
    yield "doi", _write_verbatim(paper.doi)
    if paper.is_arxiv:
        yield "eprint", paper.id
        yield "archivePrefix", "arXiv"
        yield "primaryClass", next(iter(paper.categories), "")
        yield "url", f"https://arxiv.org/abs/{paper.id}"


def escape(text: str) -> str:
    """Escape what TeX would read as its own, and drop what no engine prints."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join("".join(_SPECIAL.get(character, character) for character in printable).split())


def protect_title(title: str) -> str:
    """Return a title that compiles: its formulas as they are, words with inner capitals in braces, the rest escaped."""
    title = " ".join(title.split())
    pieces: list[str] = []
    end = 0
    for formula in _FORMULA.finditer(title):
        pieces += (_protect_words(title[end : formula.start()]), "{" + formula[0] + "}")
        end = formula.end()
    return "".join([*pieces, _protect_words(title[end:])]).strip()


def _protect_words(text: str) -> str:
    """Escape words, put braces around those whose capitals a style would lower, and keep the blanks at both ends."""
    plain = to_unicode(text)
    words = (f"{{{escape(word)}}}" if _CAPITALS.fullmatch(word) else escape(word) for word in plain.split())
    lead, trail = (" " if text[:1].isspace() else ""), (" " if text[-1:].isspace() else "")
    return lead + " ".join(words) + trail if plain else lead


def _write_author(author: str) -> str:
    """Escape a name; one that holds a comma or the word "and" is a group's, and stands in braces."""
    name = escape(to_unicode(author))
    group = "," in name or re.search(r"\band\b|\b(?:collaboration|team|consortium)\b", name, re.IGNORECASE)
    return f"{{{name}}}" if group and name else name


def _write_verbatim(address: str) -> str:
    return re.sub(r"[\s{}\\%]", "", address)


def _last_name(author: str) -> str:
    names = [name for name in author.partition(",")[0].split() if not _SUFFIX.fullmatch(name)]
    return names[-1] if names else ""


def _ascii(text: str) -> str:
    spelled = text.translate(
        {ord("ø"): "o", ord("ł"): "l", ord("ß"): "ss", ord("æ"): "ae", ord("Ø"): "O", ord("Ł"): "L"}
    )
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode().lower())
