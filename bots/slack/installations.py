"""Which workspaces have installed paperboy, and with which tokens: sealed, in the store."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from functools import cached_property
from logging import Logger
from typing import Any

from cryptography.fernet import InvalidToken, MultiFernet
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from bots.slack.requests import NAME
from core.clock import Clock
from core.errors import LinkError
from core.keys import Keys
from core.store import Store

log = logging.getLogger(__name__)

PREFIX = f"{NAME}:"
PURPOSE = "slack tokens"
STATE_PURPOSE = "slack install"
STATE_LASTS = timedelta(minutes=10)
FORGET_AFTER = timedelta(days=30)
MOST_SPENT = 10_000
FRESH = timedelta(seconds=30)
"""How long what is known of a workspace counts without looking: another process may have renewed its tokens."""


class Installations(AsyncInstallationStore):
    """slack_sdk's port for installations, over ours; one bot token for each workspace, and no token of a person.

    A workspace that left keeps its name and the day, without tokens, until its data is forgotten.

    Args:
        store: where they lie.
        keys: what seals them; asked for when the first is read or kept.
        clock: now.
    """

    def __init__(self, store: Store, keys: Callable[[], Keys], clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._known: dict[str, tuple[datetime, Installation]] = {}
        self._unkept: set[str] = set()

    @property
    def logger(self) -> Logger:
        """Where slack_sdk logs."""
        return log

    @cached_property
    def _box(self) -> MultiFernet:
        return self._keys().box(PURPOSE)

    async def async_save(self, installation: Installation) -> None:
        """Keep the installation of a workspace, in place of the one before."""
        team = str(installation.team_id)
        # Known first: should keeping it fail, the only copy of a fresh token works at least until we stop.
        self._known[team] = (self._clock(), installation)
        self._unkept.add(team)
        # Instants as numbers: slack_sdk's own copy has them as datetimes, which JSON does not know.
        instants = {
            "bot_token_expires_at": installation.bot_token_expires_at,
            "installed_at": installation.installed_at,
        }
        await self._keep(team, {"installation": {**installation.to_dict_for_copying(), **instants}})
        self._unkept.discard(team)

    async def async_save_bot(self, bot: Bot) -> None:
        """Keep a bot's part of an installation: its tokens, after they were renewed."""
        found = await self.of(str(bot.team_id))
        if found is not None:
            renewed = Installation(**found.to_dict_for_copying())
            renewed.bot_token, renewed.bot_refresh_token = bot.bot_token, bot.bot_refresh_token
            renewed.bot_token_expires_at = bot.bot_token_expires_at
            await self.async_save(renewed)

    async def of(self, team: str, *, anew: bool = False) -> Installation | None:
        """Return the installation of a workspace, looked up `anew` if asked; None where it has none, or has left."""
        at, known = self._known.get(team, (None, None))
        if at is not None and (team in self._unkept or (not anew and self._clock() - at < FRESH)):
            return known
        kept = (await self._read(team)).get("installation")
        if kept is None:
            self._known.pop(team, None)
            return None
        found = Installation(**kept)
        self._known[team] = (self._clock(), found)
        return found

    def alone(self, team: str) -> AbstractAsyncContextManager[None]:
        """Return what only one of all processes can hold at a time, to renew a workspace's tokens."""
        return self._store.alone(f"slack tokens {team}")

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,  # noqa: ARG002 - installations of whole organizations are not kept
        team_id: str | None,
        user_id: str | None = None,  # noqa: ARG002 - nor are tokens of people
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return the installation of a workspace."""
        return None if is_enterprise_install or team_id is None else await self.of(team_id)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return the bot's part of it."""
        found = await self.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=is_enterprise_install
        )
        return None if found is None else found.to_bot()

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:  # noqa: ARG002 - as above
        """Drop a workspace's tokens at once, and note that it left."""
        if team_id is not None:
            await self.leave(team_id)

    async def async_delete_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
    ) -> None:
        """The same; but a person who takes back their own token takes nothing, for none is kept."""
        if user_id is None:
            await self.async_delete_bot(enterprise_id=enterprise_id, team_id=team_id)

    async def leave(self, team: str) -> None:
        """Drop a workspace's tokens at once, and note when it left; the first time counts."""
        self._drop(team)
        if "left" not in await self._read(team):
            await self._keep(team, {"left": self._clock().isoformat()})

    async def stay(self, team: str) -> None:
        """Forget that a workspace left, since it is back."""
        if "left" in await self._read(team):
            await self._store.take_sealed(PREFIX + team)

    async def teams(self) -> list[str]:
        """Return the workspaces that have paperboy installed."""
        return [team for team in await self._names() if "installation" in await self._read(team)]

    async def forget_those_who_left(self) -> list[str]:
        """Forget everything about workspaces that left thirty days ago; returns which."""
        gone = []
        for team in await self._names():
            left = (await self._read(team)).get("left")
            if left is not None and self._clock() - datetime.fromisoformat(left) >= FORGET_AFTER:
                await self.forget(team)
                gone.append(team)
        return gone

    async def forget(self, team: str) -> None:
        """Forget everything about a workspace at once: its data, then its tokens and its name."""
        self._drop(team)
        await self._store.forget(f"{NAME}:{team}/")
        await self._store.take_sealed(PREFIX + team)

    def _drop(self, team: str) -> None:
        self._known.pop(team, None)
        self._unkept.discard(team)

    async def _names(self) -> list[str]:
        return [name.removeprefix(PREFIX) for name in await self._store.sealed_names(PREFIX)]

    async def _keep(self, team: str, data: dict[str, Any]) -> None:
        sealed = self._box.encrypt(json.dumps(data).encode()).decode()
        await self._store.keep_sealed(PREFIX + team, sealed)

    async def _read(self, team: str) -> dict[str, Any]:
        sealed = await self._store.sealed(PREFIX + team)
        if sealed is None:
            return {}
        try:
            opened: dict[str, Any] = json.loads(self._box.decrypt(sealed.encode()))
        except InvalidToken:
            log.error(
                "Slack: the tokens of %s were sealed with another PAPERBOY_SECRET_KEY; "
                "set that one again, or name it in PAPERBOY_SECRET_KEY_OLD.",
                team,
            )
            return {}
        return opened


class States(AsyncOAuthStateStore):
    """The `state` that guards an installation: signed, good for ten minutes and for once.

    Nothing is written when somebody merely looks at the install page. What was spent is known until we stop; a state
    that would come again after that meets a code that Slack has taken already.
    """

    def __init__(self, keys: Callable[[], Keys], clock: Clock, nonce: Callable[[], str]) -> None:
        self._keys = keys
        self._clock = clock
        self._nonce = nonce
        self._spent: dict[str, None] = {}

    @property
    def logger(self) -> Logger:
        """Where slack_sdk logs."""
        return log

    async def async_issue(self, *_: Any, **__: Any) -> str:
        """Return a new state."""
        return self._keys().sign(STATE_PURPOSE, self._nonce(), until=self._clock() + STATE_LASTS)

    async def async_consume(self, state: str) -> bool:
        """Tell whether a state is ours, in time, and was not used before."""
        try:
            nonce = str(self._keys().read(STATE_PURPOSE, state, now=self._clock()))
        except LinkError:
            return False
        if nonce in self._spent:
            return False
        if len(self._spent) >= MOST_SPENT:
            del self._spent[next(iter(self._spent))]
        self._spent[nonce] = None
        return True
