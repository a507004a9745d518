"""Where digests are made: for a subscription, for a place, for everybody. Reads, never sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.chat.message import Message, text
from core.chat.render import chosen_why, digest_message
from core.digests.digest import Chosen, Digest, Order, compose
from core.digests.silence import explain_silence, failures
from core.digests.subscription import Subscription
from core.papers.calendar import Calendar
from core.papers.library import Library
from core.papers.plan import source_states
from core.papers.windows import After, LastDays, Newest, OnDay, Window
from core.search.engine import Engine
from core.search.query import Query, parse
from core.settings import Settings
from core.store import Delivery, Shown, Store

SAMPLE_SOURCE = "sample"


@dataclass(frozen=True, slots=True)
class Edition:
    """A digest with its rendering.

    Attributes:
        shown: its papers as the outbox remembers them.
        silence: the reason that is told instead of papers, else empty.
        upto: the listing sequence it covers.
    """

    digest: Digest
    message: Message
    shown: tuple[Shown, ...]
    silence: str
    upto: int


class Newsroom:
    """Composes digests out of the library, knowing what places were shown."""

    def __init__(
        self, *, library: Library, engine: Engine, store: Store, settings: Settings, calendar: Calendar
    ) -> None:
        self.library = library
        self.engine = engine
        self._store = store
        self._settings = settings
        self._calendar = calendar

    async def edition_for(self, subscription: Subscription, day: date, now: datetime) -> Edition:
        """Compose a subscription's digest of a local date from what is new since its last one."""
        latest = (await self._store.latest_deliveries([subscription.id])).get(subscription.id)
        order = await self._order(subscription, _window(subscription, latest, now), now)
        return await self._edition(
            order, f"Papers for {_named(subscription.interests)}", day, now, subscription.timezone
        )

    async def today_for(self, address: str, now: datetime) -> Message:
        """Compose today's digest of a place from each source's newest batch; without a subscription, for everything."""
        subscriptions = [item for item in await self._store.subscriptions(address) if item.pause is None]
        if not subscriptions:
            return await self.front_page(now)
        editions = [
            await self._edition(
                replace(await self._order(item, Newest(), now), leave_out=frozenset()),
                f"Papers for {_named(item.interests)}",
                _local_day(now, item.timezone),
                now,
                item.timezone,
            )
            for item in subscriptions
        ]
        return _joined(editions)

    async def front_page(
        self, now: datetime, *, interests: str = "", day: date | None = None, top: int | None = None
    ) -> Message:
        """Compose a digest for nobody in particular, of one day or of each source's newest batch.

        Raises:
            QueryError: the interests cannot be read.
        """
        timezone = self._settings.digest.timezone
        window: Window = Newest() if day is None else OnDay(day)
        limit = top or (self._settings.digest.top if interests else self._settings.digest.everything_top)
        order = Order(parse(interests), window, limit)
        heading = f"Papers for {_named(interests)}"
        return (await self._edition(order, heading, day or _local_day(now, timezone), now, timezone)).message

    async def lately(self, interests: str, now: datetime, *, top: int, days: int = 7) -> Digest:
        """Compose what interests would have been offered over the last days."""
        return await compose(
            Order(parse(interests), LastDays(days, now), top), engine=self.engine, library=self.library
        )

    async def _order(self, subscription: Subscription, window: Window, now: datetime) -> Order:
        kept = timedelta(days=self._settings.keep.deliveries_days)
        return Order(
            query=parse(subscription.interests),
            window=window,
            top=subscription.top,
            leave_out=await self._store.shown_papers(subscription.address, now - kept),
            others=await self._others(subscription),
        )

    async def _others(self, subscription: Subscription) -> tuple[tuple[int, Query], ...]:
        neighbours: Sequence[Subscription] = await self._store.subscriptions(subscription.address)
        return tuple(
            (item.number, parse(item.interests))
            for item in neighbours
            if item.id != subscription.id and item.pause is None and item.interests.strip()
        )

    async def _edition(self, order: Order, heading: str, day: date, now: datetime, timezone: str) -> Edition:
        digest = await compose(order, engine=self.engine, library=self.library)
        states = await source_states(self.library)
        silence = ""
        if not digest.chosen:
            silence = explain_silence(digest, states, self._calendar, now=now, timezone=timezone)
        message = digest_message(
            digest,
            day=day,
            heading=heading,
            silence=silence,
            notes=[f"{failure}." for failure in failures(states, timezone)],
            now=now,
            sample=_is_sample(digest.chosen),
        )
        shown = tuple(
            Shown(item.ranked.paper.id, rank, chosen_why(item, now)) for rank, item in enumerate(digest.chosen, 1)
        )
        return Edition(digest, message, shown, silence, digest.upto)


def _window(subscription: Subscription, latest: Delivery | None, now: datetime) -> Window:
    if subscription.weekly:
        return LastDays(7, now)
    return Newest() if latest is None else After(latest.upto)


def _named(interests: str) -> str:
    return interests.strip() or "everything"


def _local_day(now: datetime, timezone: str) -> date:
    return now.astimezone(ZoneInfo(timezone)).date()


def _is_sample(chosen: Sequence[Chosen]) -> bool:
    return any(item.ranked.paper.sources == (SAMPLE_SOURCE,) for item in chosen)


def _joined(editions: Sequence[Edition]) -> Message:
    """Join the digests of one place into one message; a paper wanted by several is shown once, in the first."""
    first = editions[0].message
    if len(editions) == 1:
        return first
    cards = {card.paper: card for edition in reversed(editions) for card in edition.message.cards}
    ordered = dict.fromkeys(card.paper for edition in editions for card in edition.message.cards)
    lines = tuple(
        text(f"{edition.message.heading}: ", *line) if edition.message.cards else line
        for edition in editions
        for line in edition.message.lines
    )
    heading = "Papers for this channel" if cards else ""
    return replace(first, heading=heading, lines=lines, cards=tuple(cards[paper] for paper in ordered))
