"""A composed digest: from where it chooses, what it says of a gap, and several of one place as one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from core.chat.cards import WHY_LENGTH, shorten
from core.chat.message import Message, text
from core.chat.render import long_day
from core.clock import zone_of
from core.digests.digest import Digest
from core.digests.subscription import Subscription, previous_day
from core.papers.windows import After, LastDays, Newest, Window
from core.store import Delivery, Shown
from core.store.gaps import FROM_THE_FIRST

WEEK = 7


@dataclass(frozen=True, slots=True)
class Edition:
    """A digest with its rendering.

    Attributes:
        shown: its papers as the outbox remembers them.
        lacking: names of the sources that did not answer when it was composed.
        silence: the reason that is told instead of papers, else empty.
        upto: the listing sequence it covers.
        told: names of what it tells of papers that are known already.
    """

    digest: Digest
    message: Message
    shown: tuple[Shown, ...]
    silence: str
    upto: int
    lacking: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def window_of(subscription: Subscription, last: Delivery | None, gap: int | None, now: datetime) -> Window:
    """Return what a digest chooses from, given the last one that was sent and a gap behind it."""
    if subscription.weekly:
        return LastDays(WEEK, now, after=None if last is None else last.upto)
    if last is None or gap == FROM_THE_FIRST:
        return Newest(since=subscription.created_at.date())
    return After(last.upto if gap is None else min(last.upto, gap))


def gap_note(subscription: Subscription, last: Delivery | None, day: date) -> tuple[str, ...]:
    """Say what a digest covers besides its own day, when earlier dates had none."""
    expected = previous_day(subscription, day)
    if subscription.weekly or last is None or expected is None or last.day >= expected:
        return ()
    return (f"This covers everything since {long_day(last.day)}, when the last digest was sent.",)


def local_day(now: datetime, timezone: str) -> date:
    """Return the date on a reader's calendar."""
    return now.astimezone(zone_of(timezone)).date()


def join_editions(editions: Sequence[Edition], numbers: Sequence[int]) -> Message:
    """Join the digests of one place into one message; a paper wanted by several is shown once, and names them all."""
    first = editions[0].message
    if len(editions) == 1:
        return first
    cards = {
        card.paper: replace(card, why=shorten(f"#{number} {card.why}", WHY_LENGTH))
        for edition, number in reversed(list(zip(editions, numbers, strict=True)))
        for card in edition.message.cards
    }
    ordered = dict.fromkeys(card.paper for edition in editions for card in edition.message.cards)
    lines = tuple(
        text(f"{edition.message.heading}: ", *line) if edition.message.cards else line
        for edition in editions
        for line in edition.message.lines
    )
    heading = "Papers for this channel" if cards else ""
    return replace(first, heading=heading, lines=lines, cards=tuple(cards[paper] for paper in ordered))
