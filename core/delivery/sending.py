"""`/papers send N [DATE] [again]`: a digest now, or a missed day's, through the outbox like every other.

The key stays (subscription, local date), so a date never has two deliveries, whoever asks and however often:

    nothing kept of the date      composed and queued; the digest that is due later on that date is this one
    given up, nothing arrived     composed anew and queued in its place
    on its way                    said, nothing done
    sent, or perhaps in part      said, with where it is; with `again` it is shown once more as the public answer to
                                  whoever asks, and the outbox is left as it is
    nothing to show               said to whoever asks; the date stays free for its own digest

A date before one that was sent already covers what the sources listed on it and this place was not shown; it moves no
later digest's beginning.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from core.chat import commands as c
from core.chat.editions import Edition
from core.chat.fates import short_day
from core.chat.message import Button, Kind, Message, Span, text
from core.chat.newsroom import Newsroom
from core.chat.orders import Reachable, numbered, require_rights
from core.clock import zone_of
from core.delivery.outbox import delivery_of, give_up, waiting_deliveries
from core.digests.subscription import Due, Subscription, next_due
from core.errors import UsageError
from core.settings import Settings
from core.store import OPEN, Delivery, State, Store
from core.store.figures import DUE, Count, ignore


class Sending:
    """Answers `send`."""

    def __init__(
        self, *, store: Store, newsroom: Newsroom, settings: Settings, reachable: Reachable, count: Count = ignore
    ) -> None:
        self._count = count
        self._store = store
        self._newsroom = newsroom
        self._settings = settings
        self._reachable = reachable

    async def send(self, command: c.Send, request: c.Request, now: datetime) -> Message:
        """Queue the digest of a date, or say why not.

        Raises:
            UsageError: the asker may not, there is no such number, or the date is not possible.
            QueryError: the interests cannot be read.
        """
        require_rights(request, self._settings)
        found = numbered(await self._store.subscriptions(request.place), command.number)
        today = now.astimezone(zone_of(found.timezone)).date()
        day = command.day or today
        self._check(found, day, today)
        held = await self._store.delivery(found.id, day)
        if held is None or (held.state is State.DEAD and not held.parts):
            if problem := await self._reachable(request.place):
                return _say(problem)
            async with self._newsroom.alone(found.address):
                return await self._queue(found, day, held, now)
        if held.state in OPEN:
            return _say(f"{_name(found, day)} is on its way already ({held.state}).")
        if command.again:
            return await self._newsroom.shown_again(found, held, now)
        return _kept(found, held)

    def _check(self, subscription: Subscription, day: date, today: date) -> None:
        kept_for = self._settings.keep.deliveries_days
        made = subscription.created_at.astimezone(zone_of(subscription.timezone)).date()
        if subscription.pause is not None:
            hint = f"/papers resume {subscription.number} continues it."
            raise UsageError(f"#{subscription.number} is paused: {subscription.pause.reason}.", hint=hint)
        if day > today:
            raise UsageError(f"{day.isoformat()} has not come yet; today is {today.isoformat()}.")
        if (today - day).days >= kept_for:
            raise UsageError(f"What was delivered is known for {kept_for} days; {day.isoformat()} is longer ago.")
        if day < made:
            raise UsageError(f"#{subscription.number} was made on {made.isoformat()}, after {day.isoformat()}.")

    async def _queue(self, subscription: Subscription, day: date, held: Delivery | None, now: datetime) -> Message:
        due = Due(subscription, day, now)
        latest = (await self._store.latest_deliveries([subscription.id])).get(subscription.id)
        is_late = latest is not None and latest.day > day
        given_up = False if is_late else await self._give_up_waiting(due, now)
        edition = await self._compose(subscription, day, latest if is_late else None, now)
        nothing = f"There is nothing to send for {short_day(day)}: {edition.silence}."
        if not edition.shown and not given_up:
            return _say(nothing)
        delivery = replace(delivery_of(due, edition, now), due_at=now)
        if is_late:
            delivery = replace(delivery, lacking=())  # completing it would bring in what later digests cover
        if held is None:
            kept = await self._store.enqueue(delivery)
        else:
            kept = await self._store.move(delivery, expected=State.DEAD)
        if not kept:
            return _say(f"{_name(subscription, day)} is on its way already.")
        self._count(delivery.address.partition(":")[0], DUE)
        return _queued(subscription, delivery, now) if edition.shown else _say(nothing)

    async def _give_up_waiting(self, due: Due, now: datetime) -> bool:
        """Give up what waits of earlier dates, as a due digest does that covers it; tells whether there was some."""
        waiting = (await waiting_deliveries(self._store)).get(due.subscription.id, ())
        for older in waiting:
            await give_up(older, due, self._store, now)
        return bool(waiting)

    async def _compose(self, subscription: Subscription, day: date, later: Delivery | None, now: datetime) -> Edition:
        """Compose the digest of a date; `later` is the newest delivery where that is of a later date."""
        if later is None:
            return await self._newsroom.edition_for(subscription, day, now)
        edition = await self._newsroom.edition_of(subscription, day, now)
        before = await self._store.last_sent(subscription.id, day)
        return replace(edition, upto=later.upto if before is None else before.upto)


def _name(subscription: Subscription, day: date) -> str:
    return f"#{subscription.number}'s digest of {short_day(day)}"


def _queued(subscription: Subscription, delivery: Delivery, now: datetime) -> Message:
    count = len(delivery.shown)
    papers = "1 paper" if count == 1 else f"{count} papers"
    sentence = f"{_name(subscription, delivery.day)} is on its way, with {papers}."
    upcoming = next_due(subscription, now)
    zone = zone_of(subscription.timezone)
    if upcoming is not None and upcoming.astimezone(zone).date() == delivery.day:
        sentence += " It is today's: none follows at the usual time."
    return _say(sentence)


def _kept(subscription: Subscription, held: Delivery) -> Message:
    """Say what became of a date's digest, and how to see it again."""
    local = held.changed_at.astimezone(zone_of(subscription.timezone))
    name = _name(subscription, held.day)
    if held.state is State.DEAD:
        line = text(f"{name} may have arrived, in part or as a whole: {held.note.rstrip('.')}.")
    elif held.silence:
        line = text(f"{name} had nothing to show: {held.silence}.")
    else:
        line = text(f"{name} was sent at {local:%H:%M} on {short_day(local.date())}")
        line += text(": ", Span("the message", url=held.note)) if held.note.startswith("https://") else text(".")
    again = f"{subscription.number} {held.day.isoformat()} again"
    hint = text("To show it here once more: ", Span(f"/papers send {again}", code=True))
    return Message(Kind.ANSWER, lines=(line, hint), buttons=(Button("Show it again", "send", again),))


def _say(sentence: str) -> Message:
    return Message(Kind.ANSWER, lines=(text(sentence),))
