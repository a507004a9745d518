"""The shapes in which papers come by the thousand: one JSON object -> Record, or what is wrong with it.

arXiv's metadata snapshot   one object a line: https://www.kaggle.com/datasets/Cornell-University/arxiv
paperboy's own              one object a line: id, title and abstract; the fields of a Record where they are known
Hugging Face's daily list   one array of entries: https://huggingface.co/docs/hub/api
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import msgspec

from core.papers.paper import Record, arxiv_id
from core.papers.sources import Backfill, Page
from core.papers.sources.huggingface import HuggingFace
from core.papers.sources.reading import clean_names, clean_text, clean_url, read_instant, says_withdrawn
from core.settings import Settings

IMPORT = "import"
MAX_VERSION = 10_000
MAX_TITLE = 1_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_VERSION = re.compile(r"\dv([1-9]\d*)(?:\.pdf)?/?$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`")
_PLACE = re.compile(r"at `\$\.([^`]+)`")
_KINDS = {"str": "a text", "int": "a whole number", "array": "a list", "object": "an object"}
_FOREIGN = re.compile(r"[^\s\x00-\x1f\ud800-\udfff]{1,200}")


class _Version(msgspec.Struct):
    version: str = ""
    created: str = ""


class _Snapshot(msgspec.Struct, rename={"journal_ref": "journal-ref"}):
    """A line of arXiv's snapshot."""

    id: str
    title: str
    versions: list[_Version]
    abstract: str | None = None
    authors: str | None = None
    authors_parsed: list[list[str]] | None = None
    categories: str | None = None
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    license: str | None = None
    update_date: str | None = None


class _Own(msgspec.Struct):
    """A line of paperboy's own format."""

    id: str | int
    title: str
    abstract: str | None = None
    authors: list[str] | str | None = None
    categories: list[str] | str | None = None
    published: str | None = None
    updated: str | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=MAX_VERSION)] | None = None
    comment: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    license: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    keywords: list[str] | None = None


class Unreadable(Exception):  # noqa: N818 - it never leaves `bulk`, which says where
    """An object that is no paper; the message is a clause."""


def read_object(item: Any) -> Record:
    """Return the record in one object.

    Raises:
        Unreadable: why it is none.
    """
    if not isinstance(item, dict):
        raise Unreadable("this is not a JSON object")
    try:
        if isinstance(item.get("versions"), list):
            record = _read_snapshot(msgspec.convert(item, _Snapshot))
        else:
            record = _read_own(msgspec.convert(item, _Own))
    except msgspec.ValidationError as error:
        raise Unreadable(_reword(str(error))) from None
    if not record.title:
        raise Unreadable(f"{record.id} has no title")
    if len(record.title) > MAX_TITLE:
        raise Unreadable(f"the title of {record.id} has more than {MAX_TITLE:,} characters")
    return record


def _reword(told: str) -> str:
    """Return what msgspec found wrong with an object, without its jargon."""
    if missing := _MISSING.search(told):
        return f"{missing[1]} is missing"
    place = _PLACE.search(told)
    where = place[1] if place else "this"
    if expected := _EXPECTED.search(told):
        kinds = [_KINDS.get(kind, kind) for kind in expected[1].split(" | ") if kind != "null"]
        return f"{where} must be {' or '.join(kinds)}"
    return f"{where} holds what cannot be read"


def _read_snapshot(line: _Snapshot) -> Record:
    identifier = _read_id(line.id)
    names = [" ".join((first, last, *rest)) for last, first, *rest in _whole_names(line.authors_parsed or [])]
    listed = re.split(r",\s*|\s+and\s+", clean_text(line.authors))
    comment = clean_text(line.comments)
    abstract = clean_text(line.abstract)
    return Record(
        id=identifier,
        source="arxiv",
        title=clean_text(line.title),
        abstract=abstract,
        authors=clean_names(names or listed),
        categories=tuple((line.categories or "").split()),
        published=_read_mail_date(line.versions[0].created) if line.versions else None,
        updated=_read_mail_date(line.versions[-1].created) if line.versions else read_instant(line.update_date),
        version=len(line.versions) or None,
        comment=comment,
        journal_ref=clean_text(line.journal_ref),
        doi=clean_text(line.doi),
        license=clean_url(line.license),
        withdrawn=says_withdrawn(abstract, comment),
    )


def _whole_names(parsed: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    return ((*name, "") if len(name) == 1 else name for name in parsed if name)


def _read_own(line: _Own) -> Record:
    named = str(line.id).strip()
    authors = re.split(r"\s*[;,]\s*", line.authors) if isinstance(line.authors, str) else line.authors
    categories = line.categories.split() if isinstance(line.categories, str) else line.categories
    return Record(
        id=_read_id(named),
        source=IMPORT,
        title=clean_text(line.title),
        abstract=clean_text(line.abstract),
        authors=clean_names(authors or ()),
        categories=clean_names(categories or ()),
        published=_read_date("published", line.published),
        updated=_read_date("updated", line.updated),
        version=line.version or _version_in(named),
        comment=clean_text(line.comment),
        journal_ref=clean_text(line.journal_ref),
        doi=clean_text(line.doi),
        license=clean_text(line.license),
        code_url=clean_url(line.code_url),
        project_url=clean_url(line.project_url),
        keywords=clean_names(line.keywords or ()),
        withdrawn=says_withdrawn(clean_text(line.abstract), clean_text(line.comment)),
    )


def _read_date(name: str, typed: str | None) -> datetime | None:
    instant = read_instant(typed)
    if instant is None and typed:
        raise Unreadable(f"{name} must be a date such as 2026-03-02, not {typed[:40]!r}")
    return instant


def _read_id(text: str) -> str:
    identifier = arxiv_id(text)
    if identifier is None and not _FOREIGN.fullmatch(text):
        raise Unreadable(f"the id {text[:40]!r} is empty, too long, or holds blanks")
    return identifier or text


def _version_in(text: str) -> int | None:
    found = _VERSION.search(text) if arxiv_id(text) else None
    return int(found[1]) if found else None


def _read_mail_date(text: str) -> datetime | None:
    """Return the instant of a date as mails have it (`Mon, 2 Apr 2007 19:18:42 GMT`)."""
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def is_daily_list(document: Any) -> bool:
    """Whether a JSON document is Hugging Face's daily list."""
    return isinstance(document, list) and any(isinstance(item, dict) and "paper" in item for item in document)


def read_daily_list(document: Sequence[Any], name: str, now: datetime) -> Page:
    """Return the records of a daily list, listed for the day in the file's name, else for the day that an entry tells.

    Readings are dated at the end of that day: it is not known when they were taken, only that it was not today.
    """
    source = HuggingFace(Settings())
    found = _DAY.search(name)
    by_day: dict[date | None, list[Any]] = {}
    for item in document:
        by_day.setdefault(_as_day(found[0]) if found else _told_day(item), []).append(item)
    records: list[Record] = []
    odd: list[str] = []
    for day, items in by_day.items():
        if day is None:
            odd.append(f"{len(items)} entries tell no day on which they were listed.")
            continue
        (get,) = source.ask(Backfill(since=day, until=day))
        at = min(now, datetime.combine(day, time(23, 59), UTC))
        page = source.parse(get, json.dumps(items).encode(), now=at)
        records += page.records
        odd += page.odd
    return Page(tuple(records), (), tuple(odd))


def _told_day(item: Any) -> date | None:
    paper = item.get("paper") if isinstance(item, dict) else None
    told: Mapping[str, Any] = paper if isinstance(paper, dict) else {}
    return _as_day(str(told.get("submittedOnDailyAt", ""))[:10])


def _as_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
