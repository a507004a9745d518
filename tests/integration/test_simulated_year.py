"""A year on a virtual clock: 500 subscriptions, the calendar, outages, restarts, edits; every due date is accounted.

The oracle knows nothing of the code: it reads each zone's clock minute by minute where clocks change, and keeps by
itself when paperboy was up and who was subscribed to what. For every due date it wants one delivery, or one explained
silence, at the first minute after the due time in which paperboy was up; and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.chat.newsroom import Newsroom
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from core.delivery.platform import Receipt
from core.digests.subscription import Pause, Subscription
from core.papers.calendar import Calendar
from core.papers.plan import SourceState, keep_state
from core.papers.windows import Window
from core.search.engine import Engine, Matches
from core.search.query import Query
from core.settings import Settings
from core.store import Change, State
from tests.fakes import MemoryStore
from tests.inline_library import InlineLibrary
from tests.worlds import make_record

pytestmark = pytest.mark.timeout(600)  # half a minute of a free processor; a loaded machine is no mistake

SEED = 20261
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "America/New_York", "America/Los_Angeles",
    "America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Halifax", "America/Phoenix", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Tokyo", "Asia/Tehran", "Asia/Jerusalem", "Africa/Cairo", "Africa/Lagos",
    "Australia/Sydney", "Australia/Adelaide", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
    "Pacific/Honolulu",
)  # fmt: skip
BEGIN, END = datetime(2026, 1, 4, tzinfo=UTC), datetime(2027, 1, 3, tzinfo=UTC)
EASTERN = ZoneInfo("America/New_York")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TIMES = (time(8), time(2, 30))
TOPICS = ("grokking", "kernel", "protein", "weather", "robots", "proofs")
EVERY_PATTERN = [tuple(day for day in range(7) if bits >> day & 1) for bits in range(1, 128)]
SPARSE = [pattern for pattern in EVERY_PATTERN if len(pattern) < 2]
CALENDAR = Calendar.from_toml((Path(__file__).parents[2] / "config/arxiv_calendar.toml").read_bytes())


# The oracle


def first_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The first minute of the world in which clocks of the zone show that time of that day, or have passed it."""
    wanted = datetime.combine(day, at)
    moment = datetime.combine(day, at, UTC) - timedelta(hours=15)
    # Half a day before it no clock shows it yet; from there on, by hours and then by minutes.
    while (moment + timedelta(hours=1)).astimezone(zone).replace(tzinfo=None) < wanted:
        moment += timedelta(hours=1)
    while moment.astimezone(zone).replace(tzinfo=None) < wanted:
        moment += MINUTE
    return moment


INSTANTS: dict[tuple[date, time, str], datetime] = {}


def instant(day: date, at: time, zone: str) -> datetime:
    if (day, at, zone) not in INSTANTS:
        INSTANTS[day, at, zone] = first_instant(day, at, ZoneInfo(zone))
    return INSTANTS[day, at, zone]


@dataclass
class Account:
    """What the oracle knows of one subscription: from when on which rules hold, and what came."""

    subscription: Subscription
    rules: list[tuple[datetime, Subscription]] = field(default_factory=list)
    came: dict[date, datetime] = field(default_factory=dict)


class Times:
    """Ups and downs, in order."""

    def __init__(self, spans: Sequence[tuple[datetime, datetime]]) -> None:
        self.spans = sorted(spans)
        self._begins = [begin for begin, _ in self.spans]

    def covering(self, moment: datetime) -> tuple[datetime, datetime] | None:
        place = bisect_left(self._begins, moment + timedelta(microseconds=1)) - 1
        return self.spans[place] if place >= 0 and moment < self.spans[place][1] else None

    def after(self, moment: datetime) -> datetime:
        """The first full minute at or after a moment that lies in none of the spans."""
        moment += (MINUTE - timedelta(seconds=moment.second, microseconds=moment.microsecond)) % MINUTE
        while (span := self.covering(moment)) is not None:
            moment = span[1]
        return moment


def newest_date(rule: Subscription, at: time, moment: datetime) -> date | None:
    """The newest date of the subscription's days whose local time has come."""
    day = (moment + DAY).date()
    while day.weekday() not in rule.days or instant(day, at, rule.timezone) > moment:
        day -= DAY
    return day if instant(day, at, rule.timezone) >= rule.active_from else None


