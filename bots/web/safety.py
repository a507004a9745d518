"""What holds for every answer of the page, whoever makes it: headers, bounded bodies, the base address's path."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.house import new_request_name
from core.traces import begin_request

MAX_BODY = 1 << 20  # bytes; forms have a bound of their own
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NAMED = "X-Request-Id"
"""By which the lines of the log about an answer are found."""
SECURE = {"Strict-Transport-Security": "max-age=31536000"}


class Safe:
    """Adds the headers that an answer lacks, bounds what is asked, and knows the path of the base address.

    Args:
        app: what answers.
        base_url: the address people use; a path in it (`https://example.org/papers`) may stand before every address,
            whether or not a reverse proxy takes it off.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._app = app
        self._prefix = parts.path.rstrip("/")
        self._headers = {**HEADERS, **(SECURE if parts.scheme == "https" else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        name = new_request_name()
        begin_request(name)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for header, value in self._headers.items():
                    headers.setdefault(header, value)
                headers[NAMED] = name
            await send(message)

        scope["root_path"] = self._prefix
        await self._app(scope, _bounded(receive), send_safely)


def _bounded(receive: Receive) -> Receive:
    """Read on only until the body has grown too large."""
    size = 0

    async def receive_bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_bounded
