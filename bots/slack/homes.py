"""Keeps each person's App Home current: drawn when it is opened, and again after that person changed something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bots.slack.failures import SlackError
from bots.slack.home import HomeFacts, home_view
from bots.slack.places import Stewards
from bots.slack.requests import NAME, is_person, request_at, split_address
from bots.slack.tasks import Tasks
from bots.slack.workspaces import Workspaces
from core.chat import commands as c
from core.chat.parsing import FORMS
from core.clock import Clock
from core.delivery.platform import Answer
from core.digests.subscription import Subscription
from core.errors import PaperboyError
from core.store import Store

log = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
MOST_OPEN = 5_000
PAGE = 200
MOST_PAGES = 5


class Homes:
    """Publishes App Home, rate aware: one drawing of a person's at a time, and one more if something changed meanwhile.

    Args:
        workspaces: the way into each.
        store: what is shown.
        stewards: who may erase a workspace's data.
        clock: now.
        tasks: in which drawings run.
        base_url: of the page.
        settle: seconds to wait for further changes before another drawing.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        store: Store,
        stewards: Stewards,
        clock: Clock,
        tasks: Tasks,
        *,
        base_url: str,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._workspaces = workspaces
        self._store = store
        self._stewards = stewards
        self._clock = clock
        self._tasks = tasks
        self._base_url = base_url
        self._settle = settle
        self._opened: dict[str, None] = {}
        self._drawing: dict[str, bool] = {}

    def opened(self, person: str, answer: Answer) -> None:
        """Draw it now, and keep it current from now on."""
        self._opened.pop(person, None)
        if len(self._opened) >= MOST_OPEN:
            del self._opened[next(iter(self._opened))]
        self._opened[person] = None
        self._start(person, answer, after=0)

    def changed(self, person: str, answer: Answer) -> None:
        """Draw it anew in a moment, where that person has opened it."""
        if person in self._opened:
            self._start(person, answer, after=self._settle)

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
                again, after = self._drawing[person], self._settle
        except (SlackError, PaperboyError) as failure:
            log.warning("Slack: App Home of %s could not be drawn: %s", person, failure)
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
        latest = await self._store.latest_deliveries([item.id for item in (*own, *channels)])
        marks = await self._store.marks(person=person)
        has_saved = any(mark.kind == "saved" for mark in marks)
        saved = (await answer(request_at(c.Saved(), person=person, place=person))).cards if has_saved else ()
        return HomeFacts(
            person=person,
            own=own,
            channels=channels,
            latest=tuple(latest.values()),
            saved=saved,
            votes=(sum(mark.kind == "up" for mark in marks), sum(mark.kind == "down" for mark in marks)),
            has_taste="taste" in FORMS,
            steward=person in await self._stewards.of(f"{NAME}:{team}/"),
            base_url=self._base_url,
        )

    async def _in_channels_of(self, team: str, user: str, kept: Sequence[Subscription]) -> Sequence[Subscription]:
        """Return the subscriptions of the channels that a person is in; of a private one nobody else is shown any."""
        elsewhere = [item for item in kept if not is_person(split_address(item.address)[1])]
        if not elsewhere:
            return ()
        joined = await self._channels_of(team, user)
        return [item for item in elsewhere if split_address(item.address)[1] in joined]

    async def _channels_of(self, team: str, user: str) -> set[str]:
        api = await self._workspaces.api(team)
        found: set[str] = set()
        cursor = None
        for _ in range(MOST_PAGES):
            reply = await api.call(
                api.client.users_conversations,
                user=user,
                types="public_channel,private_channel",
                exclude_archived=False,
                limit=PAGE,
                cursor=cursor,
            )
            found |= {str(channel["id"]) for channel in reply.get("channels") or ()}
            cursor = (reply.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found
