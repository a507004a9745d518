"""EDGE. Serves the web application on a socket of ours, so that a taken port is one sentence and 0 picks a free one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from bots.web.connections import bounded
from core.errors import PaperboyError

GRACE_SECONDS = 5
AT_ONCE = 64
"""Connections that are taken before the first of them is looked at."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program: it ends all its parts in order."""
        yield


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    on_bound: Callable[[str, int], None],
    *,
    proxies: Sequence[str] = (),
    setting: str = "web",
    speaks: type[asyncio.Protocol] | None = None,
) -> None:
    """Serve until cancelled; running requests get `GRACE_SECONDS` to end.

    Args:
        app: the application.
        host: address or name to listen at.
        port: 0 picks a free one.
        on_bound: told host and port as soon as connections are taken.
        proxies: addresses and networks of reverse proxies, which are believed what they say of their clients.
        setting: the table of settings that names host and port.
        speaks: what speaks HTTP on each connection; one of bounded number and patience when left out.

    Raises:
        PaperboyError: the address cannot be listened at.
    """
    listener = _listen(host, port, setting)
    with listener:
        config = uvicorn.Config(
            app,
            access_log=False,
            forwarded_allow_ips=list(proxies),
            backlog=AT_ONCE,
            http=speaks or bounded(),
            lifespan="off",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws="none",
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        on_bound(host, listener.getsockname()[1])
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


def _listen(host: str, port: int, setting: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise PaperboyError(f"{setting}.host: {host!r} is no address of this machine ({error.strerror}).") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(AT_ONCE)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except OSError as error:
        listener.close()
        raise PaperboyError(
            f"{setting}.port: {port} at {host} cannot be listened at ({error.strerror}); "
            f"set PAPERBOY_{setting.upper()}__PORT to a free one, or to 0 to have one picked."
        ) from error
    return listener