def expected_at_fixed_times(account: Account, down: Times) -> dict[date, datetime]:
    """Return the dates that must have come for a subscription with a fixed time, each with its minute."""
    came: dict[date, datetime] = {}
    for (begin, rule), (end, _) in zip(account.rules, [*account.rules[1:], (END, None)], strict=False):
        if rule.pause is not None:
            continue
        day = begin.date() - 9 * DAY
        moments = [begin]
        while (day := day + DAY) <= end.date() + DAY:
            if day.weekday() in rule.days:
                moments.append(instant(day, rule.at, rule.timezone))
        for moment in sorted(moments):
            minute = down.after(max(moment, begin))
            if minute >= end:
                continue
            newest = newest_date(rule, rule.at, minute)
            if newest is not None and newest > max(came, default=date.min):
                came[newest] = minute
    return came


def expected_when_ready(
    account: Account, down: Times, batches: Sequence[datetime], first: datetime
) -> dict[date, datetime]:
    """Return the dates that must have come for a subscription that waits for batches, each with its minute."""
    rule = account.subscription
    came: dict[date, datetime] = {}
    events = [first, *batches]
    day = BEGIN.date() - DAY
    while (day := day + DAY) <= END.date():
        events.append(instant(day, time(0), rule.timezone))
        if rule.at is not None:
            events.append(instant(day, rule.at, rule.timezone))
    read = datetime.min.replace(tzinfo=UTC)
    for minute in sorted({down.after(event) for event in events}):
        day = newest_date(rule, time(0), minute)
        if minute >= END or day is None or day <= max(came, default=date.min):
            continue
        ready = minute >= first if not came else any(read < batch <= minute for batch in batches)
        if ready or (rule.at is not None and day == newest_date(rule, rule.at, minute)):
            came[day] = read = minute
    return came


# The year


class YearStore(MemoryStore):
    """The store in memory, with indexes for a year's deliveries."""

    def __init__(self) -> None:
        super().__init__()
        self.latest, self.sent, self.open = {}, {}, {}
        self.shown = defaultdict(set)
        self.by_place = defaultdict(list)
        self.all = None

    async def subscriptions(self, address=None):
        if address is not None:
            return self.by_place[address]
        if self.all is None:
            self.all = await super().subscriptions()
            self.by_place = defaultdict(list)
            for subscription in self.all:
                self.by_place[subscription.address].append(subscription)
        return self.all

    async def add_subscription(self, subscription, change):
        self.all = None
        return await super().add_subscription(subscription, change)

    async def replace_subscription(self, subscription, change):
        self.all = None
        await super().replace_subscription(subscription, change)
        await self.subscriptions()

    async def enqueue(self, delivery):
        return self._index(delivery) if (done := await super().enqueue(delivery)) else done

    async def move(self, delivery, *, expected):
        return self._index(delivery) if (done := await super().move(delivery, expected=expected)) else done

    def _index(self, delivery):
        kept = self._deliveries[delivery.subscription, delivery.day]
        if delivery.subscription not in self.latest or self.latest[delivery.subscription].day <= delivery.day:
            self.latest[delivery.subscription] = kept
        if delivery.state in {State.SENT, State.DEAD}:
            self.open.pop((delivery.subscription, delivery.day), None)
        else:
            self.open[delivery.subscription, delivery.day] = kept
        if delivery.state is State.SENT:
            self.sent.setdefault(delivery.subscription, []).append(kept)
        if delivery.state is not State.DEAD or delivery.parts:
            self.shown[delivery.address] |= {shown.paper for shown in delivery.shown}
        return True

    async def latest_deliveries(self, subscriptions):
        return self.latest

    async def last_sent(self, subscription, before):
        return next((one for one in reversed(self.sent.get(subscription, ())) if one.day < before), None)

    async def open_deliveries(self, subscription=None):
        return sorted(self.open.values(), key=lambda one: one.due_at)

    async def shown_papers(self, address, since):
        return self.shown[address]


