"""The service's own figures."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.terminal.stats import COLUMNS, stats_notes
from bots.web.site import render, site_of


async def stats(request: Request) -> Response:
    """Show what was on time, late, silent or failed, by day and platform."""
    days = await site_of(request).figures()
    return render(request, "stats.html", columns=COLUMNS, days=days, notes=list(stats_notes(days)))


ROUTES = (Route("/stats", stats),)
