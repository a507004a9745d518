"""Digests, hits and answers -> Message. What a reader reads is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from core.chat.cards import WHY_LENGTH, card_of, page_address, shorten, trend_words, why_line
from core.chat.latex import to_unicode
from core.chat.message import Button, Card, Kind, Message, Span, Text, plain, text
from core.chat.times import next_words, when_words
from core.digests.digest import Chosen, Digest
from core.digests.silence import source_label
from core.digests.subscription import Subscription
from core.errors import PaperboyError, QueryError, UsageError
from core.papers.paper import Paper
from core.search.hits import Found, Hit
from core.search.interests import NEAR_IN_MEANING
from core.search.query import point_at

ARXIV_THANKS = "Thank you to arXiv for use of its open access interoperability."
BUTTON_VALUE = 80
ALSO = 40
NAMED_FIRST = 8  # the blanks and the point between two reasons, and "#12 " before them where digests are joined
MENTIONED_TITLE = 160
LISTED_AUTHORS = 60
FOR_SEARCHERS = frozenset({"save", "more", "details"})


def join_names(names: Sequence[str]) -> str:
    """Return `arXiv`, `arXiv and Hugging Face`, `arXiv, Hugging Face and Hacker News`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def long_day(day: date) -> str:
    """Return `Monday 23 November 2026`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def subject(interests: str) -> Text:
    """Return interests as they stand in a sentence: in italics, or `everything`."""
    return text(Span(interests, italic=True)) if interests.strip() else text("everything")


def chosen_why(chosen: Chosen, now: datetime) -> str:
    """Return why a paper is in a digest, at most 80 characters, from the score's own parts."""
    also = shorten("also for " + ", ".join(f"#{number}" for number in chosen.also), ALSO) if chosen.also else ""
    # A paper that several subscriptions want names them all, however much there is to tell of it.
    room = WHY_LENGTH - (len(also) + NAMED_FIRST if also else 0)
    parts = [shorten(f"matches {' '.join(chosen.words)}", room)] if chosen.words else []
    parts += [also] if also else []
    if chosen.near:
        parts.append(NEAR_IN_MEANING)
    if chosen.liked:
        who = "you" if chosen.own_taste else "this channel"
        parts.append(f"like {chosen.liked:,} paper{'s' if chosen.liked > 1 else ''} {who} marked 👍")
    parts += trend_words(chosen.ranked.paper, now)
    return why_line(parts or _listing_words(chosen.ranked.paper))


