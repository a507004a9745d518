"""Keeps each person's App Home current.

It is drawn when it is opened, after that person changed something, and when others or a delivery changed what it shows;
after a restart too, which may have brought another version of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bots.slack.failures import SlackError
from bots.slack.home import HomeFacts, home_view
from bots.slack.people import People
from bots.slack.places import channels_of
from bots.slack.requests import NAME, is_person, request_at, split_address
from bots.slack.tasks import Tasks
from bots.slack.visitors import Visitors
from bots.slack.workspaces import Workspaces
from core.chat import commands as c
from core.chat.parsing import FORMS
from core.clock import Clock
from core.delivery.platform import Answer
from core.digests.subscription import Subscription
from core.errors import DeliveryFailure, PaperboyError
from core.store import Delivery, State, Store, covers

log = logging.getLogger(__name__)

FOR_GOOD = {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REJECTED}

Sights: TypeAlias = Mapping[str, Any]
"""What homes say of each place, by address; only good for being compared."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often homes are drawn, in seconds; Slack takes a hundred drawings a minute, and fifty looks at who is where.

    Attributes:
        settle: waited for further changes of the same person.
        look: between looks at what others changed.
        between: two homes that are drawn because of that.
    """

    settle: float = 1.0
    look: float = 20.0
    between: float = 1.5


class Homes:
    """Publishes App Home, rate aware: one drawing of a person's at a time, and one more if something changed meanwhile.

    Args:
        workspaces: the way into each.
        store: what is shown.
        people: who may erase a workspace's data.
        visitors: whose homes are kept current.
        clock: now.
        tasks: in which drawings run.
        base_url: of the page.
        rhythm: how often.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that homes are made of
        self,
        workspaces: Workspaces,
        store: Store,
        people: People,
        visitors: Visitors,
        clock: Clock,
        tasks: Tasks,
        *,
        base_url: str,
        rhythm: Rhythm,
    ) -> None:
        self._workspaces = workspaces
        self._store = store
        self._people = people
        self._visitors = visitors
        self._clock = clock
        self._tasks = tasks
        self._base_url = base_url
        self._rhythm = rhythm
        self._drawing: dict[str, bool] = {}
        self._joined: dict[str, frozenset[str]] = {}

    def opened(self, person: str, answer: Answer) -> None:
        """Draw it now, and keep it current from now on."""
        self._start(person, answer, after=0)
        self._tasks.start(self._visitors.came(person))

    def pressed(self, person: str, answer: Answer) -> None:
        """Draw it anew in a moment, since that person looks at it."""
        self._start(person, answer, after=self._rhythm.settle)

    def changed(self, person: str, answer: Answer) -> None:
        """Draw it anew in a moment, where that person has opened it lately."""
        if self._visitors.knows(person):
            self._start(person, answer, after=self._rhythm.settle)

    async def empty(self, address: str, answer: Answer) -> None:
        """Draw once more the homes of a person, or of all in a workspace, of whom everything was deleted.

        Raises:
            StoreError: who opened them is not forgotten.
        """
        people = [person for person in self._visitors.newest_first() if covers(address, person)]
        await self._visitors.forget(address)
        for person in people:
            await self._draw_now(person, answer)
            await asyncio.sleep(self._rhythm.between)

    async def watch(self, answer: Answer) -> None:
        """Draw homes anew, one after the other, when what they show has changed; ends when it is cancelled.

        The store is looked at, so that it does not matter who changed it: a delivery, a colleague, the command line.
        At first all are drawn, since nobody knows what changed while paperboy was away.
        """
        before: Sights | None = None
        while True:
            try:
                if before is None:
                    await self._visitors.load()
                seen = await self._sights()
                for person in filter(self._visitors.knows, list(self._touched(before, seen))):
                    await self._draw_now(person, answer)
                    await asyncio.sleep(self._rhythm.between)
                before = seen
            except PaperboyError as failure:
                log.warning("Slack: whether App Home is current is not known: %s", failure)
            await asyncio.sleep(self._rhythm.look)

    async def _sights(self) -> Sights:
        """Return what homes that were opened lately can say of places."""
        teams = {split_address(person)[0] for person in self._visitors.newest_first()}
        kept = [item for item in await self._store.subscriptions() if _team_of(item) in teams] if teams else []
        latest = await self._store.latest_deliveries([item.id for item in kept]) if kept else {}
        seen: dict[str, list[object]] = {}
        for item in kept:
            last = latest.get(item.id)
            told = None if last is None else (last.day, last.state is State.SENT, last.note, len(last.shown))
            seen.setdefault(item.address, []).append((item, told))
        return seen

    def _touched(self, before: Sights | None, seen: Sights) -> Iterator[str]:
        """Yield whose homes say something else now: of their own, or of channels they are in as far as we know."""
        known = before or {}
        changed = {address for address in {*known, *seen} if known.get(address) != seen.get(address)}
        channels: defaultdict[str, set[str]] = defaultdict(set)
        for team, channel in map(split_address, changed):
            if not is_person(channel):
                channels[team].add(channel)
        for person in self._visitors.newest_first():
            others, joined = channels.get(split_address(person)[0]), self._joined.get(person)
            if before is None or person in changed or (others and (joined is None or not joined.isdisjoint(others))):
                yield person

    async def _draw_now(self, person: str, answer: Answer) -> None:
        if person in self._drawing:
            self._drawing[person] = True
        else:
            self._drawing[person] = False
            await self._keep(person, answer, 0)

    def _start(self, person: str, answer: Answer, *, after: float) -> None:
        if person in self._drawing:
            self._drawing[person] = True
            return
        self._drawing[person] = False
        self._tasks.start(self._keep(person, answer, after))

    async def _keep(self, person: str, answer: Answer, after: float) -> None:
        try:
            again = True
            while again:
                await asyncio.sleep(after)
                self._drawing[person] = False
                await self._publish(person, answer)
                again, after = self._drawing[person], self._rhythm.settle
        except (SlackError, PaperboyError) as failure:
            log.warning("Slack: App Home of %s could not be drawn: %s", person, failure)
            if isinstance(failure, SlackError) and failure.kind in FOR_GOOD:
                await self._visitors.forget(person)  # until they open it again
        finally:
            del self._drawing[person]

    async def _publish(self, person: str, answer: Answer) -> None:
        team, user = split_address(person)
        api = await self._workspaces.api(team)
        view = home_view(await self._facts(person, answer), self._clock())
        await api.call(api.client.views_publish, user_id=user, view=view)

    async def _facts(self, person: str, answer: Answer) -> HomeFacts:
        team, user = split_address(person)
        kept = [item for item in await self._store.subscriptions() if item.address.startswith(f"{NAME}:{team}/")]
        own = [item for item in kept if item.address == person]
        channels = await self._in_channels_of(team, user, kept)
        latest = await self._latest([item.id for item in (*own, *channels)])
        marks = await self._store.marks(person=person)
        has_saved = any(mark.kind == "saved" for mark in marks)
        saved = (await answer(request_at(c.Saved(), person=person, place=person))).cards if has_saved else ()
        return HomeFacts(
            person=person,
            own=own,
            channels=channels,
            latest=latest,
            saved=saved,
            votes=(sum(mark.kind == "up" for mark in marks), sum(mark.kind == "down" for mark in marks)),
            has_taste="taste" in FORMS,
            steward=(await self._people.of(person)).steward,
            base_url=self._base_url,
        )

    async def _latest(self, subscriptions: Sequence[str]) -> Sequence[Delivery]:
        """Return the newest digest that came of each; one that is on its way does not hide the one before it."""
        latest = await self._store.latest_deliveries(subscriptions)
        under_way = [item for item in latest.values() if item.state is not State.SENT]
        before = [await self._store.last_sent(item.subscription, item.day) for item in under_way]
        return [item for item in (*latest.values(), *before) if item is not None and item.state is State.SENT]

    async def _in_channels_of(self, team: str, user: str, kept: Sequence[Subscription]) -> Sequence[Subscription]:
        """Return the subscriptions of the channels that a person is in; of a private one nobody else is shown any."""
        elsewhere = [item for item in kept if not is_person(split_address(item.address)[1])]
        if not elsewhere:
            return ()
        joined = await channels_of(await self._workspaces.api(team), user)
        self._joined[f"{NAME}:{team}/{user}"] = joined
        return [item for item in elsewhere if split_address(item.address)[1] in joined]


def _team_of(subscription: Subscription) -> str | None:
    address = subscription.address
    return split_address(address)[0] if address.startswith(f"{NAME}:") else None
