"""arXiv's Atom feeds: what was announced last in one category (https://info.arxiv.org/help/rss_specifications.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from core.errors import SourceError
from core.papers.paper import Listing, Record, split_version
from core.papers.sources import Get, Page
from core.papers.sources.arxiv.names import read_creators
from core.papers.sources.reading import clean_names, read_instant, read_xml, says_withdrawn, text_of

MAX_ENTRIES = 2000
LISTED = frozenset({"new", "cross"})
REPLACED = frozenset({"replace", "replace-cross"})
_PREFIX = re.compile(r"arXiv:\S+\s+Announce Type:\s*\S+\s+(?:Abstract:\s*)?")


def read_feed(get: Get, body: bytes) -> Page:
    """Return the records of a feed: new papers and cross-lists with a listing, replacements as updates only."""
    root = read_xml(get.source, body)
    title = text_of(root, "{*}title")
    if title.startswith("Feed error"):
        raise SourceError(get.source, f"has no feed for the category {get.value('category')}", status=400)
    if not root.tag.endswith("}feed"):
        raise SourceError(get.source, "has answered with XML that is not an Atom feed")
    odd: list[str] = []
    entries = root.findall("{*}entry")
    records = tuple(record for entry in entries for record in _read_entry(entry, get, odd))
    if len(entries) >= MAX_ENTRIES:
        odd.append(
            f"arXiv's feed of {get.value('category')} is cut at {MAX_ENTRIES} entries; name its parts as categories."
        )
    return Page(records, odd=tuple(odd))


def _read_entry(entry: Element, get: Get, odd: list[str]) -> Iterator[Record]:
    named = text_of(entry, "{*}id")
    try:
        identifier, version = split_version(named.rpartition(":")[2])
    except ValueError:
        odd.append(f"An entry of arXiv's feed was left out: {named[:60]!r} is not an arXiv identifier.")
        return
    kind = text_of(entry, "{*}announce_type")
    if kind not in LISTED | REPLACED:
        odd.append(f"arXiv announced {identifier} as {kind[:40]!r}, which paperboy does not know; it was not listed.")
    abstract = _PREFIX.sub("", text_of(entry, "{*}summary"), count=1)
    yield Record(
        id=identifier,
        source=get.source,
        title=text_of(entry, "{*}title"),
        abstract=abstract,
        authors=read_creators(text_of(entry, "{*}creator")),
        categories=clean_names(category.get("term", "") for category in entry.findall("{*}category")),
        version=version,
        journal_ref=text_of(entry, "{*}journal_reference"),
        doi=text_of(entry, "{*}DOI"),
        license=text_of(entry, "{*}rights"),
        withdrawn=says_withdrawn(abstract),
        listings=_listings(entry, get, kind),
    )


def _listings(entry: Element, get: Get, kind: str) -> tuple[Listing, ...]:
    # `published` is midnight in New York on the day of the batch: the day as it is written there, not as it is in UTC.
    written = text_of(entry, "{*}published")[:10]
    batch = read_instant(written) or read_instant(get.value("today"))
    return (Listing(get.source, batch.date(), kind),) if kind in LISTED and batch else ()
