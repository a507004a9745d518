"""arXiv's list pages, for when a feed fails: `LIST_URL/CATEGORY/new` shows the day's batch as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from bs4 import BeautifulSoup, Tag

from core.errors import SourceError
from core.papers.paper import Listing, Record, arxiv_id
from core.papers.sources import Get
from core.papers.sources.reading import clean_names, clean_text

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HEADING = re.compile(
    r"Showing new listings for \w+,?\s+(?P<day>\d{1,2}) (?P<month>[A-Za-z]{3})[a-z]*\.? (?P<year>\d{4})"
)
_SUBJECT = re.compile(r"\(([a-z][a-z-]*(?:\.[A-Za-z-]+)?)\)")


def read_list(get: Get, body: bytes) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return the listed papers, and the ids of those that the page shows without an abstract.

    Replacements, which stand at the end of the page, are left out.
    """
    page = BeautifulSoup(body, "html.parser")
    day = _read_day(get, page)
    records = tuple(_read_items(get, page, day))
    return records, tuple(record.id for record in records if not record.abstract)


def _read_day(get: Get, page: BeautifulSoup) -> date:
    match = _HEADING.search(clean_text(page.get_text(" ")))
    if match is None or match["month"].lower() not in _MONTHS:
        raise SourceError(get.source, f"has answered with a page that is not the list of {get.value('category')}")
    try:
        return date(int(match["year"]), _MONTHS.index(match["month"].lower()) + 1, int(match["day"]))
    except ValueError:
        written = f"{match['day']} {match['month']} {match['year']}"
        raise SourceError(get.source, f"has dated its list of {get.value('category')} {written!r}") from None


def _read_items(get: Get, page: BeautifulSoup, day: date) -> Iterator[Record]:
    for term in page.find_all("dt"):
        link = term.find("a", title="Abstract") or term.find("a", href=re.compile("/abs/"))
        identifier = arxiv_id(str(link.get("href", "")).rpartition("/abs/")[2]) if link else None
        marks = clean_text(term.get_text(" "))
        if identifier is None or "(replaced" in marks:
            continue
        kind = "cross" if "(cross-list" in marks else "new"
        details = term.find_next_sibling("dd")
        yield Record(
            id=identifier,
            source=get.source,
            title=_text(details, "list-title"),
            abstract=_abstract(details),
            authors=_authors(details),
            categories=tuple(dict.fromkeys(_SUBJECT.findall(_text(details, "list-subjects")))),
            comment=_text(details, "list-comments"),
            journal_ref=_text(details, "list-journal-ref"),
            listings=(Listing(get.source, day, kind),),
        )


def _text(details: Tag | None, name: str) -> str:
    found = details.find(class_=name) if details else None
    if found is None:
        return ""
    label = found.find(class_="descriptor")
    text = clean_text(found.get_text())
    return text.removeprefix(clean_text(label.get_text())).strip() if label else text


def _authors(details: Tag | None) -> tuple[str, ...]:
    found = details.find(class_="list-authors") if details else None
    return clean_names(link.get_text() for link in found.find_all("a")) if found else ()


def _abstract(details: Tag | None) -> str:
    found = details.find("p", class_="mathjax") if details else None
    return clean_text(found.get_text()) if found else ""
