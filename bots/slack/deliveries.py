"""Digests on their way to Slack: posted, changed, looked for; and whether a place can be posted to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from bots.refusals import Refusals
from bots.slack.api import Api
from bots.slack.blocks import render
from bots.slack.failures import RATE_LIMITED, SlackError, failure_of
from bots.slack.places import CERTAIN, SHOWN, look_at
from bots.slack.posts import Posts
from bots.slack.requests import is_person, split_address
from bots.slack.search import find_parts
from bots.slack.workspaces import Workspaces
from core.chat.message import Message
from core.delivery.platform import PartSent, Receipt
from core.errors import DeliveryError, DeliveryFailure

log = logging.getLogger(__name__)


class Deliveries:
    """Posts in conversations.

    Args:
        workspaces: the way into each.
        refusals: what looking at a place would not show.
    """

    def __init__(self, workspaces: Workspaces, refusals: Refusals) -> None:
        self._workspaces = workspaces
        self._refusals = refusals

    async def send(
        self, address: str, message: Message, *, key: str, done: Sequence[str], sent: PartSent | None
    ) -> Receipt:
        """Post a message: the first payload in the channel, the others in its thread, each with its key as metadata.

        Raises:
            DeliveryError: by kind; UNKNOWN when the part under way may have been taken.
        """
        async with self._noting(address):
            api, channel = await self._conversation(address)
            parts = await Posts(api).send(channel, render(message), key=key, done=done, sent=sent)
        return Receipt(parts, await Posts(api).link(channel, parts[0]))

    async def change(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery; further parts go to the thread, surplus ones become "…".

        Raises:
            DeliveryError: as `send`; REJECTED when a part is not there any more, or when nobody can see whether
                the further ones are there already.
        """
        async with self._noting(address):
            api, channel = await self._conversation(address)
            names = await Posts(api).change(channel, render(message), key=key, parts=parts)
        return Receipt(names, await Posts(api).link(channel, names[0]))

    @asynccontextmanager
    async def _noting(self, address: str) -> AsyncIterator[None]:
        """Remember refusals that looking at the place would not show."""
        try:
            yield
        except SlackError as failure:
            if failure.kind in {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN} and failure.code not in SHOWN:
                self._refusals.remember(address, failure)
            raise
        self._refusals.forget(address)

    async def _conversation(self, address: str) -> tuple[Api, str]:
        """Return the way to an address: a person's is the direct message, opened where it must be."""
        team, identifier = split_address(address)
        if not identifier:
            raise failure_of("channel_not_found", token="")
        api = await self._workspaces.api(team)
        if not is_person(identifier):
            return api, identifier
        reply = await api.call(api.client.conversations_open, users=identifier)
        return api, str(reply["channel"]["id"])

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for the parts of a delivery in the conversation and its thread.

        Raises:
            DeliveryError: when Slack cannot be asked now, and looking later makes sense.
        """
        try:
            api, channel = await self._conversation(address)
            return await find_parts(api, channel, key, since)
        except SlackError as failure:
            if _is_passing(failure):
                raise DeliveryError(DeliveryFailure.RETRY, str(failure)) from None
            log.warning("Slack: it is not known whether %s arrived: %s", key, failure)
            return None

    async def reachable(self, address: str) -> str | None:
        """Return why paperboy cannot post there and how to mend it; None when it can.

        Some refusals, as of a read-only channel, show only in posting: those hold for a day, or until somebody there
        asks paperboy for something.

        Raises:
            DeliveryError: of kind RETRY when Slack does not tell.
        """
        try:
            api, channel = await self._conversation(address)
            why = None if channel.startswith("D") else await look_at(api, channel)
        except SlackError as failure:
            if failure.kind in CERTAIN:
                return str(failure)
            raise DeliveryError(DeliveryFailure.RETRY, str(failure), retry_after=failure.retry_after) from None
        refusal = self._refusals.recall(address)
        return why or (str(refusal) if refusal is not None else None)


def _is_passing(failure: SlackError) -> bool:
    """Tell whether asking later can help: Slack is away, or our token has to be mended first."""
    away = failure.kind in {DeliveryFailure.RETRY, DeliveryFailure.UNKNOWN} and failure.code not in RATE_LIMITED
    return away or failure.kind is DeliveryFailure.REVOKED
