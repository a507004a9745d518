"""arXiv's OAI-PMH, for batches that were missed: records by the day of their last change.

https://info.arxiv.org/help/oa/index.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from xml.etree.ElementTree import Element

from core.errors import SourceError
from core.papers.calendar import listing_day
from core.papers.paper import Listing, Record, split_version
from core.papers.sources import Get
from core.papers.sources.reading import clean_names, clean_text, read_instant, read_xml, says_withdrawn, text_of

_PHYSICS = frozenset(
    {"astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin", "nucl-ex", "nucl-th"}
    | {"physics", "quant-ph"}
)
# Cross-lists make the categories of an archive overlap so much that three slow answers hold more than the whole.
_WHOLE_FROM = 3


def oai_sets(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the sets that hold these categories: `cs:cs:AI`, `physics:hep-th`, or `cs` when many of cs are wanted."""
    wanted = Counter(category.partition(".")[0] for category in categories)
    return tuple(dict.fromkeys(_set(category, wanted) for category in categories))


def _set(category: str, wanted: Counter[str]) -> str:
    archive, _, subject = category.partition(".")
    if archive in _PHYSICS:
        return f"physics:{archive}:{subject}" if subject else f"physics:{archive}"
    return f"{archive}:{archive}:{subject}" if subject and wanted[archive] < _WHOLE_FROM else archive


def read_oai(get: Get, body: bytes) -> tuple[tuple[Record, ...], str, tuple[str, ...]]:
    """Return records, the token that brings the next page (or nothing), and what was odd."""
    root = read_xml(get.source, body)
    if not root.tag.endswith("OAI-PMH"):
        raise SourceError(get.source, "has answered with XML that is not OAI-PMH")
    error = root.find("{*}error")
    if error is not None:
        if error.get("code") == "noRecordsMatch":
            return (), "", ()
        said = clean_text(f"{error.get('code', '')}: {error.text or ''}")[:200]
        raise SourceError(get.source, f"has refused the request ({said})")
    odd: list[str] = []
    records = tuple(record for item in root.iterfind(".//{*}record") for record in _read_record(item, get, odd))
    return records, text_of(root, ".//{*}resumptionToken"), tuple(odd)


def _read_record(item: Element, get: Get, odd: list[str]) -> Iterator[Record]:
    header, content = item.find("{*}header"), item.find("{*}metadata/{*}arXiv")
    if content is None:
        if header is None or header.get("status") != "deleted":
            odd.append("A record of arXiv's OAI-PMH was left out: it holds no arXiv metadata.")
        return
    try:
        identifier, _ = split_version(text_of(content, "{*}id"))
    except ValueError:
        named = text_of(content, "{*}id")[:60]
        odd.append(f"A record of arXiv's OAI-PMH was left out: {named!r} is not an arXiv identifier.")
        return
    created = read_instant(text_of(content, "{*}created"))
    categories = tuple(dict.fromkeys(text_of(content, "{*}categories").split()))
    comment, abstract = text_of(content, "{*}comments"), text_of(content, "{*}abstract")
    yield Record(
        id=identifier,
        source=get.source,
        title=text_of(content, "{*}title"),
        abstract=abstract,
        authors=clean_names(_name(author) for author in content.iterfind("{*}authors/{*}author")),
        categories=categories,
        published=created,
        updated=read_instant(text_of(content, "{*}updated")),
        comment=comment,
        journal_ref=text_of(content, "{*}journal-ref"),
        doi=text_of(content, "{*}doi"),
        license=text_of(content, "{*}license"),
        withdrawn=says_withdrawn(comment, abstract),
        listings=_listings(get, created.date() if created else None, categories),
    )


def _name(author: Element) -> str:
    parts = (text_of(author, f"{{*}}{part}") for part in ("forenames", "keyname", "suffix"))
    return " ".join(part for part in parts if part)


def _listings(get: Get, created: date | None, categories: Sequence[str]) -> tuple[Listing, ...]:
    """Return the announcement of a paper whose batch falls into the gap and into the wanted categories."""
    wanted = get.value("categories").split()
    if created is None or not any(_within(category, wanted) for category in categories):
        return ()
    day = listing_day(created)
    if not date.fromisoformat(get.value("since")) <= day <= date.fromisoformat(get.value("until")):
        return ()
    return (Listing(get.source, day, "new" if _within(categories[0], wanted) else "cross"),)


def _within(category: str, wanted: Sequence[str]) -> bool:
    return category in wanted or category.partition(".")[0] in wanted