class YearLibrary(InlineLibrary):
    """Remembers what it read until something new comes."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = {}
        self.facts = {}

    async def ingest(self, records, *, now, facts=None):
        self.kept.clear()
        return await super().ingest(records, now=now, facts=facts)

    async def papers(self, ids):
        missing = [one for one in ids if one not in self.kept]
        self.kept |= await super().papers(missing) if missing else {}
        return {one: self.kept[one] for one in ids}

    async def fact(self, name):
        return self.facts.get(name)

    async def facts_named(self, names):
        return {name: self.facts[name] for name in names if name in self.facts}

    async def set_fact(self, name, value):
        self.facts[name] = value


class YearEngine(Engine):
    """Remembers what it matched until something new comes."""

    def __init__(self, library: YearLibrary) -> None:
        super().__init__(library)
        self.kept: dict[tuple[str, Window], Matches] = {}

    async def match(self, query: Query, window: Window) -> Matches:
        if (query.text, window) not in self.kept:
            self.kept[query.text, window] = await super().match(query, window)
        return self.kept[query.text, window]


class Killed(BaseException):
    """The end of a process in the middle of a call."""


class Squares:
    """A platform that keeps what came, and lets the process die after a number of posts."""

    name = "fake"

    def __init__(self) -> None:
        self.posts = {}
        self.twice = []
        self.deadly = None

    def payload(self, message):
        return [{}]

    async def ready(self):
        return None

    async def deliver(self, address, message, *, key, done=(), sent=None):
        if self.deadly is not None and self.deadly <= 0:
            raise Killed
        if (address, key) in self.posts:
            self.twice.append(key)
        self.posts[address, key] = message
        if self.deadly is not None:
            self.deadly -= 1
            if self.deadly <= 0:
                raise Killed
        return Receipt((key,))

    async def find(self, address, key, since):
        return [key] if (address, key) in self.posts else []


@dataclass
class Year:
    """Everything that will happen, drawn beforehand."""

    down: Times
    outages: Times
    accounts: list[Account]
    arrivals: list[tuple[datetime, list]]
    batches: list[datetime]
    topics: dict[str, tuple[str, datetime, date]]

    def fetched(self, moment: datetime) -> datetime:
        """The first minute at which a source answers and paperboy asks."""
        while (later := self.down.after(self.outages.after(moment))) != moment:
            moment = later
        return moment


def draw_spans(dice: random.Random, count: int, longest: int) -> Times:
    """Spans of minutes to days, none touching another."""
    begins = sorted(dice.sample(range(2, 362), count))
    found = []
    for begin in begins:
        start = BEGIN + begin * DAY + dice.randrange(1440) * MINUTE
        if not found or start > found[-1][1] + DAY:
            found.append((start, start + max(3, int(longest * dice.random() ** 4)) * MINUTE))
    return Times(found)


def draw_accounts(dice: random.Random, down: Times) -> list[Account]:
    accounts = []
    for number in range(500):
        ready, weekly, night = number % 20 == 0, number % 20 == 1, number % 20 == 7
        joined = (
            BEGIN
            if number < 60
            else down.after(BEGIN + dice.randrange((number > 127) * 150 * 1440, 355 * 1440) * MINUTE)
        )
        rule = Subscription(
            id=f"s{number}",
            address=f"fake:C{number % 420}",
            number=0,
            interests=TOPICS[number % len(TOPICS)],
            at=dice.choice((None, time(18, 30))) if ready else time(2, 30) if night else time(8),
            timezone=ZONES[number % len(ZONES)],
            days=(0,)
            if weekly
            else (0, 5, 6)
            if night
            else EVERY_PATTERN[number]
            if number < 127
            else dice.choice(SPARSE),
            top=50,
            created_by="fake:alice",
            created_at=joined,
            active_from=joined,
            when_ready=ready,
            weekly=weekly,
            quiet=number % 5 == 2,
        )
        account = Account(rule, [(joined, rule)])
        if number % 5 == 3:
            draw_edits(dice, account, down)
        accounts.append(account)
    return accounts


def draw_edits(dice: random.Random, account: Account, down: Times) -> None:
    for moment in sorted(dice.sample(range(5, 355), 4)):
        minute = down.after(BEGIN + moment * DAY + dice.randrange(1440) * MINUTE) + MINUTE
        if minute <= account.rules[-1][0]:
            continue
        rule = account.rules[-1][1]
        kind = dice.choice(("zone", "time", "days", "pause"))
        if down.covering(minute) is not None or kind == "pause":
            minute = down.after(minute)
        changes = {
            "zone": {"timezone": dice.choice(ZONES)},
            "time": {"at": dice.choice(TIMES)},
            "days": {"days": dice.choice(EVERY_PATTERN), "active_from": minute},
            "pause": {"pause": Pause("by request", minute)},
        }[kind]
        account.rules.append((minute, replace(rule, **changes)))
        if kind == "pause":
            resumed = down.after(minute + dice.randrange(10, 5000) * MINUTE)
            account.rules.append((resumed, replace(rule, active_from=resumed)))


def draw_year() -> Year:
    dice = random.Random(SEED)
    down, outages = draw_spans(dice, 40, 4 * 1440), draw_spans(dice, 30, 3 * 1440)
    year = Year(down, outages, draw_accounts(dice, down), [], [], {})
    number = 0
    day = BEGIN.date()
    while (day := day + DAY) < END.date():
        evening = day - DAY
        drawn = []
        if evening.weekday() not in (4, 5) and evening not in CALENDAR.closures:
            drawn.append(("arxiv", day, 3, datetime.combine(day, time(1, 7), EASTERN).astimezone(UTC)))
        if dice.random() < 0.15:
            drawn.append(("arxiv", day - 9 * DAY, 1, datetime.combine(day, time(13), UTC)))
        drawn.append(("huggingface", day, 1, datetime.combine(day, time(11), UTC)))
        for source, listed, count, moment in drawn:
            minute, records = year.fetched(moment), []
            for _ in range(count):
                number += 1
                identifier, topic = f"26{number // 10_000:02}.{number % 10_000:05}", dice.choice(TOPICS)
                records.append(make_record(identifier, f"On {topic}, part {number}", day=listed, source=source))
                year.topics[identifier] = (topic, minute, listed)
            year.arrivals.append((minute, records))
            if count == 3:
                year.batches.append(minute)
    year.arrivals.sort(key=lambda arrival: arrival[0])
    return year


class World:
    """paperboy through the year: what happens in it is asked of `Year`, what came of it is on the platform."""

    def __init__(self, year: Year) -> None:
        self.year = year
        self.now = BEGIN
        self.dice = random.Random(SEED + 1)
        self.store, self.library, self.platform = YearStore(), YearLibrary(), Squares()
        self.engine = YearEngine(self.library)
        self.newsroom = Newsroom(
            library=self.library, engine=self.engine, store=self.store, settings=Settings(), calendar=CALENDAR
        )
        self.composed, self.messages, self.deaths = {}, {}, 0
        self.arrivals = list(reversed(year.arrivals))
        self.edits = sorted(
            ((minute, rule) for account in year.accounts for minute, rule in account.rules),
            key=lambda edit: edit[0],
            reverse=True,
        )
        self.failing = False

    def start(self) -> Courier:
        return Courier(
            Carrier(store=self.store, platforms={"fake": self.platform}, clock=lambda: self.now, jitter=lambda: 0.5)
        )

    async def live(self, minutes: Sequence[datetime]) -> None:
        self.courier = self.start()
        for self.now in minutes:
            await self.pass_minute()

    async def pass_minute(self) -> None:
        await self.learn()
        while self.edits and self.edits[-1][0] <= self.now:
            minute, rule = self.edits.pop()
            what = Change(minute, rule.address, "fake:alice", f"changed #{rule.number} to something else")
            if await self.store.subscription(rule.id) is None:
                await self.store.add_subscription(rule, what)
            else:
                await self.store.replace_subscription(rule, what)
        if self.dice.random() < 0.02:
            self.platform.deadly = self.dice.randrange(1, 6)
        queued = await fill_outbox(self.newsroom, self.store, self.now)
        await self.carry()
        if self.platform.deadly is not None and queued:
            self.deaths += self.platform.deadly <= 0
            self.platform.deadly = None
            self.courier = self.start()
            await self.courier.recover()
            await self.carry()

    async def carry(self) -> None:
        while self.store.open and (self.platform.deadly is None or self.platform.deadly > 0):
            await self.courier.drain()
            if not self.courier.busy:
                return
            await self.courier.settled()

    async def learn(self) -> None:
        while self.arrivals and self.arrivals[-1][0] <= self.now:
            minute, records = self.arrivals.pop()
            await self.library.ingest(records, now=minute)
            self.engine.kept.clear()
        span = self.year.outages.covering(self.now)
        if self.failing != (span is not None):
            self.failing = span is not None
            state = SourceState("arxiv", failing_since=span[0], reason="has answered 503") if span else None
            await keep_state(self.library, state or SourceState("arxiv", ok_at=self.now))


def live_a_year():
    year = draw_year()
    expected = {}
    minutes = {minute for minute, _ in year.arrivals} | {end for _, end in year.down.spans}
    minutes |= {minute for account in year.accounts for minute, _ in account.rules}
    for account in year.accounts:
        if account.subscription.when_ready:
            came = expected_when_ready(account, year.down, year.batches, year.arrivals[0][0])
        else:
            came = expected_at_fixed_times(account, year.down)
        expected |= {(account.subscription.id, day): minute for day, minute in came.items()}
    minutes |= set(expected.values())
    # Any other minute may strike as well, and nothing may come of it.
    dice = random.Random(SEED + 2)
    minutes |= {BEGIN + dice.randrange(363 * 1440) * MINUTE for _ in range(300)}
    world = World(year)
    logging.disable(logging.WARNING)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        loop.run_until_complete(world.live(sorted(m for m in minutes if year.down.after(m) == m and m < END)))
    finally:
        logging.disable(logging.NOTSET)
        loop.close()
    return world, expected


def every_due_date_has_one_delivery_or_one_explanation_in_its_minute_and_nothing_else_comes(world, expected):
    came = {key: delivery.composed_at for key, delivery in world.store._deliveries.items()}
    assert {key: (expected[key], came.get(key)) for key in expected if came.get(key) != expected[key]} == {}
    assert came.keys() - expected.keys() == set()
    assert len(expected) > 20_000


def a_life_with_deaths_posts_nothing_twice_and_ends_with_nothing_open(world):
    assert world.platform.twice == []
    assert world.deaths > 30
    assert world.store.open == {}
    assert {delivery.state for delivery in world.store._deliveries.values()} == {State.SENT}


def whoever_did_not_ask_for_quiet_reads_one_message_for_every_date(world):
    quiet = {account.subscription.id for account in world.year.accounts if account.subscription.quiet}
    silent = Counter()
    for delivery in world.store._deliveries.values():
        message = world.platform.posts.get((delivery.address, delivery.key))
        if not delivery.shown:
            silent["quiet" if message is None else "told"] += 1
            assert delivery.silence
        assert (message is None) == (not delivery.shown and delivery.subscription in quiet)
    assert min(silent["quiet"], silent["told"]) > 1000


def a_place_is_shown_every_paper_that_it_wants_once(world):
    shown = defaultdict(Counter)
    for delivery in world.store._deliveries.values():
        shown[delivery.address].update(paper.paper for paper in delivery.shown)
    assert {place for place, papers in shown.items() if max(papers.values()) > 1} == set()
    compared = 0
    for account in world.year.accounts:
        rule = account.subscription
        latest = world.store.latest[rule.id].composed_at
        first = min(one.composed_at for one in world.store.sent[rule.id])
        wanted = {
            paper
            for paper, (topic, minute, listed) in world.year.topics.items()
            if topic == rule.interests and minute <= latest
            if minute > first or (listed >= rule.created_at.date() and not rule.weekly)
        }
        assert wanted <= set(shown[rule.address]), rule
        compared += len(wanted)
    assert compared > 10_000


def a_silence_in_an_outage_names_it_and_one_after_a_closure_too(world):
    reasons = Counter()
    for delivery in world.store._deliveries.values():
        failing = "arXiv has answered 503 since" in delivery.silence
        if delivery.silence:
            assert failing == (world.year.outages.covering(delivery.composed_at) is not None), delivery
        reasons["closed"] += "because it was closed on" in delivery.silence
        reasons["failing"] += failing
    assert min(reasons.values()) > 0, reasons


def test_a_year_goes_as_promised():
    world, expected = live_a_year()
    every_due_date_has_one_delivery_or_one_explanation_in_its_minute_and_nothing_else_comes(world, expected)
    a_life_with_deaths_posts_nothing_twice_and_ends_with_nothing_open(world)
    whoever_did_not_ask_for_quiet_reads_one_message_for_every_date(world)
    a_place_is_shown_every_paper_that_it_wants_once(world)
    a_silence_in_an_outage_names_it_and_one_after_a_closure_too(world)
