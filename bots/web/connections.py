"""EDGE. Connections that end: whoever sends a request too slowly, or comes when too many are here, is hung up on.

Each connection takes one of the process's open files, of which its database, its chats and its mails need some too.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 30.0
"""Seconds; a request has to be here whole after once to twice as many."""
SHARE = 0.5
"""Of the files that the process may have open."""
MOST = 10_000


def most_connections() -> int:
    """Return how many connections leave the rest of the process enough files to open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, int(soft * SHARE)))


def bounded(*, patience: float = PATIENCE, most: int | None = None) -> type[asyncio.Protocol]:
    """Return what speaks HTTP on each connection.

    Args:
        patience: see `PATIENCE`.
        most: connections at a time; as many as `most_connections` says when left out.
    """
    limit = most_connections() if most is None else most

    class Bounded(H11Protocol):
        """One connection."""

        _next_look: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limit:
                transport.abort()
            else:
                self._look_again(None)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._next_look is not None:  # it would keep what is over in memory until then
                self._next_look.cancel()

        def _look_again(self, before: object) -> None:
            """End the connection when it waits for the same as one `patience` before."""
            awaited = self._awaited()
            if awaited is not None and awaited is before:
                self.transport.abort()
            else:
                self._next_look = self.loop.call_later(patience, self._look_again, awaited)

        def _awaited(self) -> Any:
            """Return what stands for the request that is not here whole, or the end; None while one is answered."""
            cycle: Any = self.cycle
            if self.transport.is_closing():
                return self.transport
            if cycle is None:
                return self
            return cycle if cycle.response_complete or cycle.more_body else None

    return Bounded
