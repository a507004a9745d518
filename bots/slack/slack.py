"""The platform Slack: what people do there becomes Requests, Messages become payloads."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bots.refusals import Refusals
from bots.slack.api import TIMEOUT, Api, sdk_log
from bots.slack.blocks import ACTION_PREFIX, render
from bots.slack.connection import PING_SECONDS, Connection
from bots.slack.doctor import check_slack
from bots.slack.failures import RATE_LIMITED, SlackError, failure_of
from bots.slack.pace import Sleep
from bots.slack.places import CERTAIN, SHOWN, Stewards, look_at
from bots.slack.posts import Posts
from bots.slack.replies import Replies
from bots.slack.requests import NAME, is_person, press_request, slash_request, split_address
from bots.slack.search import find_parts
from core.chat.commands import Request
from core.chat.message import Message
from core.clock import Clock
from core.delivery.platform import Answer, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure, SettingsError
from core.settings import Settings
from core.store import Store

UNTOLD_AT_MOST = 100

log = logging.getLogger(__name__)


class Slack:
    """Slack over Socket Mode, for one workspace.

    Args:
        bot_token: begins with `xoxb-`.
        app_token: begins with `xapp-`, with the scope `connections:write`.
        api_url: of the Web API.
        clock: now.
        sleep: waits between tries.
        ping: seconds between pings on the socket.
        timeout: seconds for one call.
    """

    name = NAME
    edits = True

    def __init__(
        self,
        *,
        bot_token: str,
        app_token: str,
        api_url: str,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        ping: float = PING_SECONDS,
        timeout: float = TIMEOUT,
    ) -> None:
        self._api = Api(
            base_url=api_url, bot_token=bot_token, app_token=app_token, clock=clock, sleep=sleep, timeout=timeout
        )
        # The reply leaves the socket only after the answer was begun, so each measurement travels with a later request.
        self._acknowledgements: deque[float] = deque(maxlen=UNTOLD_AT_MOST)
        self._connection = Connection(
            self._api,
            identify=self._identify,
            ping=ping,
            sleep=sleep,
            acknowledged=self._acknowledgements.append,
        )
        self._replies = Replies(self._api, clock)
        self._bot_token = bot_token
        self._posts = Posts(self._api)
        self._stewards = Stewards(self._api, clock)
        self._refusals = Refusals(lambda: clock().timestamp())

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether a token is set."""
        return any((settings.secrets.slack_bot_token, settings.secrets.slack_app_token))

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock, store: Store) -> Slack:  # noqa: ARG003 - all are made alike
        """Make it of the settings.

        Raises:
            SettingsError: when a token is missing.
        """
        bot, app = settings.secrets.slack_bot_token, settings.secrets.slack_app_token
        if bot is None or app is None:
            missing = "SLACK_BOT_TOKEN" if bot is None else "SLACK_APP_TOKEN"
            raise SettingsError(f"{missing}: is not set, and Slack needs both it and the other one; see docs/slack.md.")
        return cls(
            bot_token=bot.get_secret_value(),
            app_token=app.get_secret_value(),
            api_url=settings.slack.api_url,
            clock=clock,
        )

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message as arguments of chat.postMessage; the first is the post, the others go to its thread."""
        return render(message)

    async def listen(self, answer: Answer) -> None:
        """Connect, and turn commands and buttons into Requests until cancelled; keeps trying while Slack is away.

        Raises:
            DeliveryError: of kind REVOKED when Slack does not accept a token.
        """
        await self._connection.keep(self._make_app(answer))

    async def ready(self) -> None:
        """Return once the socket is open."""
        await self._connection.ready.wait()

    async def close(self) -> None:
        """Give answers under way a moment, then drop them."""
        await self._replies.close()

    def _make_app(self, answer: Answer) -> AsyncApp:
        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            # At once: bolt's own would ask Slack before every acknowledgement, and switch to OAuth by itself when
            # SLACK_CLIENT_ID is in the environment.
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=self._bot_token)

        async def answer_here(request: Request) -> Message:
            self._refusals.forget(request.place)
            waited = self._acknowledgements.popleft() if self._acknowledgements else None
            return await answer(replace(request, acknowledged_in=waited))

        app = AsyncApp(
            name="paperboy",
            logger=sdk_log,
            client=self._api.client,
            signing_secret="",
            authorize=authorize,
            request_verification_enabled=False,
            ssl_check_enabled=False,
        )

        async def on_command(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            self._replies.start(answer_here, slash_request(body), body)

        async def on_press(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            self._replies.start(answer_here, press_request(body), body)

        # An app gets its own commands alone, so whatever name the manifest gives `/papers` works.
        app.command(re.compile(".+"))(on_command)
        app.action(re.compile("^" + re.escape(ACTION_PREFIX)))(on_press)
        return app

    async def _identify(self) -> None:
        await self._api.call(self._api.client.auth_test)

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Post a message: the first payload in the channel, the others in its thread, each with its key as metadata.

        Raises:
            DeliveryError: by kind; UNKNOWN when the part under way may have been taken.
        """
        async with self._noting(address):
            channel = await self._conversation(address)
            parts = await self._posts.send(channel, self.payload(message), key=key, done=done, sent=sent)
        return Receipt(parts, await self._posts.link(channel, parts[0]))

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery; further parts go to the thread, surplus ones become "…".

        Raises:
            DeliveryError: as `deliver`; REJECTED when a part is not there any more, or when nobody can see whether
                the further ones are there already.
        """
        async with self._noting(address):
            channel = await self._conversation(address)
            names = await self._posts.change(channel, self.payload(message), key=key, parts=parts)
        return Receipt(names, await self._posts.link(channel, names[0]))

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

    async def _conversation(self, address: str) -> str:
        """Return the conversation of an address; a person's is the direct message, opened where it must be."""
        _, identifier = split_address(address)
        if not identifier:
            raise failure_of("channel_not_found", token="")
        if not is_person(identifier):
            return identifier
        reply = await self._api.call(self._api.client.conversations_open, users=identifier)
        return str(reply["channel"]["id"])

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for the parts of a delivery in the conversation and its thread.

        Raises:
            DeliveryError: when Slack cannot be asked now, and looking later makes sense.
        """
        try:
            return await find_parts(self._api, await self._conversation(address), key, since)
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
            channel = await self._conversation(address)
            why = None if channel.startswith("D") else await look_at(self._api, channel)
        except SlackError as failure:
            if failure.kind in CERTAIN:
                return str(failure)
            raise DeliveryError(DeliveryFailure.RETRY, str(failure), retry_after=failure.retry_after) from None
        refusal = self._refusals.recall(address)
        return why or (str(refusal) if refusal is not None else None)

    async def stewards(self, address: str) -> Sequence[str]:
        """Return who runs the workspace: its owners and administrators, at most three."""
        return await self._stewards.of(address)

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check tokens, scopes and the socket for `doctor`."""
        return await check_slack(self._api)


def _is_passing(failure: SlackError) -> bool:
    """Tell whether asking later can help: Slack is away, or our token has to be mended first."""
    away = failure.kind in {DeliveryFailure.RETRY, DeliveryFailure.UNKNOWN} and failure.code not in RATE_LIMITED
    return away or failure.kind is DeliveryFailure.REVOKED
