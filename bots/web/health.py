"""Whether paperboy lives, and whether it can work: for whatever watches over it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bots.web.site import site_of

ALL = "all"
NEVER_KEPT = {"Cache-Control": "no-store"}


async def healthz(_request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok", headers=NEVER_KEPT)


async def readyz(request: Request) -> Response:
    """Say that library, store and schedule can be used; or 503, and which cannot."""
    site = site_of(request)
    return say_readiness(await site.unready(), site.role)


def say_readiness(reasons: Sequence[str], role: str) -> Response:
    """Answer with what cannot be used; 200 where there is nothing. One of many processes says what its role is."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    told = [*(reasons or ["ready"]), *([f"role {role}"] if role != ALL else [])]
    return PlainTextResponse("\n".join(told), status, headers=NEVER_KEPT)


ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz))
