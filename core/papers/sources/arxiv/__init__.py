"""arXiv: the day's batch from its feeds, list pages when those fail, the query API, OAI-PMH for what was missed.

How they hang together:

    Newest    feed of each category ──failed, empty or stale──> list page of that category ──no abstracts──> query API
    Lookup    query API, 100 ids at a time
    Find      query API
    Backfill  OAI-PMH, page by page with resumption tokens

All four addresses share one lane: arXiv's terms allow one connection and one request in three seconds over everything
(https://info.arxiv.org/help/api/tou.html). A batch is known by its papers, per category; dates in feeds can be a day
behind, and one category can be stale while another is current. That is why categories are asked for one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from core.errors import SourceError
from core.papers.paper import arxiv_id
from core.papers.sources import Backfill, Find, Get, Lane, Lookup, Newest, Page, Wanted
from core.papers.sources.arxiv.feed import read_feed
from core.papers.sources.arxiv.listing import read_list
from core.papers.sources.arxiv.oai import oai_sets, read_oai
from core.papers.sources.arxiv.query import read_query
from core.settings import Settings

NAME = "arxiv"
XML = ("application/atom+xml", "application/rss+xml", "application/xml", "text/xml")
HTML = ("text/html", "application/xhtml+xml")
IDS_AT_ONCE = 100
PAUSE = 600.0  # a host that answers 429 recovers after about ten minutes of silence, and not before
DEADLINE = 60.0
OAI_DEADLINE = 180.0  # half a minute is usual for a page, and a minute and more was seen
REFUSALS = frozenset({400, 403, 429, 503})  # asking another address of arXiv's would not mend these
_WORD = re.compile(r"\w+(?:[-'.]\w+)*")


class Arxiv:
    """The source `arxiv`."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.arxiv
        self._lane = Lane(NAME, settings.arxiv.min_interval, connections=1, pause=PAUSE)

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        """Return the requests that answer `wanted`."""
        match wanted:
            case Newest(categories=categories):
                return tuple(self._feed(category, wanted) for category in _asked_as(categories))
            case Lookup(ids=ids):
                return self._lookup(tuple(dict.fromkeys(one for one in map(arxiv_id, ids) if one)))
            case Find(text=text, limit=limit):
                return self._search(text, limit)
            case Backfill():
                return tuple(self._harvest(wanted, name) for name in oai_sets(_asked_as(wanted.categories)))

    def parse(self, get: Get, body: bytes, *, now: datetime) -> Page:
        """Read a feed, a list page, an answer of the query API or of OAI-PMH."""
        del now  # arXiv says nothing that changes by the hour
        match get.what:
            case "feed":
                return read_feed(get, body)
            case "list":
                records, unread = read_list(get, body)
                return Page(records, tuple(self._lookup(unread)))
            case "oai":
                records, token, odd = read_oai(get, body)
                return Page(records, (self._resume(get, token),) if token else (), odd)
            case _:
                return read_query(get, body)

    def instead(self, get: Get, failure: SourceError | None) -> Sequence[Get]:
        """Return the list page for a feed that failed, or that lacks a batch which should be there."""
        if get.what != "feed" or (failure is not None and failure.status in REFUSALS):
            return ()
        batch = last_weekday(date.fromisoformat(get.value("today")))
        if failure is None and date.fromisoformat(get.value("since")) >= batch:
            return ()
        category = get.value("category")
        url = f"{self._settings.list_url}/{category}/new"
        return (self._get("list", url, HTML, conditional=True, about=(("category", category),)),)

    def _get(self, what: str, url: str, accepts: tuple[str, ...], **more: object) -> Get:
        options = {"deadline": DEADLINE, **more}
        return Get(self.name, what, url, self._lane, accepts, **options)  # type: ignore[arg-type]

    def _feed(self, category: str, wanted: Newest) -> Get:
        about = (
            ("category", category),
            ("today", wanted.today.isoformat()),
            ("since", wanted.since.isoformat()),
        )
        url = f"{self._settings.rss_url}/atom/{category}"
        return self._get("feed", url, XML, statuses=(200, 400), conditional=True, about=about)

    def _lookup(self, ids: Sequence[str]) -> Sequence[Get]:
        chunks = (ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE))
        # Without max_results the answer holds ten entries.
        return tuple(self._query(("id_list", ",".join(chunk)), ("max_results", str(len(chunk)))) for chunk in chunks)

    def _search(self, text: str, limit: int) -> Sequence[Get]:
        # Hyphens and the words AND, OR and NOT mean something there; in quotes they are text.
        query = " AND ".join(f'all:"{word}"' for word in _WORD.findall(text)[:20])
        size = ("max_results", str(max(1, min(limit, IDS_AT_ONCE))))
        return (self._query(("search_query", query), size, ("sortBy", "relevance")),) if query else ()

    def _query(self, *params: tuple[str, str]) -> Get:
        return self._get("query", self._settings.api_url, XML, params=params, statuses=(200, 400))

    def _harvest(self, wanted: Backfill, name: str) -> Get:
        params = (
            ("verb", "ListRecords"),
            ("metadataPrefix", "arXiv"),
            ("set", name),
            # Days there are those of the last change: the announcement, on the evening before, or the submission.
            ("from", last_weekday(wanted.since - timedelta(days=1)).isoformat()),
        )
        about = (
            ("since", wanted.since.isoformat()),
            ("until", wanted.until.isoformat()),
            ("categories", " ".join(_asked_as(wanted.categories))),
        )
        return self._get("oai", self._settings.oai_url, XML, params=params, about=about, deadline=OAI_DEADLINE)

    def _resume(self, get: Get, token: str) -> Get:
        params = (("verb", "ListRecords"), ("resumptionToken", token))
        return self._get("oai", get.url, XML, params=params, about=get.about, deadline=OAI_DEADLINE)


def last_weekday(day: date) -> date:
    """Return `day`, or the Friday before it when it is a Saturday or Sunday: the day of the newest feed."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _asked_as(categories: Sequence[str]) -> tuple[str, ...]:
    """Return categories as arXiv's addresses spell them, each once: the archive `cs` stands for `cs.*`."""
    return tuple(dict.fromkeys(category.removesuffix(".*") for category in categories))
