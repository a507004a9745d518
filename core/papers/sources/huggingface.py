"""Hugging Face Papers: daily lists by date, the trending rank, look-up by id, search.

The Hub's own client loses fields that the lists nest in `paper` (abstracts by a model, code, stars) and reads the wrong
date, so the HTTP API is read directly: https://huggingface.co/.well-known/openapi.json
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from core.errors import SourceError
from core.papers.paper import Listing, Record, Signal, arxiv_id
from core.papers.sources import Backfill, Find, Get, Lane, Lookup, Newest, Page, Wanted
from core.papers.sources.reading import clean_names, clean_text, clean_url, read_instant, read_json
from core.settings import Settings

NAME = "huggingface"
LANE = Lane("huggingface", connections=4)
# Search has a tenth of the other calls' quota (50 in 5 minutes); using it up must not stop the lists.
SEARCH_LANE = Lane("huggingface-search", connections=2)
DAILY_LIMIT = 100
FIRST_LIST = date(2023, 5, 4)
"""The day of the first daily list there is."""
TRENDING_LIMIT = 50
SEARCH_LIMIT = 120
QUERY_LENGTH = 250


class _Author(msgspec.Struct):
    name: str | None = None
    hidden: bool | None = None


class _Paper(msgspec.Struct, rename="camel"):
    id: str
    title: str | None = None
    summary: str | None = None
    authors: list[_Author] | None = None
    published_at: str | None = None
    withdrawn_at: str | None = None
    upvotes: float | None = None
    github_repo: str | None = None
    github_stars: float | None = None
    project_page: str | None = None
    ai_summary: str | None = msgspec.field(name="ai_summary", default=None)
    ai_keywords: list[str] | None = msgspec.field(name="ai_keywords", default=None)


class _Entry(msgspec.Struct, rename="camel"):
    # The outer `publishedAt` is New York's clock with a Z behind it, and is not read.
    paper: _Paper
    title: str | None = None
    summary: str | None = None
    num_comments: float | None = None


class HuggingFace:
    """The source `huggingface`."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._endpoint = settings.huggingface.endpoint
        # HF_TOKEN is often set for other programs, and HF_ENDPOINT to somebody's mirror: a mirror never gets the token.
        self._secret = "hf_token" if _may_have_token(self._endpoint) else ""

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        """Return the requests that answer `wanted`."""
        match wanted:
            case Newest(today=today, since=since):
                return (*(self._daily(day) for day in _days(since, today)), self._trending())
            case Backfill(since=since, until=until):
                return tuple(self._daily(day) for day in _days(since, until))
            case Lookup(ids=ids):
                return tuple(
                    self._get("paper", f"/papers/{quote(one, safe='')}", statuses=(200, 404)) for one in _arxiv(ids)
                )
            case Find(text=text, limit=limit):
                return self._search(text, limit)

    def parse(self, get: Get, body: bytes, *, now: datetime) -> Page:
        """Read a list of entries, or one paper."""
        document = read_json(self.name, body)
        if isinstance(document, dict) and "error" in document:
            return _read_refusal(get, document)
        if get.what == "paper":
            document = [{"paper": document}]
        if not isinstance(document, list):
            raise SourceError(self.name, "has answered with JSON that is not a list of papers")
        records: list[Record] = []
        odd: list[str] = []
        for index, item in enumerate(document):
            entry = _read_entry(item, get, index, odd)
            if entry is not None:
                records.append(_record(entry, get, _offset(get) + index + 1, now))
        if not document and get.what == "daily" and _offset(get) == 0:
            odd += _explain_empty(date.fromisoformat(get.value("date")))
        return Page(tuple(records), self._next(get, len(document)), tuple(odd))

    def instead(self, get: Get, failure: SourceError | None) -> Sequence[Get]:
        """Return nothing: there is no second place to ask."""
        del get, failure
        return ()

    def _get(self, what: str, path: str, *params: tuple[str, str], **more: Any) -> Get:
        return Get(
            self.name,
            what,
            f"{self._endpoint}/api{path}",
            more.pop("lane", LANE),
            ("application/json",),
            params,
            secret=self._secret,
            **more,
        )

    def _daily(self, day: date, page: int = 0) -> Get:
        params = (("date", day.isoformat()), ("p", str(page)), ("limit", str(DAILY_LIMIT)))
        return self._get("daily", "/daily_papers", *params, statuses=(200, 400))

    def _trending(self) -> Get:
        params = (("sort", "trending"), ("p", "0"), ("limit", str(TRENDING_LIMIT)))
        return self._get("trending", "/daily_papers", *params)

    def _search(self, text: str, limit: int) -> Sequence[Get]:
        query = clean_text(text)
        if len(query) > QUERY_LENGTH:
            query = query[: QUERY_LENGTH + 1].rsplit(" ", 1)[0][:QUERY_LENGTH]
        params = (("q", query), ("limit", str(max(1, min(limit, SEARCH_LIMIT)))))
        return (self._get("search", "/papers/search", *params, lane=SEARCH_LANE),) if query else ()

    def _next(self, get: Get, count: int) -> tuple[Get, ...]:
        # The parameter is `p`; an unknown one, as `page`, is ignored and brings the first page for ever.
        if get.what != "daily" or count < DAILY_LIMIT:
            return ()
        return (self._daily(date.fromisoformat(get.value("date")), int(get.value("p")) + 1),)


