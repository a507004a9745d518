"""Atom feeds (RFC 4287) for everything a subscription can express.

`/feed?q=INTERESTS&top=N&days=daily|weekdays|weekly|mon,thu&at=HH:MM&timezone=Area/City`, all of it optional. A feed is
made of editions, as a subscription is of digests: one for each of its days, of what was listed since the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from itertools import pairwise
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.reading_room import Shelf
from bots.web.search import query_error_page
from bots.web.site import ENVIRONMENT, SEARCH, Site, answer, limit, paper_path, sentence_page, site_of
from core.chat.cards import page_address
from core.chat.latex import to_unicode
from core.chat.parsing import parse_days, parse_time, parse_timezone
from core.chat.render import chosen_why
from core.clock import zone_of
from core.digests.digest import Chosen, Order, compose
from core.digests.ranking import Ranked
from core.digests.subscription import DAILY
from core.errors import QueryError, UsageError
from core.papers.browsing import list_papers
from core.papers.windows import Between
from core.search.query import Query, parse
from core.search.tree import Category

REACH = timedelta(days=10)
WEEKLY_REACH = timedelta(days=35)
MOST_ENTRIES = 60
MOST_TOP = 50
MOST_LETTERS = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a feed is of; see `Subscription` for the words.

    Attributes:
        query: the interests.
        top: papers an edition.
        days: weekdays of its editions.
        upto: the newest day that may have one.
        asked: the address's own words, for the feed's identity.
    """

    query: Query
    top: int
    days: tuple[int, ...]
    upto: date
    asked: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a feed, in text without what XML cannot hold."""

    identifier: str
    title: str
    path: str
    abstract_page: str
    why: str
    abstract: str
    authors: Sequence[str]
    categories: Sequence[str]
    published: datetime
    updated: datetime


async def feed(request: Request) -> Response:
    """Send a feed."""
    limit(request, SEARCH)
    site = site_of(request)
    try:
        wanted = read_wanted(request, site)
        shelf = await site.room.shelf()
        entries = await site.room.once(("feed", wanted), lambda: _entries(site, shelf, wanted))
    except QueryError as error:
        return query_error_page(request, error)
    except UsageError as error:
        return sentence_page(request, HTTPStatus.BAD_REQUEST, sentence=f"{error} {error.hint}".strip())
    changed = max((entry.updated for entry in entries), default=datetime.combine(wanted.upto, time(0), UTC))
    host = urlsplit(site.base_url).hostname or "localhost"
    body = ENVIRONMENT.get_template("feed.xml").render(
        base=site.base_url,
        tag=f"tag:{host},2026:",
        wanted=wanted,
        heading=_clean(f"paperboy: {str(wanted.query.text).strip() or 'everything'}"),
        about=_clean(urlencode({"q": wanted.query.text}, errors="replace")),
        entries=entries,
        changed=changed,
        sample=shelf.sample,
    )
    headers = {"Cache-Control": "public, max-age=600"}
    return answer(request, body, media_type="application/atom+xml; charset=utf-8", headers=headers, changed=changed)


def read_wanted(request: Request, site: Site) -> Wanted:
    """Read the address of a feed.

    Raises:
        QueryError: the interests cannot be read.
        UsageError: another part cannot be, and what is allowed.
    """
    asked, defaults = request.query_params, site.house.settings.digest
    for name in ("days", "at", "timezone"):
        if len(asked.get(name, "")) > MOST_LETTERS:
            raise UsageError(f"{name} is too long; at most {MOST_LETTERS} letters can be read.")
    days = parse_days(asked["days"].lower())[0] if asked.get("days") else DAILY
    zone = parse_timezone(asked["timezone"]) if asked.get("timezone") else defaults.timezone
    local = site.house.clock().astimezone(zone_of(zone))
    begun = not asked.get("at") or local.time() >= parse_time(asked["at"])
    kept = {name: asked[name] for name in ("q", "top", "days", "at", "timezone") if asked.get(name)}
    return Wanted(
        parse(asked.get("q", "")),
        _read_top(asked.get("top", ""), defaults.top),
        days,
        local.date() if begun else local.date() - timedelta(days=1),
        urlencode(kept, errors="replace"),
    )


def _read_top(typed: str, default: int) -> int:
    if not typed:
        return default
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 4 and 1 <= int(typed) <= MOST_TOP):
        raise UsageError(f"top must be a whole number between 1 and {MOST_TOP}.")
    return int(typed)


def editions(days: Sequence[int], upto: date) -> list[tuple[date, date]]:
    """Return the first and the last day that each edition covers, newest first."""
    reach = REACH if len(days) > 2 else WEEKLY_REACH
    due = [upto - timedelta(days=back) for back in range(reach.days)]
    due = [day for day in due if day.weekday() in days]
    return [(before + timedelta(days=1), day) for day, before in pairwise(due)]


async def _entries(site: Site, shelf: Shelf, wanted: Wanted) -> list[Entry]:
    found: dict[str, Entry] = {}
    now = site.house.clock()
    for first, last in editions(wanted.days, wanted.upto):
        chosen = await _choose(shelf, wanted, Between(first, last))
        for item in chosen:
            # A paper that several sources list on several days belongs to the first of them.
            found.pop(item.ranked.paper.id, None)
            found[item.ranked.paper.id] = _entry(item, now)
    return list(found.values())[:MOST_ENTRIES]


async def _choose(shelf: Shelf, wanted: Wanted, window: Between) -> Sequence[Chosen]:
    newsroom = shelf.newsroom
    if wanted.query.tree is None or isinstance(wanted.query.tree, Category):
        # Without words there is nothing to match one by one, and a list says the same at once.
        field = "" if wanted.query.tree is None else wanted.query.tree.name
        listed = await newsroom.library.read(
            lambda connection: list_papers(connection, window, field, limit=wanted.top)
        )
        papers = await newsroom.library.papers(listed.ids)
        return [Chosen(Ranked(paper, 0.0, 0.0, 0.0)) for paper in papers.values()]
    order = Order(wanted.query, window, wanted.top)
    return (await compose(order, engine=newsroom.engine, library=newsroom.library)).chosen


def _entry(item: Chosen, now: datetime) -> Entry:
    paper = item.ranked.paper
    seen = paper.first_seen or now
    return Entry(
        identifier=quote(paper.id.encode("utf-8", "replace"), safe=":/"),
        title=_clean(to_unicode(paper.title)) or paper.id,
        path=paper_path(paper.id),
        abstract_page=page_address(paper),
        why=_clean(chosen_why(item, now)),
        abstract=_clean(to_unicode(paper.abstract)),
        authors=[_clean(to_unicode(name)) for name in paper.authors if name.strip()],
        categories=[_clean(name) for name in paper.categories],
        published=paper.published or seen,
        updated=max(seen, paper.updated or seen),
    )


def _clean(text: str) -> str:
    """Return a text without what XML 1.0 cannot hold, not even escaped."""
    return "".join(
        char
        if char in "\t\n" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char >= "\U00010000"
        else " "
        for char in text
    )


ROUTES = (Route("/feed", feed),)
