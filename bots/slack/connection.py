"""EDGE. The socket: opened, watched, opened again, until cancelled.

The SDK would reconnect by itself, but it tries a spent address again and again, tries revoked tokens for ever, and logs
addresses with their tickets. So each socket here is one connection of slack-bolt's own handler, and this module decides
what follows when it is lost. https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest

from bots.slack.api import Api, proxy_for, sdk_log
from bots.slack.failures import SlackError
from bots.slack.pace import Sleep
from bots.slack.requests import is_answered_later
from core.errors import DeliveryFailure

log = logging.getLogger(__name__)

PING_SECONDS = 10.0
LOOK_SECONDS = 0.5
LONGEST_PAUSE = 60.0
CLOSE_SECONDS = 3.0


class _TimedHandler(AsyncSocketModeHandler):
    """Notes how long each acknowledgement took, from the frame's arrival until the answer was on the socket."""

    def __init__(
        self,
        app: AsyncApp,
        token: str,
        acknowledged: Callable[[float], None],
        turns: asyncio.Semaphore,
        **options: Any,
    ) -> None:
        super().__init__(app, token, **options)
        self._acknowledged = acknowledged
        self._turns = turns

    async def handle(self, client: Any, req: SocketModeRequest) -> None:
        begun = monotonic()
        if not is_answered_later(req.payload):
            await super().handle(client, req)
            self._acknowledged(monotonic() - begun)
            return
        await send_async_response(client, req, BoltResponse(status=200), begun)
        self._acknowledged(monotonic() - begun)
        async with self._turns:
            await run_async_bolt_app(self.app, req)


class Connection:
    """Keeps one Socket Mode connection.

    Args:
        api: opens addresses.
        identify: makes sure, before each connection, that the bot token still works.
        ping: seconds between pings; a socket that leaves four of them unanswered is given up.
        sleep: waits between tries.
        acknowledged: told how many seconds each acknowledgement took.
        turns: how much of what is acknowledged is handed on at once.
    """

    def __init__(
        self,
        api: Api,
        *,
        identify: Callable[[], Awaitable[None]],
        ping: float,
        sleep: Sleep,
        acknowledged: Callable[[float], None],
        turns: asyncio.Semaphore,
    ) -> None:
        self._api = api
        self._identify = identify
        self._ping = ping
        self._sleep = sleep
        self._acknowledged = acknowledged
        self._turns = turns
        self.ready = asyncio.Event()

    async def keep(self, app: AsyncApp) -> None:
        """Stay connected until cancelled.

        Raises:
            SlackError: of kind REVOKED when Slack does not accept a token.
        """
        failed = 0
        while True:
            try:
                await self._identify()
                await self._hold(app, await self._api.open_socket())
                failed = 0
                log.info("Slack: the connection ended; opening another")
            except SlackError as failure:
                failed += 1
                await self._wait_after(failure, failed)

    async def until_identified(self) -> None:
        """Return once Slack accepts the bot token, which is all there is to do before events come over HTTP.

        Raises:
            SlackError: of kind REVOKED when Slack does not accept it.
        """
        failed = 0
        while True:
            try:
                return await self._identify()
            except SlackError as failure:
                failed += 1
                await self._wait_after(failure, failed)

    async def _wait_after(self, failure: SlackError, failed: int) -> None:
        if failure.kind is DeliveryFailure.REVOKED:
            raise failure
        pause = failure.retry_after or min(2.0 ** (failed - 1), LONGEST_PAUSE)
        log.warning("Slack: %s Trying again in %.0f s.", failure, pause)
        await self._sleep(pause)

    async def _hold(self, app: AsyncApp, url: str) -> None:
        """Open one socket and return when it is lost."""
        handler = _TimedHandler(
            app, self._api.app_token, self._acknowledged, self._turns, logger=sdk_log, ping_interval=self._ping
        )
        client = handler.client
        client.proxy = proxy_for(url)
        client.default_auto_reconnect_enabled = client.auto_reconnect_enabled = False
        client.wss_uri = url
        try:
            await self._connect(handler)
            self.ready.set()
            log.info("Slack: connected")
            # Slack asks for a fresh socket every few hours; while the SDK changes over, one look may find none open.
            missing = 0
            while missing < 2:
                await asyncio.sleep(LOOK_SECONDS)
                missing = 0 if await client.is_connected() else missing + 1
        finally:
            self.ready.clear()
            await _close(handler)

    async def _connect(self, handler: AsyncSocketModeHandler) -> None:
        try:
            # `wait_for` may lose a cancellation that comes with the connection: python/cpython#86296.
            async with asyncio.timeout(self._ping * 1.5):
                await handler.connect_async()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise SlackError(DeliveryFailure.RETRY, "Slack's socket could not be opened.") from None


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Close a socket within seconds, also when the other end is dead, and wait for what the SDK left running."""
    client = handler.client
    tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
    running = [task for task in tasks if task is not None]
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await handler.close_async()  # type: ignore[no-untyped-call]
    except TimeoutError:
        await client.aiohttp_client_session.close()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