def _may_have_token(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme == "https" and (host == "huggingface.co" or host.endswith(".huggingface.co")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _days(since: date, until: date) -> Iterator[date]:
    """Yield the days from `until` back to `since`, both included; there are no lists before the first."""
    for back in range((until - max(since, FIRST_LIST)).days + 1):
        yield until - timedelta(days=back)


def _arxiv(ids: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(one for one in map(arxiv_id, ids) if one)


def _offset(get: Get) -> int:
    return int(get.value("p") or 0) * int(get.value("limit") or 0)


def _read_refusal(get: Get, document: Mapping[str, Any]) -> Page:
    if get.what == "paper":  # 404: Hugging Face does not list every paper, which is no failure
        return Page()
    said = clean_text(str(document["error"]))[:200]
    asked = f" for {get.value('date')}" if get.what == "daily" else ""
    raise SourceError(NAME, f"has refused the request{asked} ({said}); is this machine's clock right?", status=400)


def _read_entry(item: object, get: Get, index: int, odd: list[str]) -> _Entry | None:
    where = f"Entry {index + 1} of Hugging Face's {get.what} answer"
    try:
        entry = msgspec.convert(item, _Entry, strict=False)
    except msgspec.ValidationError as error:
        odd.append(f"{where} was left out: {error}.")
        return None
    if arxiv_id(entry.paper.id) is None:
        odd.append(f"{where} was left out: {entry.paper.id[:40]!r} is not an arXiv identifier.")
        return None
    if not clean_text(entry.paper.title or entry.title):
        odd.append(f"{where} was left out: {entry.paper.id} has no title.")
        return None
    return entry


def _record(entry: _Entry, get: Get, rank: int, now: datetime) -> Record:
    paper = entry.paper
    identifier = arxiv_id(paper.id)
    assert identifier is not None
    listed = get.what == "daily"
    return Record(
        id=identifier,
        source=NAME,
        title=clean_text(paper.title or entry.title),
        abstract=clean_text(paper.summary or entry.summary),
        authors=clean_names(author.name or "" for author in paper.authors or () if not author.hidden),
        published=read_instant(paper.published_at),
        code_url=clean_url(paper.github_repo, host="github.com"),
        project_url=clean_url(paper.project_page),
        ai_summary=clean_text(paper.ai_summary),
        keywords=clean_names(paper.ai_keywords or ()),
        withdrawn=bool(paper.withdrawn_at),
        signals=tuple(_signals(entry, rank if get.what == "trending" else None, now)),
        listings=(Listing(NAME, date.fromisoformat(get.value("date")), "daily"),) if listed else (),
    )


def _signals(entry: _Entry, rank: int | None, now: datetime) -> Iterator[Signal]:
    readings = {
        "upvotes": entry.paper.upvotes,
        "comments": entry.num_comments,
        "stars": entry.paper.github_stars,
        "trending_rank": rank,
    }
    for name, value in readings.items():
        if value is not None and 0 <= value < float("inf"):
            yield Signal(name, float(value), now, NAME)


def _explain_empty(day: date) -> Iterator[str]:
    if day.weekday() < 5:
        yield f"Hugging Face lists no paper for {day:%A} {day.isoformat()} (yet)."
