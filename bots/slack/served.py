"""Slack over HTTP: the addresses below the page where it sends what people do, and where they install paperboy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.request.internals import parse_body
from slack_bolt.response import BoltResponse
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bots.slack.access import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH
from bots.slack.install import InstallFlow
from bots.slack.requests import is_answered_later
from bots.slack.tasks import Tasks

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20  # bytes; what Slack sends is smaller by far
STARTING = "paperboy is starting; try again in a moment."


class _OurClock(Clock):
    """slack_sdk's clock by ours."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._now()


class Door:
    """Lets in what Slack has signed, and nothing else.

    Args:
        signing_secret: the app's; without one nobody is let in.
        now: seconds since 1970; a request that is five minutes off is refused.
        acknowledged: told how many seconds each acknowledgement took.
        tasks: in which is done what is acknowledged before.
        turns: how many of these are handed on at once.
    """

    def __init__(
        self,
        signing_secret: str,
        now: Callable[[], float],
        acknowledged: Callable[[float], None],
        tasks: Tasks,
        turns: asyncio.Semaphore,
    ) -> None:
        self._verifier = SignatureVerifier(signing_secret, _OurClock(now)) if signing_secret else None
        self._acknowledged = acknowledged
        self._tasks = tasks
        self._turns = turns
        self.app: AsyncApp | None = None

    def routes(self, flow: InstallFlow | None) -> Sequence[Route]:
        """Return the addresses for what people do and, with a flow, for installing."""
        found = [Route(EVENTS_PATH, self._take, methods=["POST"])]
        if flow is not None:
            found.append(Route(INSTALL_PATH, _asked(flow.handle_installation), methods=["GET"]))
            found.append(Route(REDIRECT_PATH, _asked(flow.handle_callback), methods=["GET"]))
        return found

    async def _take(self, request: Request) -> Response:
        begun = monotonic()
        body = await _read(request)
        if body is None:
            return PlainTextResponse(f"At most {MAX_BODY:,} bytes are read.", 413)
        if not self._is_signed(request, body):
            return PlainTextResponse("The signature is missing, wrong or old.", 401)
        if not _is_readable(request, body):
            return PlainTextResponse("This is nothing that Slack sends.", 400)
        if self.app is None:
            return PlainTextResponse(STARTING, 503, headers={"Retry-After": "2"})
        asked = to_async_bolt_request(request, body)
        if is_answered_later(asked.body):
            self._tasks.start(self._hand_on(self.app, asked))
            reply = Response()
        else:
            reply = to_starlette_response(await self.app.async_dispatch(asked))
        self._acknowledged(monotonic() - begun)
        return reply

    async def _hand_on(self, app: AsyncApp, asked: AsyncBoltRequest) -> None:
        async with self._turns:
            await app.async_dispatch(asked)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        stamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        # slack_sdk stumbles over stamps and signatures that cannot be any.
        if self._verifier is None or not (
            stamp.isascii() and stamp.isdecimal() and len(stamp) < 20 and signature.isascii()
        ):
            return False
        try:
            return self._verifier.is_valid(body, stamp, signature)
        except UnicodeDecodeError:
            return False


def _is_readable(request: Request, body: bytes) -> bool:
    """Whether slack_bolt can read a body; it would stumble over any other."""
    try:
        return isinstance(parse_body(body.decode(), request.headers.get("content-type")), dict)
    except (ValueError, RecursionError):
        return False


async def _read(request: Request) -> bytes | None:
    """Return the body, or None when it is too large to be one of Slack's."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _asked(
    answer: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]],
) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        return to_starlette_response(await answer(to_async_bolt_request(request, b"")))

    return respond
