"""A whole core in a folder of the test's own: real library and engine, a store in memory, a clock moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

from bots.house import House, make_house
from bots.topics import read_topics
from core.chat import commands as c
from core.chat.desk import Desk
from core.chat.inquiries import Inquiries
from core.chat.message import Message, plain
from core.chat.orders import Orders
from core.delivery.carrying import Carrier
from core.delivery.courier import Courier
from core.delivery.outbox import fill_outbox
from core.delivery.sending import Sending
from core.papers.library import LIBRARY_FILE, Library
from core.papers.paper import Listing, Record, Signal
from core.settings import Settings
from core.store import Store
from tests.fake_platform import FakePlatform
from tests.fakes import MemoryStore

MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)
MONDAY_DATE = MONDAY.date()
PLACE = "fake:C1"
ALICE = "fake:alice"


def make_record(identifier: str, title: str, *, day: date | None = MONDAY_DATE, **fields: object) -> Record:
    """A record as arXiv's announcement would bring it; without a day it is on no list."""
    values: dict[str, object] = {
        "source": "arxiv",
        "abstract": f"We study {title.lower()}. It works.",
        "authors": ("Ada Lovelace", "Alan Turing"),
        "categories": ("cs.LG",),
        "published": MONDAY - timedelta(days=1),
    }
    source = str(fields.get("source", "arxiv"))
    listings = () if day is None else (Listing(source, day, "new" if source == "arxiv" else "daily"),)
    return Record(id=identifier, title=title, listings=listings, **{**values, **fields})


def upvotes(number: int, at: datetime = MONDAY) -> tuple[Signal, ...]:
    """A reading of upvotes."""
    return (Signal("upvotes", number, at, "huggingface"),)


@dataclass
class World:
    """What a test holds in its hands."""

    house: House
    platform: FakePlatform
    now: datetime = MONDAY
    problems: dict[str, str] = field(default_factory=dict)
    counted: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = (f"s{number}" for number in count(1))
        self.courier = Courier(
            Carrier(
                store=self.house.store,
                platforms={"fake": self.platform},
                clock=lambda: self.now,
                jitter=lambda: 0.5,
            )
        )
        orders = Orders(
            store=self.house.store,
            newsroom=self.house.newsroom,
            settings=self.house.settings,
            reachable=self._reachable,
            new_id=lambda: next(self.ids),
            topics=read_topics(),
        )
        inquiries = Inquiries(
            store=self.house.store, newsroom=self.house.newsroom, settings=self.house.settings, topics=read_topics()
        )
        sending = Sending(
            store=self.house.store,
            newsroom=self.house.newsroom,
            settings=self.house.settings,
            reachable=self._reachable,
            count=lambda platform, what: self.counted.append((platform, what)),
        )
        self.desk = Desk(inquiries=inquiries, orders=orders, send=sending.send, clock=lambda: self.now)

    async def _reachable(self, address: str) -> str | None:
        return self.problems.get(address)

    async def learn(self, *records: Record) -> None:
        """Put records into the library."""
        await self.house.library.ingest(records, now=self.now)

    async def ask(self, command: c.Command | str, **fields: object) -> Message:
        """Ask as Alice does in her channel."""
        values: dict[str, object] = {"person": ALICE, "place": PLACE, "may_manage": True}
        return await self.desk.answer(c.Request(command, **{**values, **fields}))

    async def tick(self, now: datetime | None = None) -> int:
        """Let the minute strike: queue what is due and deliver it; returns how many were queued."""
        self.now = now or self.now
        queued = await fill_outbox(self.house.newsroom, self.house.store, self.now)
        while True:
            await self.courier.drain()
            if not self.courier.busy:
                return queued
            await self.courier.settled()

    def posted(self) -> list[Message]:
        """Return the messages that arrived, each once."""
        return [post.message for post in self.platform.posts if post.part == 0]


def words(message: Message) -> str:
    """Return everything a message says."""
    cards = [f"{card.title} {card.byline} {card.facts} {card.why} {card.summary}" for card in message.cards]
    return "\n".join([message.heading, *map(plain, message.lines), *cards, *map(plain, message.closing)])


def titles(message: Message) -> list[str]:
    """Return the titles of a message's cards."""
    return [card.title for card in message.cards]


@asynccontextmanager
async def open_world(
    folder: Path, records: Sequence[Record] = (), *, store: Store | None = None, **settings: object
) -> AsyncIterator[World]:
    """Open a world whose library holds these records, with a store from before or a new one."""
    library = await Library.open(folder / LIBRARY_FILE)
    try:
        house = make_house(
            Settings.model_validate(settings), library=library, store=store or MemoryStore(), clock=lambda: MONDAY
        )
        world = World(house, FakePlatform())
        await world.learn(*records)
        yield world
    finally:
        await library.close()