def _listing_words(paper: Paper) -> list[str]:
    kinds = {listing.kind for listing in paper.listings if listing.source == "arxiv"}
    field = paper.categories[0] if paper.categories else ""
    if "new" in kinds:
        return [f"new in {field}" if field else "new on arXiv"]
    if "cross" in kinds:
        return [f"cross-listed from {field}" if field else "cross-listed on arXiv"]
    lists = join_names([source_label(name) for name in dict.fromkeys(item.source for item in paper.listings)] or [""])
    return [f"listed by {lists}" if lists else "in the library"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the papers of a digest.

    Attributes:
        heading: for whom.
        day: the day it is for, on the reader's calendar.
        timezone: the reader's, IANA name.
        notes: sentences for below.
        empty: what is said when there were no papers, and nothing else explains it.
        seen_by: who was shown before what is left out.
    """

    heading: str
    day: date
    timezone: str
    notes: tuple[str, ...] = ()
    empty: str = "no new papers since the last digest"
    seen_by: str = "this place"


def digest_message(
    digest: Digest,
    frame: Frame,
    *,
    silence: str,
    failing: Sequence[str],
    now: datetime,
    sample: bool = False,
) -> Message:
    """Render a digest: for whom, which day, how many of how many, the papers; or one line with the reason for none.

    Args:
        digest: the papers and the counts.
        frame: what stands around them.
        silence: the reason when there are no papers, naming what fails by itself.
        failing: clauses about sources that do not answer.
        now: the instant.
        sample: whether it shows the bundled sample.
    """
    small_print = tuple(text(note) for note in frame.notes)
    counts = f"{long_day(frame.day)} · {len(digest.chosen)} of {digest.considered:,} new papers"
    if digest.query.words and digest.matched != digest.considered:
        counts += f", {digest.matched:,} matched"
    cards = tuple(card_of(item.ranked.paper, why=chosen_why(item, now), now=now) for item in digest.chosen)
    if not cards:
        told = text(f"{frame.heading}, {long_day(frame.day)}: {silence}.")
        return Message(Kind.DIGEST, lines=(told,), closing=small_print, sample=sample)
    closing = (*small_print, *(text(f"{failure}.") for failure in failing))
    if any(item.ranked.paper.is_arxiv for item in digest.chosen):
        closing += (text(ARXIV_THANKS),)
    return Message(
        Kind.DIGEST, heading=frame.heading, lines=(text(counts),), cards=cards, closing=closing, sample=sample
    )


def hit_card(hit: Hit, now: datetime) -> Card:
    """Render one hit of a search: the why is its reason, and of the buttons those that help a searcher."""
    card = card_of(hit.paper, why=why_line([hit.why] if hit.why else []), now=now)
    return replace(card, buttons=tuple(button for button in card.buttons if button.action in FOR_SEARCHERS))


def whole_message(paper: Paper, card: Card) -> Message:
    """Render everything about a paper: all its authors (of hundreds the first), its whole abstract, its links."""
    names = list(dict.fromkeys(filter(None, map(to_unicode, paper.authors))))
    rest = len(names) - LISTED_AUTHORS
    authors = ", ".join(names[:LISTED_AUTHORS]) + (f" + {rest:,} more" if rest > 0 else "")
    links: Text = ()
    for link in card.links:
        links += (*text(" · " if links else ""), Span(link.label, url=link.url))
    lines = (
        text(Span(to_unicode(paper.title), bold=True, url=page_address(paper))),
        text(Span(authors or card.byline, italic=True)),
        text(" · ".join(filter(None, (card.facts, card.why)))),
        text(to_unicode(paper.abstract) or "No source gave an abstract."),
        links,
    )
    return Message(Kind.ANSWER, lines=tuple(line for line in lines if plain(line)))


def found_message(found: Found, *, heading: str, offset: int, buttons: Sequence[Button], now: datetime) -> Message:
    """Render one page of hits."""
    if not found.hits:
        return Message(Kind.ANSWER, heading=heading, lines=(text("Nothing was found."),))
    last = offset + len(found.hits)
    line = f"{offset + 1}-{last} of {found.total:,}" if found.total > len(found.hits) else f"{found.total:,} found"
    return Message(
        Kind.ANSWER,
        heading=heading,
        lines=(text(line),),
        cards=tuple(hit_card(hit, now) for hit in found.hits),
        buttons=tuple(buttons),
    )


def error_message(error: PaperboyError) -> Message:
    """Render an error for the asker: the sentence, the place in a query, the closest right form."""
    lines = [text(str(error))]
    if isinstance(error, QueryError):
        lines.append(text(Span(point_at(error), code=True)))
    if isinstance(error, UsageError) and error.hint:
        is_query = isinstance(error, QueryError)
        lines.append(text("Write, for example: ", Span(error.hint, code=True)) if is_query else text(error.hint))
    return Message(Kind.ERROR, lines=tuple(lines))


def subscription_line(subscription: Subscription, next_at: datetime | None) -> Text:
    """Render one line of a list: number, interests, when, next delivery or why there is none."""
    line = text(Span(f"#{subscription.number} ", bold=True), *subject(subscription.interests))
    line += text(f" · {when_words(subscription)}")
    if subscription.pause is not None:
        return (*line, Span(f" · paused: {subscription.pause.reason}"))
    if subscription.when_ready:
        return (*line, Span(" · next when its batch is in"))
    return (*line, Span(f" · next {next_words(next_at, subscription.timezone)}")) if next_at else line


def title_span(paper: Paper) -> Span:
    """Return a paper's title, as it is mentioned in a line, as a link to its page."""
    return Span(shorten(to_unicode(paper.title), MENTIONED_TITLE), url=page_address(paper))
