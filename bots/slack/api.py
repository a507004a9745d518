"""EDGE. Slack's Web API and response_urls: one way to call them, with every failure told by its kind."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.failures import SlackError, failure_of
from bots.slack.pace import Pace, Sleep
from core.clock import Clock
from core.delivery.platform import Payload
from core.errors import DeliveryFailure

Method: TypeAlias = Callable[..., Awaitable[AsyncSlackResponse]]

BOT_TOKEN = "SLACK_BOT_TOKEN"  # noqa: S105 - the name of the setting
APP_TOKEN = "SLACK_APP_TOKEN"  # noqa: S105 - the name of the setting
TIMEOUT = 20.0
PAUSES = (0.5, 2.0)
LONGEST_WAIT = 10.0
HTTP_TOO_MANY = 429

SECRET = re.compile(r"(ticket=|xox[a-z]-|xapp-)[^\s&'\"]+")
LONGEST_LOG = 300


class _OneLine(logging.Filter):
    """Makes one line without secrets of what the SDK logs, its tracebacks included, which hold sockets' tickets."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = SECRET.sub(r"\1...", " ".join(record.getMessage().split()))[:LONGEST_LOG]
        record.args = record.exc_info = None
        return True


# Below errors the SDK logs what people type, and advice about its own arguments.
sdk_log = logging.getLogger(f"{__name__}.sdk")
sdk_log.setLevel(logging.ERROR)
sdk_log.addFilter(_OneLine())


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address, heeding NO_PROXY; loopback never goes through one.

    slack_sdk takes HTTPS_PROXY for everything and ignores NO_PROXY.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    if _is_loopback(host) or proxy_bypass(host):
        return None
    return proxies.get({"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)) or proxies.get("all")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Api:
    """Calls Slack.

    Args:
        base_url: of the Web API, as https://slack.com/api/.
        bot_token: for everything but the socket.
        app_token: for the socket, where there is one.
        lost: what it means that Slack does not accept the bot token, where that is no mistake in the settings: the
            workspace has removed paperboy.
        clock: now, for the waits that Slack asks for.
        sleep: waits between tries.
        timeout: seconds for one call.
    """

    def __init__(
        self,
        *,
        base_url: str,
        bot_token: str,
        app_token: str = "",
        lost: str = "",
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        self.app_token = app_token
        self._lost = lost
        self.pace = Pace(now=lambda: clock().timestamp(), sleep=sleep)
        self._sleep = sleep
        self._timeout = timeout
        # No retries of the SDK's own: it repeats a chat.postMessage whose connection broke, which posts twice.
        self.client = AsyncWebClient(
            token=bot_token,
            base_url=base_url,
            timeout=timeout,  # type: ignore[arg-type]  # handed to aiohttp, which takes fractions
            retry_handlers=[],
            logger=sdk_log,
        )
        self.client.proxy = proxy_for(base_url)

    async def call(
        self,
        method: Method,
        *,
        repeat: bool = True,
        patience: float = LONGEST_WAIT,
        token: str = BOT_TOKEN,
        **args: Any,
    ) -> AsyncSlackResponse:
        """Call a method of `client`.

        Args:
            method: which.
            repeat: whether it may be called again when nobody knows if it took effect.
            patience: the longest wait, in seconds, that Slack may ask for before another try.
            token: name of the setting that holds the token.
            args: for the method.

        Raises:
            SlackError: by kind, after the tries that made sense.
        """
        call = partial(self._call_once, method, token, args)
        for pause in PAUSES:
            try:
                return await self.pace.ask(method.__name__, call, patience=patience)
            except SlackError as failure:
                wait = _wait_after(failure, pause, repeat=repeat, patience=patience)
                if wait is None:
                    raise
                if failure.retry_after is None:  # else the pace waits, together with everybody who calls the method
                    await self._sleep(wait)
        return await self.pace.ask(method.__name__, call, patience=patience)

    async def _call_once(self, method: Method, token: str, args: Mapping[str, Any]) -> AsyncSlackResponse:
        try:
            return await method(**args)
        except SlackApiError as error:
            failure = _read_refusal(error, token)
            if failure.kind is DeliveryFailure.REVOKED and self._lost and token == BOT_TOKEN:
                raise SlackError(DeliveryFailure.GONE, f"{self._lost} ({failure.code})", code=failure.code) from None
            raise failure from None
        except aiohttp.ClientConnectorError as error:
            raise SlackError(DeliveryFailure.RETRY, f"Slack cannot be reached ({_reason(error)}).") from None
        except TimeoutError:
            raise SlackError(DeliveryFailure.UNKNOWN, f"Slack did not answer within {self._timeout:g} s.") from None
        except aiohttp.ClientError as error:
            reason = f"The connection to Slack broke ({_reason(error)})."
            raise SlackError(DeliveryFailure.UNKNOWN, reason) from None
        except AttributeError:
            # slack_sdk calls `.get` on the body of a text/plain answer with status 200, as captive portals give.
            raise SlackError(DeliveryFailure.UNKNOWN, "Slack's answer was no JSON.") from None

    async def open_socket(self) -> str:
        """Return the address of a new Socket Mode connection, good for one use."""
        method = self.client.apps_connections_open
        reply = await self.call(method, token=APP_TOKEN, app_token=self.app_token)
        return str(reply["url"])

    async def respond(self, response_url: str, body: Payload) -> None:
        """Post to a response_url, again where that can help; the SDK's `respond()` never tries again.

        Raises:
            SlackError: when Slack did not take it.
        """
        for pause in PAUSES:
            try:
                return await self._respond_once(response_url, body)
            except SlackError as failure:
                wait = _wait_after(failure, pause, repeat=True, patience=LONGEST_WAIT)
                if wait is None:
                    raise
                await self._sleep(wait)
        return await self._respond_once(response_url, body)

    async def _respond_once(self, response_url: str, body: Payload) -> None:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(response_url, json=body, proxy=proxy_for(response_url)) as reply,
            ):
                status, words = reply.status, (await reply.content.read(400)).decode(errors="replace")
                retry_after = _seconds(reply.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SlackError(DeliveryFailure.UNKNOWN, f"Slack did not take the answer ({_reason(error)}).") from None
        if status == HTTP_TOO_MANY:
            raise failure_of("ratelimited", token=BOT_TOKEN, retry_after=retry_after)
        if status >= 500:
            raise SlackError(DeliveryFailure.UNKNOWN, f"Slack answered {status}.")
        if status != 200:
            raise SlackError(DeliveryFailure.REJECTED, f"Slack refused the answer ({status}: {words[:300]}).")


def _wait_after(failure: SlackError, pause: float, *, repeat: bool, patience: float) -> float | None:
    """Return how long to wait before another try; None when another try makes no sense."""
    if failure.kind is DeliveryFailure.RETRY and failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= patience else None
    return pause if repeat and failure.kind in {DeliveryFailure.RETRY, DeliveryFailure.UNKNOWN} else None


def _read_refusal(error: SlackApiError, token: str) -> SlackError:
    response = error.response
    if not isinstance(response, AsyncSlackResponse):
        return SlackError(DeliveryFailure.UNKNOWN, "Slack's answer was no JSON.")
    data = response.data if isinstance(response.data, dict) else {}
    code = str(data.get("error") or "")
    if response.status_code == HTTP_TOO_MANY:
        return failure_of("ratelimited", token=token, retry_after=_seconds(response.headers.get("Retry-After")))
    if response.status_code >= 500 or not code:
        return SlackError(DeliveryFailure.UNKNOWN, f"Slack answered {response.status_code} without saying why.")
    return failure_of(code, token=token, needed=str(data.get("needed") or ""))


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    """Name an error without its text, which may hold an address with a ticket in it."""
    os_error = getattr(error, "os_error", error)
    return getattr(os_error, "strerror", None) or type(error).__name__
