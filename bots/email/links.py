"""Links in mails: signed, expiring, for one purpose each. They carry a hash of the address, never the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from bots.email.letter import Links
from bots.email.names import Names
from bots.web.digests import PURPOSE as VIEW
from bots.web.site import paper_path
from core.clock import Clock
from core.delivery.optin import CONFIRM_WITHIN
from core.errors import LinkError
from core.keys import Keys
from core.settings import Settings
from core.store import Store

CONFIRM, PREFERENCES, UNSUBSCRIBE, MARK, BOUNCE = (
    f"mail {purpose}" for purpose in ("confirm", "preferences", "unsubscribe", "mark", "bounce")
)
LASTING = timedelta(days=400)
"""For how long a mail can end what it belongs to, or change it; years-old mails are somebody else's by then."""


@dataclass(frozen=True)
class Signer:
    """Makes the links of mails, and reads them again."""

    settings: Settings
    keys: Keys
    clock: Clock
    store: Store

    @cached_property
    def names(self) -> Names:
        """Knows the keyed hash of an address."""
        return Names(self.keys, self.store)

    def confirm(self, name: str, wish: str) -> str:
        """Return the address that confirms a wish."""
        return self._link("confirm", CONFIRM, [name, wish], CONFIRM_WITHIN)

    def preferences(self, name: str) -> str:
        """Return the address of somebody's preferences."""
        return self._link("preferences", PREFERENCES, name, LASTING)

    def bounce(self, name: str) -> str:
        """Return the token of a return path, short enough for 64 characters of a mailbox together with its name."""
        return name[:24]

    async def for_delivery(self, address: str, key: str) -> Links:
        """Return the links of one mail; those of a subscription only where the key is a digest's."""
        name = await self.names.of(address)
        home = self.settings.web.base_url
        subscription, _, day = key.partition("/")
        if len(day) != len("2026-11-23") or "/" in day:
            return Links(home, preferences=self.preferences(name))
        kept = timedelta(days=self.settings.keep.deliveries_days)
        return Links(
            home,
            view=f"{home}/digest/{self.keys.sign(VIEW, key, until=self.clock() + kept)}",
            preferences=self.preferences(name),
            unsubscribe=self._link("unsubscribe", UNSUBSCRIBE, [name, subscription], LASTING),
            mark=lambda paper: self._link("mark", MARK, [name[:24], paper], kept),
            more=lambda paper: f"{home}{paper_path(paper)}",
        )

    def read(self, purpose: str, token: str) -> Any:
        """Return what a token carries.

        Raises:
            LinkError: it is not ours, was changed, or has ended.
        """
        return self.keys.read(purpose, token, now=self.clock())

    def read_pair(self, purpose: str, token: str) -> tuple[str, str]:
        """Return the two texts of a token.

        Raises:
            LinkError: as above.
        """
        data = self.read(purpose, token)
        if isinstance(data, list) and len(data) == 2 and all(isinstance(part, str) for part in data):
            return data[0], data[1]
        raise LinkError("This link is from another version of paperboy.")

    def _link(self, path: str, purpose: str, data: Any, lasting: timedelta) -> str:
        # By the day, so that the same mail composed again on one day has the same links.
        until: datetime = self.clock().replace(hour=0, minute=0, second=0, microsecond=0) + lasting
        return f"{self.settings.web.base_url}/email/{path}/{self.keys.sign(purpose, data, until=until)}"
