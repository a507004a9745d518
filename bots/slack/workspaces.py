"""The way into each workspace: one Api a workspace, with its own token and its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from slack_sdk.oauth.installation_store import Installation

from bots.slack.access import Access
from bots.slack.api import Api
from bots.slack.failures import SlackError
from bots.slack.installations import Installations
from core.clock import Clock
from core.errors import DeliveryFailure, StoreError

log = logging.getLogger(__name__)

RENEW_BEFORE = 2 * 3600.0  # seconds
TRY_AGAIN_AFTER = 300.0


class Workspaces(Protocol):
    """Knows how to call Slack for a workspace."""

    async def api(self, team: str) -> Api:
        """Return what calls Slack for a workspace.

        Raises:
            SlackError: of kind GONE, the workspace has not installed paperboy, or has removed it.
        """

    async def token(self, team: str) -> str | None:
        """Return the bot token of a workspace without asking Slack; None where there is none."""


class OneWorkspace:
    """The workspace whose token stands in the settings, whatever it is called."""

    def __init__(self, api: Api, token: str) -> None:
        self._api = api
        self._token = token

    async def api(self, team: str) -> Api:  # noqa: ARG002 - there is one
        """Return the one Api."""
        return self._api

    async def token(self, team: str) -> str | None:  # noqa: ARG002 - there is one
        """Return the one token."""
        return self._token


class ManyWorkspaces:
    """All workspaces that have installed paperboy, their tokens renewed in time.

    A refresh token is good for one use, so one task of all processes at a time renews those of a workspace, and keeps
    the new ones before anybody uses them. slack_sdk's own rotator goes by the system's clock and tells no failure from
    another.
    https://docs.slack.dev/authentication/using-token-rotation

    Args:
        access: the app's own credentials.
        installations: their tokens.
        make_api: makes an Api of (a token, what it means when Slack refuses it).
        clock: now.
    """

    def __init__(
        self, access: Access, installations: Installations, make_api: Callable[[str, str], Api], clock: Clock
    ) -> None:
        self._access = access
        self._installations = installations
        self._make_api = make_api
        self._clock = clock
        self._apis: dict[str, Api] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tried: dict[str, float] = {}
        self._door = make_api("", "")

    async def token(self, team: str) -> str | None:
        """Return the bot token of a workspace as it is."""
        found = await self._installations.of(team)
        return None if found is None else found.bot_token

    async def api(self, team: str) -> Api:
        """Return the Api of a workspace; its token is renewed first where it ends soon."""
        async with self._turns[team]:
            found = await self._installations.of(team)
            if found is None:
                self._apis.pop(team, None)
                raise SlackError(DeliveryFailure.GONE, self._lost)
            if self._is_ending(found):
                # Not to be stopped between Slack's reply and the store: the refresh token is spent by then.
                found = await asyncio.shield(self._renew_alone(team, found))
            known = self._apis.get(team)
            if known is None or known.client.token != found.bot_token:
                self._apis[team] = self._make_api(found.bot_token or "", self._lost)
                if known is not None:
                    self._apis[team].pace = known.pace
            return self._apis[team]

    async def renew_all(self) -> None:
        """Renew the tokens that end soon, also of workspaces that nobody uses today."""
        for team in await self._installations.teams():
            try:
                await self.api(team)
            except SlackError as failure:
                log.warning("Slack: %s: %s", team, failure)

    @property
    def _lost(self) -> str:
        return f"paperboy is not installed in this Slack workspace; install it at {self._access.install_url}."

    def _is_ending(self, installation: Installation) -> bool:
        now = self._clock().timestamp()
        ends = installation.bot_token_expires_at
        tried = self._tried.get(str(installation.team_id))
        return ends is not None and ends - now < RENEW_BEFORE and (tried is None or now - tried >= TRY_AGAIN_AFTER)

    async def _renew_alone(self, team: str, found: Installation) -> Installation:
        async with self._installations.alone(team):
            # Another process may have renewed it meanwhile.
            found = await self._installations.of(team, anew=True) or found
            return await self._renew(team, found) if self._is_ending(found) else found

    async def _renew(self, team: str, old: Installation) -> Installation:
        """Return the installation with new tokens; with the old ones, which hold for a while, where that failed."""
        now = self._clock().timestamp()
        self._tried[team] = now
        try:
            reply = await self._door.call(
                self._door.client.oauth_v2_access,
                repeat=False,
                client_id=self._access.client_id,
                client_secret=self._access.client_secret,
                grant_type="refresh_token",
                refresh_token=old.bot_refresh_token,
            )
        except SlackError as failure:
            log.error("Slack: the token of %s could not be renewed: %s", team, failure)
            return old
        new = Installation(**old.to_dict_for_copying())
        new.bot_token, new.bot_refresh_token = reply["access_token"], reply.get("refresh_token")
        new.bot_token_expires_at = int(now) + int(reply["expires_in"])
        try:
            await self._installations.async_save(new)
        except StoreError as error:
            log.error("Slack: the renewed token of %s is not kept, and lost when paperboy stops: %s", team, error)
        del self._tried[team]
        return new
