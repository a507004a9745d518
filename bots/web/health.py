"""Whether paperboy lives, and whether it can work: for whatever watches over it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bots.web.site import site_of

NEVER_KEPT = {"Cache-Control": "no-store"}


async def healthz(_request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok", headers=NEVER_KEPT)


async def readyz(request: Request) -> Response:
    """Say that library, store and schedule can be used; or 503, and which cannot."""
    return say_readiness(await site_of(request).unready())


def say_readiness(reasons: Sequence[str]) -> Response:
    """Answer with what cannot be used; 200 where there is nothing."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return PlainTextResponse("\n".join(reasons) or "ready", status, headers=NEVER_KEPT)


ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz))
