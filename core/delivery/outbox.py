"""Fills the outbox: every due subscription gets its one delivery of the date, or the reason why there are no papers."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import msgspec

from core.chat.briefs import Brief
from core.chat.editions import Edition
from core.chat.message import Message, plain, text
from core.chat.newsroom import Moment, Newsroom
from core.chat.times import next_words
from core.delivery.side_by_side import count_done, side_by_side
from core.digests.subscription import Due, Subscription, newest_due, newest_moment, next_due
from core.errors import QueryError
from core.store import Delivery, State, Store
from core.store.candidates import Candidate, not_due_before
from core.store.figures import DUE, SILENT, Count, ignore
from core.store.gaps import note_gap
from core.traces import about_delivery

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(minutes=10)
LATE = "Late: this was due"
CHANGED = re.compile(r"(?:changed|resumed) #(\d+)\b")


async def due_subscriptions(store: Store, now: datetime) -> list[Due]:
    """Return the subscriptions that are due at `now` (aware) without a delivery for that date, longest due first.

    The others are put off, so that a store with an index does not offer them again before they can be due.
    """
    found, others = [], []
    for candidate in await store.candidates(now):
        due = await _due(candidate, now, store)
        if due is not None:
            found.append(due)
        elif candidate.stamp:
            others.append((candidate, not_due_before(candidate.subscription, now)))
    if others:
        await store.put_off(others, now)
    return sorted(found, key=lambda due: (due.at, due.subscription.address, due.subscription.number))


async def _due(candidate: Candidate, now: datetime, store: Store) -> Due | None:
    newest = newest_moment(candidate.subscription, now)
    if newest is None:
        return None
    day, at = newest
    last = candidate.last
    if last is None or last[0] < day or (last[1] > now and await _is_missing(candidate.subscription, day, store)):
        return Due(candidate.subscription, day, at)
    return None


async def _is_missing(subscription: Subscription, day: date, store: Store) -> bool:
    """Whether a date has no delivery, though a later one has.

    A changed zone can make the local date jump back: a date at or before the last delivered one had its digest. Only a
    clock that was wrong leaves a delivery that was due in the future, and that one is no digest of today.
    """
    return await store.delivery(subscription.id, day) is None


async def due_soon(store: Store, now: datetime, *, within: timedelta) -> bool:
    """Whether some subscription will be due within so much time."""
    upcoming = (next_due(subscription, now) for subscription in await store.expected(now, now + within))
    return any(moment is not None and moment - now <= within for moment in upcoming)


async def fill_outbox(newsroom: Newsroom, store: Store, now: datetime, count: Count = ignore) -> int:
    """Compose and keep a delivery for every due subscription; returns how many there are new.

    Several places get theirs at once, so that their papers are chosen together. Where one fails, those that are made at
    the same time are kept all the same; then its error ends this round, and the next one makes the rest.

    A digest of an earlier date that never got out is given up for the new one, which covers its papers too.
    """
    found = await due_subscriptions(store, now)
    if not found:
        return 0
    waiting = await waiting_deliveries(store)
    late = [due.at for due in found if not due.subscription.when_ready and now - due.at > LATE_AFTER]
    changed = await _times_of_changes(store, min(late)) if late else {}
    moment = await newsroom.begin([due.subscription for due in found])

    async def queue(due: Due) -> bool:
        if due.subscription.when_ready and not await is_ready(due, newsroom, now):
            return False
        if newsroom.is_busy(due.subscription.address):
            return False  # a message there is being completed, which may take a while; the next look takes it
        with about_delivery(f"{due.subscription.id}/{due.day.isoformat()}"):
            async with newsroom.alone(due.subscription.address):
                waits = waiting.get(due.subscription.id, ())
                delivery = await _queue(due, waits, changed, newsroom, store, now, moment)
        if delivery is not None:
            count(delivery.address.partition(":")[0], DUE)
            if delivery.state is State.SENT:
                count(delivery.address.partition(":")[0], SILENT)
        return delivery is not None

    queued = 0
    for several in side_by_side(found):
        queued += await count_done(queue(due) for due in several)
    return queued


async def compose_one(
    due: Due, brief: Brief, newsroom: Newsroom, store: Store, now: datetime, moment: Moment
) -> Delivery:
    """Compose the delivery of one due subscription from a brief that was read just now; nothing is kept."""
    is_late = not due.subscription.when_ready and now - due.at > LATE_AFTER
    changed = await _times_of_changes(store, due.at, due.subscription.address) if is_late else {}
    return _asked_for(due, changed, await compose_delivery(due, newsroom, now, moment, brief), now)


async def _queue(
    due: Due,
    waiting: Sequence[Delivery],
    changed: Mapping[tuple[str, int], datetime],
    newsroom: Newsroom,
    store: Store,
    now: datetime,
    moment: Moment | None,
) -> Delivery | None:
    """Compose and keep one delivery, in the place of those that wait; None when its date has one already."""
    for older in waiting:
        await give_up(older, due, store, now)
    delivery = _asked_for(due, changed, await compose_delivery(due, newsroom, now, moment), now)
    if not await store.enqueue(delivery):
        return None
    tell_queued(delivery, due)
    return delivery


def _asked_for(due: Due, changed: Mapping[tuple[str, int], datetime], delivery: Delivery, now: datetime) -> Delivery:
    """Return a delivery that was due no earlier than its subscription was last changed."""
    asked_at = changed.get((due.subscription.address, due.subscription.number), due.at)
    return replace(delivery, due_at=max(delivery.due_at, min(asked_at, now)))


def tell_queued(delivery: Delivery, due: Due) -> None:
    """Tell the log that a delivery stands in the outbox."""
    log.info("delivery %s queued: %s papers, due %s", delivery.key, len(delivery.shown), due.at.isoformat())


async def is_ready(due: Due, newsroom: Newsroom, now: datetime) -> bool:
    """Whether the batch that a `when ready` subscription waits for is in, or its latest time has come."""
    subscription = due.subscription
    if subscription.at is not None:
        latest_time = newest_due(replace(subscription, when_ready=False), now)
        if latest_time is not None and latest_time.day == due.day:
            return True
    return await newsroom.batch_is_in(subscription, due.day)


async def _times_of_changes(
    store: Store, since: datetime, address: str | None = None
) -> dict[tuple[str, int], datetime]:
    """Return when subscriptions, by place and number, were last changed or resumed since: it was not due before."""
    found: dict[tuple[str, int], datetime] = {}
    for change in await store.changes(address):
        if change.at < since:
            break
        if known := CHANGED.match(change.what):
            found.setdefault((change.address, int(known[1])), change.at)
    return found


async def compose_delivery(
    due: Due, newsroom: Newsroom, now: datetime, moment: Moment | None = None, brief: Brief | None = None
) -> Delivery:
    """Compose the delivery of a due date; where its interests cannot be read any more, it says that."""
    subscription = due.subscription
    try:
        edition = await newsroom.edition_for(subscription, due.day, now, moment, brief)
    except QueryError as error:
        # Interests are checked when they are kept; a new library or an upgrade of the language can bring us here.
        # Neither the interests nor the error, which quotes them: the digest tells its readers.
        log.error("subscription %s cannot be read at character %s", subscription.id, error.position + 1)
        edition = await newsroom.unreadable(subscription, due.day, error)
    return delivery_of(due, edition, now)


def delivery_of(due: Due, edition: Edition, now: datetime) -> Delivery:
    """Return the delivery that carries an edition; a quiet one without papers is settled at once."""
    silent = not edition.shown and due.subscription.quiet
    return Delivery(
        subscription=due.subscription.id,
        day=due.day,
        address=due.subscription.address,
        state=State.SENT if silent else State.PENDING,
        due_at=now if due.subscription.when_ready else due.at,
        composed_at=now,
        changed_at=now,
        shown=edition.shown,
        message="" if silent else write_message(edition.message),
        upto=edition.upto,
        silence=edition.silence,
        note="nothing to say, and quiet was asked for" if silent else "",
        lacking=edition.lacking,
        told=() if silent else edition.told,
    )


async def waiting_deliveries(store: Store) -> dict[str, list[Delivery]]:
    """Return what waits to be begun, by subscription. What was begun goes on, since its papers were shown."""
    found: dict[str, list[Delivery]] = {}
    for delivery in await store.open_deliveries():
        if waits(delivery):
            found.setdefault(delivery.subscription, []).append(delivery)
    return found


def waits(delivery: Delivery) -> bool:
    """Whether an open delivery waits to be begun."""
    return delivery.state is State.PENDING and not delivery.parts


async def give_up(seen: Delivery, due: Due, store: Store, now: datetime) -> None:
    """Give up what waits of an earlier date for the digest of `due`, which covers its papers."""
    older = await store.delivery(seen.subscription, seen.day)
    if older is None or older.parts or older.day >= due.day:
        return
    await note_gap(store, older)
    note = f"covered by the digest of {due.day.isoformat()}; {older.note or 'it could not be sent before'}"
    moved = replace(older, state=State.DEAD, changed_at=now, message="", note=note)
    await store.move(moved, expected=State.PENDING)
    log.info("delivery %s given up: the digest of %s covers it", older.key, due.day.isoformat())


def with_lateness(message: Message, delivery: Delivery, *, now: datetime, timezone: str) -> Message:
    """Return a digest with one line that says that it is late and why; on time, the digest as it is."""
    if now - delivery.due_at < LATE_AFTER:
        return message
    reason = delivery.note.rstrip(".") or "paperboy was not running then"
    line = text(f"{LATE} {next_words(delivery.due_at, timezone)}. What held it up: {reason}.")
    earlier = tuple(told for told in message.lines if not plain(told).startswith(LATE))
    return replace(message, lines=(*earlier, line))


def write_message(message: Message) -> str:
    """Return a message as JSON."""
    return msgspec.json.encode(message).decode()


def read_message(body: str) -> Message:
    """Return the message that `write_message` wrote."""
    return msgspec.json.decode(body, type=Message)


def retry_delay(attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after a number of failed tries: 30 s doubled each time, at most 30 min.

    Args:
        attempts: failed tries so far, 1 or more.
        jitter: from 0 to 1; spreads the delay between half and the whole of it, so that not all come back at once.
    """
    whole = min(30.0 * 2.0 ** (attempts - 1), 1800.0)
    return timedelta(seconds=whole * (0.5 + jitter / 2))
