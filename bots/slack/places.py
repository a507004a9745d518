"""What can be seen of a place before anything is posted there, and who runs the workspace it lies in."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bots.slack.api import Api
from bots.slack.failures import INVITE, SlackError, failure_of
from bots.slack.requests import NAME, is_person, split_address
from bots.slack.workspaces import Workspaces
from core.clock import Clock
from core.errors import DeliveryFailure

log = logging.getLogger(__name__)

SHOWN = {"channel_not_found", "is_archived", "not_in_channel", "missing_scope"}
"""Refusals whose causes looking shows as well, so that looking tells when they are gone."""
CERTAIN = {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REVOKED}
MOST_STEWARDS = 3
STEWARDS_KEPT = timedelta(hours=1)
PAGE = 200
MOST_PAGES = 10
MOST_PAGES_OF_CHANNELS = 5
SLACKBOT = "USLACKBOT"


async def look_at(api: Api, channel: str) -> str | None:
    """Return why paperboy cannot post in a channel, and how to mend it; None when it can.

    Raises:
        SlackError: by kind; RETRY when Slack does not tell.
    """
    try:
        info = (await api.call(api.client.conversations_info, channel=channel))["channel"] or {}
    except SlackError as failure:
        if failure.code == "missing_scope":
            raise SlackError(DeliveryFailure.RETRY, str(failure), code=failure.code) from None
        raise
    if info.get("is_archived"):
        return str(failure_of("is_archived", token=""))
    if info.get("is_member") is False:
        return f"paperboy is not in this channel yet: {INVITE}, then it can post."
    if info.get("is_member") is None:
        raise SlackError(DeliveryFailure.RETRY, "Slack does not tell whether paperboy is in this channel.")
    return None


async def channels_of(api: Api, user: str) -> frozenset[str]:
    """Return the channels that a person is in and paperboy can see, of a thousand the first.

    Raises:
        SlackError: Slack does not tell.
    """
    found: set[str] = set()
    cursor = None
    for _ in range(MOST_PAGES_OF_CHANNELS):
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
    return frozenset(found)


class Stewards:
    """Owners and administrators of a workspace, the primary owner first; asked for once an hour.

    https://docs.slack.dev/reference/objects/user-object
    """

    def __init__(self, workspaces: Workspaces, clock: Clock) -> None:
        self._workspaces = workspaces
        self._clock = clock
        self._known: dict[str, tuple[datetime, Sequence[str]]] = {}

    async def of(self, address: str) -> Sequence[str]:
        """Return addresses of at most three of them; none for a person's own address, or where Slack tells nobody."""
        team, identifier = split_address(address)
        if is_person(identifier):
            return ()
        now = self._clock()
        asked, known = self._known.get(team, (None, ()))
        if asked is not None and now - asked < STEWARDS_KEPT:
            return known
        try:
            people = [person async for person in self._people(team) if rank(person)]
        except SlackError as failure:
            log.warning("Slack: nobody is known who runs the workspace: %s", failure)
            return ()
        people.sort(key=rank, reverse=True)
        known = tuple(f"{NAME}:{team}/{person['id']}" for person in people[:MOST_STEWARDS])
        self._known[team] = (now, known)
        return known

    async def _people(self, team: str) -> AsyncIterator[Mapping[str, Any]]:
        api = await self._workspaces.api(team)
        cursor = None
        for _ in range(MOST_PAGES):
            reply = await api.call(api.client.users_list, limit=PAGE, cursor=cursor)
            for person in reply.get("members") or ():
                yield person
            cursor = (reply.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


def rank(person: Mapping[str, Any]) -> int:
    """Return 3 for the primary owner, 2 for another one, 1 for an administrator, 0 for everybody else."""
    if person.get("deleted") or person.get("is_bot") or person.get("id") == SLACKBOT:
        return 0
    marks = ("is_admin", "is_owner", "is_primary_owner")
    return max((rank for rank, mark in enumerate(marks, 1) if person.get(mark)), default=0)
