"""Pages say soon that the database is away, rather than keep somebody waiting for it."""

from __future__ import annotations

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.patience import hurried

WITHIN = 1.5
"""Seconds until the database takes a question; its answer may take longer."""


class Hurried:
    """An application whose questions are asked soon or not at all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        with hurried(WITHIN):
            await self._app(scope, receive, send)


def in_a_hurry(route: Route) -> Route:
    """Let a page's route be in a hurry."""
    route.app = Hurried(route.app)
    return route
