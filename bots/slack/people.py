"""What Slack tells about a person: the time zone, and whether it is a guest or runs the workspace; kept for an hour."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bots.slack.failures import SlackError
from bots.slack.places import rank
from bots.slack.requests import concerns_person, split_address
from bots.slack.workspaces import Workspaces
from core.chat.commands import Request
from core.clock import Clock
from core.zones import zone_names

log = logging.getLogger(__name__)

ASK_SECONDS = 3.0
KEPT = timedelta(hours=1)
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person.

    Attributes:
        timezone: IANA name, where Slack tells it.
        full_member: of the workspace, rather than a guest or somebody from elsewhere; None where nobody knows.
        steward: owner or administrator of the workspace.
    """

    timezone: str | None = None
    full_member: bool | None = None
    steward: bool = False


class People:
    """Asks Slack about people."""

    def __init__(self, workspaces: Workspaces, clock: Clock) -> None:
        self._workspaces = workspaces
        self._clock = clock
        self._known: dict[str, tuple[datetime, Person]] = {}

    async def complete(self, request: Request) -> Request:
        """Return the request with the person's zone and rights, where its command asks for them.

        Slack tells an app nothing about who manages a channel, and lets every full member bring apps into one; guests
        it does not. So full members may change what a channel receives.
        """
        if not concerns_person(request.command):
            return request
        person = await self.of(request.person)
        allowed = True if request.private else person.full_member
        return replace(request, timezone=person.timezone, may_manage=allowed)

    async def of(self, address: str, *, within: float = ASK_SECONDS) -> Person:
        """Return what Slack tells about a person; nothing where it does not tell it soon."""
        now = self._clock()
        known = self._known.get(address)
        if known is not None and now - known[0] < KEPT:
            return known[1]
        team, identifier = split_address(address)
        try:
            user = await asyncio.wait_for(self._ask(team, identifier), within)
        except (SlackError, TimeoutError) as error:
            log.warning("Slack: a person's time zone is not known: %s", str(error) or "no answer in time")
            return Person()
        if len(self._known) >= MOST:
            self._known.clear()
        person = _read(user, team)
        self._known[address] = (now, person)
        return person

    async def runs_workspace(self, address: str) -> bool:
        """Tell whether a person is an owner or administrator of the workspace as Slack says at this moment."""
        self._known.pop(address, None)
        return (await self.of(address)).steward

    async def _ask(self, team: str, identifier: str) -> dict[str, object]:
        api = await self._workspaces.api(team)
        return (await api.call(api.client.users_info, user=identifier)).get("user") or {}


def _read(user: dict[str, object], team: str) -> Person:
    zone = user.get("tz")
    known = bool(user.get("id"))
    guest = bool(user.get("is_restricted") or user.get("is_ultra_restricted") or user.get("is_stranger"))
    elsewhere = user.get("team_id") not in {None, "", team}
    return Person(
        timezone=str(zone) if zone in zone_names() else None,
        full_member=not (guest or elsewhere) if known else None,
        steward=known and not elsewhere and bool(rank(user)),
    )
