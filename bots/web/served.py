"""What a platform fills when people or services reach it over the web address, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from starlette.routing import BaseRoute

from bots.house import House


@runtime_checkable
class Served(Protocol):
    """A platform with addresses of its own below `web.base_url` (events of a service, links in a mail)."""

    def routes(self, house: House) -> Sequence[BaseRoute]:
        """Return its routes; each begins with the platform's name, or is named in the surface."""
