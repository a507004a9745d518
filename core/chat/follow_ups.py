"""What happened to papers that somebody saved or liked: one line under the next digest, each piece of news once.

A channel is told of papers that were marked 👍 in it; a person, in digests of the person's own, of all that the person
saved or liked anywhere. What a place was told is kept with its deliveries, so a digest that never arrived told nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from core.chat.message import Span, Text, text
from core.chat.render import title_span
from core.papers.happenings import Happening, Kind, read_happenings
from core.papers.library import Library
from core.papers.paper import Paper
from core.store import Mark, Store

MOST_IN_A_LINE = 4
KEPT = frozenset({"saved", "up"})


class FollowUps:
    """Finds what is to be told.

    Args:
        library: knows what happened.
        store: knows who marked what, and what was told.
        kept: for how long it knows what was told; older news is none.
    """

    def __init__(self, *, library: Library, store: Store, kept: timedelta) -> None:
        self._library = library
        self._store = store
        self._kept = kept
        self._marks: tuple[datetime, Mapping[str, Mapping[str, datetime]]] | None = None
        self._happened: tuple[datetime, Sequence[Happening]] | None = None
        self._reading = asyncio.Lock()

    async def news(
        self, address: str, now: datetime, *, one_of_many: bool = False, marks: Sequence[Mark] | None = None
    ) -> Sequence[Happening]:
        """Return what a place is to be told next, oldest first; what does not fit into a line waits.

        Args:
            address: the place.
            now: the instant (aware).
            one_of_many: whether many are asked for at this instant, so that all marks are read once.
            marks: of the place and of the person that it is, where they were read already.
        """
        since = now - self._kept
        happened = await self._happenings(now, since)
        if not happened:
            return ()
        if marks is not None:
            marked = _by_place(marks).get(address, {})
        else:
            marked = (await (self._marked(now) if one_of_many else self._marked_at(address))).get(address, {})
        wanted = [one for one in happened if one.paper in marked and one.at > marked[one.paper]]
        told = await self._store.told(address, since) if wanted else frozenset()
        return [one for one in wanted if one.name not in told][:MOST_IN_A_LINE]

    async def line(self, address: str, news: Sequence[Happening]) -> Text:
        """Return the line that tells of news, or nothing."""
        papers = await self._library.papers([one.paper for one in news])
        own = any(mark.kind in KEPT for mark in await self._store.marks(person=address)) if news else False
        return news_line(news, papers, opening="Papers you kept" if own else "Papers you liked here")

    async def told_before(self, names: Collection[str], now: datetime) -> Sequence[Happening]:
        """Return again what a delivery told, by its names."""
        if not names:
            return ()
        since = now - self._kept - timedelta(days=1)
        happened = await self._library.read(lambda connection: read_happenings(connection, since=since))
        return [one for one in happened if one.name in names]

    async def _happenings(self, now: datetime, since: datetime) -> Sequence[Happening]:
        """Return all that happened; read once for all digests of an instant."""
        async with self._reading:  # many ask the same at a time
            if self._happened is None or self._happened[0] != now:
                found = await self._library.read(lambda connection: read_happenings(connection, since=since))
                self._happened = (now, found)
            return self._happened[1]

    async def _marked_at(self, address: str) -> Mapping[str, Mapping[str, datetime]]:
        """Return the same of one place."""
        mine, here = await asyncio.gather(self._store.marks(person=address), self._store.marks(place=address))
        return _by_place(sorted({*mine, *here}, key=lambda mark: mark.at))

    async def _marked(self, now: datetime) -> Mapping[str, Mapping[str, datetime]]:
        """Return by place which papers are followed there since when; read once for all digests of an instant."""
        async with self._reading:
            if self._marks is None or self._marks[0] != now:
                self._marks = (now, _by_place(await self._store.marks()))
            return self._marks[1]


def _by_place(marks: Iterable[Mark]) -> Mapping[str, Mapping[str, datetime]]:
    found: dict[str, dict[str, datetime]] = {}
    for mark in marks:
        if mark.kind in KEPT:
            found.setdefault(mark.person, {}).setdefault(mark.paper, mark.at)
        if mark.kind == "up":  # what a person saved is nobody else's to know
            found.setdefault(mark.place, {}).setdefault(mark.paper, mark.at)
    return found


def news_line(news: Sequence[Happening], papers: Mapping[str, Paper], *, opening: str) -> Text:
    """Return one line about all news, or nothing."""
    told: list[Span] = []
    for one in news:
        if one.paper in papers:
            told += [Span(" · " if told else f"{opening}: "), title_span(papers[one.paper]), *happened_words(one)]
    return tuple(told)


def happened_words(one: Happening) -> Text:
    """Return what follows the title: ` has version 2`."""
    match one.kind:
        case Kind.WITHDRAWN:
            return text(" was withdrawn")
        case Kind.VERSION:
            return text(f" has version {one.detail}")
        case Kind.CODE:
            return text(" has ", Span("code", url=one.detail))
        case Kind.PUBLISHED:
            return text(f" is published: {one.detail}")
