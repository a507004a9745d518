"""What became of one paper in one subscription: delivered where and when, shut out by what, below the cut, waiting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from core.chat.message import Span, Text, text
from core.chat.newsroom import Newsroom
from core.chat.times import next_words
from core.clock import zone_of
from core.digests.digest import Chosen
from core.digests.subscription import Subscription, next_due
from core.papers.paper import Paper
from core.search.query import parse
from core.store import DOUBTFUL_PART, Delivery, State, Store

DAYS_SEARCHED = 15


async def tell_fate(
    subscription: Subscription, paper: Paper, *, store: Store, newsroom: Newsroom, now: datetime
) -> Text:
    """Return one line: what a subscription made of a paper of the library.

    Raises:
        QueryError: the subscription's interests cannot be read.
    """
    here = await store.deliveries_of_paper(paper.id, subscription.address)
    if own := [item for item in here if item.subscription == subscription.id]:
        return _delivered(own[0], subscription, paper.id)
    verdict = await newsroom.engine.explain(parse(subscription.interests), paper.id)
    if not verdict.matched:
        excluded = verdict.excluded_by.startswith("-")
        return text(f"excluded by {verdict.excluded_by}" if excluded else f"no match, {verdict.because}")
    if shown := next((item for item in here if item.state is State.SENT), None):
        told = f"{verdict.because}, but this place was shown it already, on {short_day(shown.day)}"
        return text(told, *_link(shown))
    if not paper.listings:
        return text(f"{verdict.because}, but no source has listed it as new, so it is only in the library")
    considered = await _considering(subscription, paper, store)
    if considered is None:
        return text(f"{verdict.because}, {_waiting(subscription, now)}")
    return text(f"{verdict.because}, {await _below_the_cut(subscription, paper, considered, newsroom, now)}")


def short_day(day: date) -> str:
    """Return `Mon 23 Nov 2026`."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def _delivered(delivery: Delivery, subscription: Subscription, paper: str) -> Text:
    shown = next(item for item in delivery.shown if item.paper == paper)
    when = short_day(delivery.day)
    if delivery.state is State.SENT:
        local = delivery.changed_at.astimezone(zone_of(subscription.timezone))
        told = f"delivered {when} at {local:%H:%M} as number {shown.rank} ({shown.why or 'chosen'})"
        return text(told, *_link(delivery))
    if delivery.state is State.DEAD and DOUBTFUL_PART in delivery.parts:
        return text(f"chosen for {when}, and {delivery.note}")
    if delivery.state is State.DEAD:
        return text(f"chosen for {when}, but the digest could not be delivered ({delivery.note.rstrip('.')})")
    return text(f"chosen for {when} as number {shown.rank}, and on its way ({delivery.state})")


def _link(delivery: Delivery) -> Text:
    """Return a link to the message, where the platform told its address."""
    return (Span(": "), Span("the message", url=delivery.note)) if delivery.note.startswith("https://") else ()


async def _considering(subscription: Subscription, paper: Paper, store: Store) -> Delivery | None:
    """Return the first digest that was composed after the paper had come in; None while there is none."""
    if paper.first_seen is None:
        return None
    day = paper.first_seen.astimezone(zone_of(subscription.timezone)).date()
    for ahead in range(DAYS_SEARCHED):
        found = await store.delivery(subscription.id, day + timedelta(days=ahead))
        if (
            found is not None
            and found.composed_at >= paper.first_seen
            and (found.state is not State.DEAD or found.parts)
        ):
            return found
    return None


def _waiting(subscription: Subscription, now: datetime) -> str:
    upcoming = next_due(subscription, now)
    if upcoming is None:
        reason = subscription.pause.reason if subscription.pause is not None else ""
        return f"and waits, since the subscription is paused ({reason.rstrip('.')})"
    return f"a candidate for the digest of {next_words(upcoming, subscription.timezone)}"


async def _below_the_cut(
    subscription: Subscription, paper: Paper, delivery: Delivery, newsroom: Newsroom, now: datetime
) -> str:
    """Tell by how much a digest left a paper out: its candidates are ranked again, by the votes of today."""
    opening = f"but others ranked above it in the digest of {short_day(delivery.day)} (top {subscription.top})"
    ranking = await newsroom.ranking_for(subscription, delivery, now)
    place = _place(ranking, paper.id)
    if place is None:
        return f"but it was listed before what the digest of {short_day(delivery.day)} covers"
    shown = {item.paper for item in delivery.shown}
    least = min((item.ranked.score for item in ranking if item.ranked.paper.id in shown), default=None)
    own = ranking[place].ranked.score
    told = f"{opening}: rank {place + 1} of {len(ranking)} with a score of {own:.2f}"
    if least is None:
        return told
    if own > least:  # votes and marks that came in afterwards
        return f"{told}; by today's votes and marks it would be in, and the last one shown has {least:.2f}"
    return f"{told}, {least - own:.2f} below the last one shown"


def _place(ranking: Sequence[Chosen], paper: str) -> int | None:
    return next((place for place, item in enumerate(ranking) if item.ranked.paper.id == paper), None)
