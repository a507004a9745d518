"""What has come in from Slack so far, by kind and day: the one way to see that the app's manifest has all of it.

Which commands, shortcuts and events an app has registered, Slack shows to its owner alone; no token of the app can ask:
https://docs.slack.dev/reference/methods/apps.manifest.export wants one of the owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from core.clock import Clock
from core.store import Store
from core.store.facts import change_fact

FACT = "slack arrivals"
KINDS: Mapping[str, str] = {
    "command": "/papers",
    "press": "buttons",
    "shortcut": "the message shortcut",
    "app_home_opened": "App Home",
    "app_mention": "mentions",
    "message": "direct messages",
    "link_shared": "links to papers",
}
WHERE = "on the app's page, App Manifest has to be as config/slack_manifest.yaml"


class Arrivals:
    """Notes each kind of thing once a day.

    Args:
        store: where.
        clock: now.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._today: dict[str, date] = {}

    def is_news(self, kind: str) -> bool:
        """Tell whether it comes for the first time today, and take it for noted."""
        today = self._clock().date()
        if self._today.get(kind) == today:
            return False
        self._today[kind] = today
        return True

    async def note(self, kind: str) -> None:
        """Write down that it came today.

        Raises:
            StoreError: it is not kept.
        """
        today = self._clock().date()
        await change_fact(self._store, FACT, lambda kept: msgspec.json.encode({**_read(kept), kind: today}).decode())


async def read(store: Store) -> Mapping[str, date]:
    """Return on which day each kind came last."""
    return _read(await store.fact(FACT))


def _read(kept: str | None) -> Mapping[str, date]:
    return msgspec.json.decode(kept, type=dict[str, date]) if kept else {}


def describe(known: Mapping[str, date]) -> str:
    """Return in a line what came, what never did, and where to look when it should have."""
    came = ", ".join(f"{name} {known[kind]}" for kind, name in KINDS.items() if kind in known)
    missing = ", ".join(name for kind, name in KINDS.items() if kind not in known)
    if not missing:
        return f"all have come in, last: {came}"
    words = f"never yet: {missing}. Slack does not show which are registered; where one should have come, {WHERE}"
    return f"came in, last: {came}; {words}" if came else words
