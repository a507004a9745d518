"""People whose account was switched off: thirty days later nothing about them is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bots.slack.failures import SlackError
from bots.slack.requests import NAME, is_person, split_address
from bots.slack.visitors import Visitors
from bots.slack.workspaces import Workspaces
from core.clock import Clock
from core.errors import PaperboyError
from core.store import Store

log = logging.getLogger(__name__)

FORGET_AFTER = timedelta(days=30)
FIRST_AFTER = 300.0  # seconds
EVERY = 24 * 3600.0
BETWEEN = 1.5  # seconds; Slack takes a hundred such questions a minute


class Leavers:
    """Asks Slack once a day for those about whom something is kept, since it tells an app of nobody's leaving.

    Args:
        workspaces: the way into each.
        store: what is kept.
        visitors: who is forgotten with everything else.
        clock: now.
        between: seconds between two questions.
    """

    def __init__(
        self, workspaces: Workspaces, store: Store, visitors: Visitors, clock: Clock, *, between: float = BETWEEN
    ) -> None:
        self._workspaces = workspaces
        self._store = store
        self._visitors = visitors
        self._clock = clock
        self._between = between

    async def watch(self) -> None:
        """Take a round each day, the first when what a start brings is over; ends when it is cancelled."""
        await asyncio.sleep(FIRST_AFTER)
        while True:
            try:
                await self.round()
            except PaperboyError as failure:
                log.warning("Slack: it is not known who left: %s", failure)
            await asyncio.sleep(EVERY)

    async def round(self) -> None:
        """Forget whoever left thirty days ago.

        Raises:
            StoreError: what is kept cannot be read or changed.
        """
        for person in await self._known():
            await asyncio.sleep(self._between)
            if await self._left_long_ago(person):
                await self._store.forget(person)
                await self._visitors.forget(person)
                log.info("Slack: everything about a person is deleted whose account was switched off 30 days ago")

    async def _known(self) -> Sequence[str]:
        """Return the people about whom something is kept."""
        named = {mark.person for mark in await self._store.marks()}
        for item in await self._store.subscriptions():
            named |= {item.address, item.created_by}
        return sorted(one for one in named if one.startswith(f"{NAME}:") and is_person(split_address(one)[1]))

    async def _left_long_ago(self, person: str) -> bool:
        team, identifier = split_address(person)
        try:
            api = await self._workspaces.api(team)
            user = (await api.call(api.client.users_info, user=identifier)).get("user") or {}
        except SlackError as failure:
            log.info("Slack: whether somebody left is not known: %s", failure)
            return False
        return _is_off_since(user, self._clock() - FORGET_AFTER)


def _is_off_since(user: Mapping[str, Any], moment: datetime) -> bool:
    """Tell whether an account was switched off before a moment; Slack tells when it was changed last."""
    changed = user.get("updated")
    if not user.get("deleted") or not isinstance(changed, int | float):
        return False
    return datetime.fromtimestamp(changed, UTC) <= moment
