"""arXiv's query API: works by id and by words (https://info.arxiv.org/help/api/user-manual.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from core.errors import SourceError
from core.papers.paper import Record, split_version
from core.papers.sources import Get, Page
from core.papers.sources.reading import clean_names, read_instant, read_xml, says_withdrawn, text_of

# Authors' own classes (`68T05`, `I.2.6`) stand among the categories.
_CATEGORY = re.compile(r"[a-z][a-z-]*(?:\.[A-Za-z-]+)?")


def read_query(get: Get, body: bytes) -> Page:
    """Return the entries of an answer; SourceError for an Error entry, and for a page empty against its own total."""
    root = read_xml(get.source, body)
    if not root.tag.endswith("}feed"):
        raise SourceError(get.source, "has answered with XML that is not an Atom feed")
    entries = root.findall("{*}entry")
    for entry in entries:
        if text_of(entry, "{*}title") == "Error" and "/api/errors" in text_of(entry, "{*}id"):
            said = text_of(entry, "{*}summary")[:200]
            raise SourceError(get.source, f"has refused the request ({said})", status=400)
    total = text_of(root, "{*}totalResults")
    if not entries and total.isdigit() and int(total) > int(get.value("start") or 0):
        raise SourceError(get.source, f"has answered with an empty page although it counts {total} results")
    odd: list[str] = []
    return Page(tuple(record for entry in entries for record in _read_entry(entry, get, odd)), odd=tuple(odd))


def _read_entry(entry: Element, get: Get, odd: list[str]) -> Iterator[Record]:
    address = text_of(entry, "{*}id")
    try:
        identifier, version = split_version(address.partition("/abs/")[2])
    except ValueError:
        odd.append(f"An entry of arXiv's answer was left out: {address[:80]!r} names no paper.")
        return
    primary = entry.find("{*}primary_category")
    terms = [] if primary is None else [primary.get("term", "")]
    terms += [category.get("term", "") for category in entry.findall("{*}category")]
    comment, abstract = text_of(entry, "{*}comment"), text_of(entry, "{*}summary")
    yield Record(
        id=identifier,
        source=get.source,
        title=text_of(entry, "{*}title"),
        abstract=abstract,
        authors=clean_names(text_of(author, "{*}name") for author in entry.findall("{*}author")),
        categories=clean_names(term for term in terms if _CATEGORY.fullmatch(term)),
        published=read_instant(text_of(entry, "{*}published")),
        updated=read_instant(text_of(entry, "{*}updated")),
        version=version,
        comment=comment,
        journal_ref=text_of(entry, "{*}journal_ref"),
        doi=text_of(entry, "{*}doi"),
        withdrawn=says_withdrawn(comment, abstract),
    )
