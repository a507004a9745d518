"""Where digests are made: for a subscription, for a place, for everybody. Reads, never sends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from core.chat.briefs import Brief, Briefs, read_interests
from core.chat.cards import card_of, shorten
from core.chat.editions import WEEK, Edition, gap_note, join_editions, local_day, window_of
from core.chat.follow_ups import FollowUps
from core.chat.latex import to_unicode
from core.chat.message import Kind, Message, text
from core.chat.render import Frame, chosen_why, digest_message, join_names, long_day
from core.chat.tastes import Tastes
from core.clock import zone_of
from core.digests.backtest import Backtest, backtest
from core.digests.digest import Chosen, Digest, Order, compose
from core.digests.silence import explain_silence, failures, source_label
from core.digests.slate import Ahead, Slates
from core.digests.subscription import Subscription
from core.digests.taste import NOTHING, Taste, is_vote
from core.digests.topics import Topics
from core.errors import QueryError
from core.papers.batches import batch_is_in
from core.papers.calendar import Calendar
from core.papers.happenings import Happening
from core.papers.library import Library
from core.papers.paper import Paper
from core.papers.plan import source_states
from core.papers.sources import enabled_sources
from core.papers.windows import LastDays, Newest, OnDay, Window
from core.search.engine import Engine
from core.search.query import parse
from core.settings import Settings
from core.store import Delivery, Mark, Shown, Store
from core.store.gaps import last_and_gap

ARXIV = "arxiv"
NEAREST_TITLE = 80
RANKED_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """What digests of one moment share; not to be kept, since the world goes on.

    Attributes:
        slates: what was looked up of the papers.
        marks: all marks, by place.
    """

    slates: Slates
    marks: Mapping[str, Sequence[Mark]]


def turn_of(address: str) -> str:
    """Return the name with which one is alone with a place."""
    return f"place {address}"


class Newsroom:
    """Composes digests out of the library, knowing what places were shown."""

    def __init__(
        self,
        *,
        library: Library,
        engine: Engine,
        store: Store,
        settings: Settings,
        calendar: Calendar,
        sample: bool = False,
        topics: Topics | None = None,
    ) -> None:
        self.library = library
        self.engine = engine
        self._store = store
        self._settings = settings
        self._calendar = calendar
        self._sample = sample
        self._topics = topics or Topics()
        self._batches: dict[tuple[int, tuple[str, ...]], bool] = {}
        self._batches_at = 0
        self._asking = asyncio.Lock()
        self._held: set[str] = set()
        kept = timedelta(days=settings.keep.deliveries_days)
        self._follow_ups = FollowUps(library=library, store=store, kept=kept)
        self._sources = frozenset(enabled_sources(settings))
        everyone = settings.chat.everyone_may_subscribe
        self.tastes = Tastes(store=store, library=library, everyone_may_reset=everyone)
        self._briefs = Briefs(store, self.tastes, kept)

    @asynccontextmanager
    async def alone(self, address: str) -> AsyncIterator[None]:
        """Hold a place while something is composed for it and until the store knows its papers.

        Two that compose for one place at the same moment would both choose what neither has shown yet.
        """
        async with self._store.alone(turn_of(address)):
            self._held.add(address)
            try:
                yield
            finally:
                self._held.discard(address)

    def is_busy(self, address: str) -> bool:
        """Whether this process holds a place."""
        return address in self._held

    async def begin(self, coming: Sequence[Subscription] = ()) -> Moment:
        """Return what the digests of this moment will share.

        Args:
            coming: whose digests they are, in the order they come, as far as that is known.
        """
        marks: dict[str, list[Mark]] = {}
        for mark in await self._store.marks():
            marks.setdefault(mark.place, []).append(mark)
        votes = (mark for one in coming for mark in marks.get(one.address, ()) if is_vote(mark))
        ahead = Ahead(tuple(mark.paper for mark in votes), [one.interests for one in coming], read_interests)
        return Moment(Slates(ahead), marks)

    def brief(self, subscription: str, day: date, address: str, now: datetime) -> Awaitable[Brief]:
        """Return what a subscription's digest of a date begins from, to be given to `edition_for`."""
        return self._briefs.read(subscription, day, address, now)

    async def edition_for(
        self,
        subscription: Subscription,
        day: date,
        now: datetime,
        moment: Moment | None = None,
        brief: Brief | None = None,
    ) -> Edition:
        """Compose a subscription's digest of a local date from what is new since the last one that was sent.

        Args:
            subscription: whose.
            day: for which date.
            now: the instant (aware).
            moment: shared with others that are composed now.
            brief: what it begins from, where that was read already.
        """
        if brief is not None:
            last, gap = brief.last, brief.gap
            order = await self._briefs.order(subscription, Newest(), now, place=brief.place)
        else:
            (last, gap), order = await asyncio.gather(
                last_and_gap(self._store, subscription.id, day),
                self._briefs.order(subscription, Newest(), now, moment.marks if moment else None),
            )
        order = replace(order, window=window_of(subscription, last, gap, now))
        notes = gap_note(subscription, last, day)
        seen_by = "this place, or one beside it," if subscription.no_repeats else "this place"
        frame = Frame(self._heading(subscription.interests), day, subscription.timezone, notes, seen_by=seen_by)
        edition = await self._edition(order, frame, now, moment.slates if moment else None)
        marks = brief.marks if brief else None
        news = await self._follow_ups.news(subscription.address, now, one_of_many=moment is not None, marks=marks)
        return await self._with_news(edition, news, subscription)

    async def edition_of(self, subscription: Subscription, day: date, now: datetime) -> Edition:
        """Compose what a past date could have shown: what the sources listed on it, less what the place was shown."""
        noon = datetime.combine(day, time(12), zone_of(subscription.timezone))
        window: Window = LastDays(WEEK, noon) if subscription.weekly else OnDay(day)
        order = await self._briefs.order(subscription, window, now)
        empty = "no source has listed a paper for this day"
        frame = Frame(self._heading(subscription.interests), day, subscription.timezone, empty=empty)
        return await self._edition(order, frame, now)

    async def shown_again(self, subscription: Subscription, delivery: Delivery, now: datetime) -> Message:
        """Render for everybody what a delivery showed, with today's votes."""
        papers = await self.library.papers([shown.paper for shown in delivery.shown])
        cards = tuple(
            card_of(papers.get(shown.paper) or Paper(id=shown.paper, title=shown.paper), why=shown.why, now=now)
            for shown in delivery.shown
        )
        heading, when = self._heading(subscription.interests), long_day(delivery.day)
        if not cards:
            return Message(Kind.DIGEST, lines=(text(f"{heading}, {when}: {delivery.silence}."),), public=True)
        return Message(Kind.DIGEST, heading=heading, lines=(text(f"{when}, once more"),), cards=cards, public=True)

    async def unreadable(self, subscription: Subscription, day: date, error: QueryError) -> Edition:
        """Say instead of a digest that its interests cannot be read; what is new waits until they can."""
        last = await self._store.last_sent(subscription.id, day)
        upto = await self.library.newest_sequence() if last is None else last.upto
        silence = (
            f"these interests cannot be read ({str(error).rstrip('.')}); "
            f"/papers edit {subscription.number} INTERESTS mends it"
        )
        digest = Digest((), 0, 0, 0, upto, parse(""))
        frame = Frame(self._heading(subscription.interests), day, subscription.timezone)
        message = digest_message(digest, frame, silence=silence, failing=(), now=subscription.active_from)
        return Edition(digest, message, (), silence, upto)

    async def batch_is_in(self, subscription: Subscription, day: date) -> bool:
        """Whether a batch has come in since the last digest of a subscription; for its first one, any papers."""
        last = await self._store.last_sent(subscription.id, day)
        if last is None:
            return await self.library.newest_sequence() > 0
        try:
            categories = read_interests(subscription.interests).categories
        except QueryError:
            categories = ()
        newest = await self.library.newest_sequence()
        if newest != self._batches_at:
            self._batches_at, self._batches = newest, {}
        asked = (last.upto, categories)
        async with self._asking:  # many ask the same at a time
            if asked not in self._batches:
                self._batches[asked] = await self._ask_for_batch(last.upto, categories)
            return self._batches[asked]

    async def _ask_for_batch(self, after: int, categories: Sequence[str]) -> bool:
        sources = [ARXIV] if ARXIV in self._sources else sorted(self._sources)

        def ask(connection: sqlite3.Connection) -> bool:
            return any(batch_is_in(connection, source, after, categories) for source in sources)

        return await self.library.read(ask)

    async def amended(
        self, subscription: Subscription, delivery: Delivery, back: Sequence[str], now: datetime
    ) -> Edition:
        """Compose a delivered digest again, now that sources are back that it lacked; what it showed stays first."""
        last, gap = await last_and_gap(self._store, subscription.id, delivery.day)
        own = tuple(shown.paper for shown in delivery.shown)
        order = await self._briefs.order(subscription, window_of(subscription, last, gap, now), now)
        order = replace(order, leave_out=frozenset(order.leave_out) - set(own), keep=own)
        names = join_names([source_label(name) for name in back])
        clock = now.astimezone(zone_of(subscription.timezone))
        note = f"{names} answered again; this was completed at {clock:%H:%M}."
        frame = Frame(self._heading(subscription.interests), delivery.day, subscription.timezone, (note,))
        edition = await self._edition(order, frame, now)
        return await self._with_news(edition, await self._follow_ups.told_before(delivery.told, now), subscription)

    async def _with_news(self, edition: Edition, news: Sequence[Happening], subscription: Subscription) -> Edition:
        """Add below a digest what happened to papers that its readers kept."""
        line = await self._follow_ups.line(subscription.address, news) if news else ()
        if not line:
            return edition
        message = replace(edition.message, closing=(line, *edition.message.closing))
        return replace(edition, message=message, told=tuple(one.name for one in news))

    async def ranking_for(self, subscription: Subscription, delivery: Delivery, now: datetime) -> Sequence[Chosen]:
        """Rank all that a delivered digest could have shown, best first, by the votes of today."""
        last = await self._store.last_sent(subscription.id, delivery.day)
        order = await self._briefs.order(subscription, window_of(subscription, last, None, delivery.composed_at), now)
        own = {shown.paper for shown in delivery.shown}
        order = replace(order, leave_out=frozenset(order.leave_out) - own, top=RANKED_AT_MOST)
        digest = await compose(order, engine=self.engine, library=self.library)
        return [
            item
            for item in digest.chosen
            if item.ranked.paper.first_seen is None or item.ranked.paper.first_seen <= delivery.composed_at
        ]

    async def today_for(self, address: str, now: datetime) -> Message:
        """Compose today's digest of a place from each source's newest batch; without a subscription, for everything."""
        subscriptions = [item for item in await self._store.subscriptions(address) if item.pause is None]
        if not subscriptions:
            return (await self.front_page(now, taste=await self.tastes.of(address))).message
        editions = [
            await self._edition(
                replace(await self._briefs.order(item, Newest(), now), leave_out=frozenset()),
                Frame(self._heading(item.interests), local_day(now, item.timezone), item.timezone),
                now,
            )
            for item in subscriptions
        ]
        return join_editions(editions, [item.number for item in subscriptions])

    async def front_page(
        self,
        now: datetime,
        *,
        interests: str = "",
        day: date | None = None,
        top: int | None = None,
        taste: Taste = NOTHING,
    ) -> Edition:
        """Compose a digest without a subscription, of one day or of each source's newest batch.

        Raises:
            QueryError: the interests cannot be read.
        """
        timezone = self._settings.digest.timezone
        window: Window = Newest() if day is None else OnDay(day)
        limit = top or (self._settings.digest.top if interests else self._settings.digest.everything_top)
        order = Order(parse(interests), window, limit, taste=taste)
        empty = "no papers are listed yet" if day is None else "no source has listed a paper for this day"
        frame = Frame(self._heading(interests), day or local_day(now, timezone), timezone, empty=empty)
        return await self._edition(order, frame, now)

    async def try_interests(self, interests: str, now: datetime, *, days: int, top: int) -> Backtest:
        """Return what interests would have delivered over the last days.

        Raises:
            QueryError: the interests cannot be read.
        """
        return await backtest(parse(interests), now, days=days, top=top, engine=self.engine, library=self.library)

    def _heading(self, interests: str) -> str:
        return f"Papers for {self._topics.call(interests).strip() or 'everything'}"

    async def _edition(self, order: Order, frame: Frame, now: datetime, slates: Slates | None = None) -> Edition:
        digest = await compose(order, engine=self.engine, library=self.library, slates=slates)
        known = await source_states(self.library)
        states = {name: state for name, state in known.items() if name in self._sources}
        silence = ""
        if not digest.chosen:
            nearest = await self._nearest_title(digest, order.window)
            silence = explain_silence(
                digest,
                states,
                self._calendar,
                now=now,
                timezone=frame.timezone,
                nearest=nearest,
                empty=frame.empty,
                seen_by=frame.seen_by,
            )
        message = digest_message(
            digest,
            frame,
            silence=silence,
            failing=failures(states, frame.timezone, now),
            now=now,
            sample=self._sample,
        )
        shown = tuple(
            Shown(item.ranked.paper.id, rank, chosen_why(item, now)) for rank, item in enumerate(digest.chosen, 1)
        )
        lacking = tuple(name for name, state in states.items() if state.failing_since is not None)
        return Edition(digest, message, shown, silence, digest.upto, lacking)

    async def _nearest_title(self, digest: Digest, window: Window) -> str:
        """Return the title that came nearest to interests of which no paper has enough words, or nothing."""
        if digest.matched or not digest.considered or len(digest.query.words) < 2:
            return ""
        nearest = await self.engine.nearest(digest.query, window)
        paper = await self.library.paper(nearest.paper_id) if nearest is not None else None
        return shorten(to_unicode(paper.title), NEAREST_TITLE) if paper is not None else ""
