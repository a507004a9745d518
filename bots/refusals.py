"""Places that refused a post, remembered for a while where looking at a place would not show it again."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import DeliveryError

KEPT_SECONDS = 20 * 3600.0
"""Less than a day, so that a daily digest makes one try at a place that keeps its reasons to itself."""
MOST_PLACES = 10_000


class Refusals:
    """What each place answered last, if it refused.

    Args:
        now: seconds, from any beginning.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, tuple[float, DeliveryError]] = {}

    def remember(self, place: str, failure: DeliveryError) -> None:
        """Keep what a place answered; the oldest answer makes room."""
        self._known.pop(place, None)
        if len(self._known) >= MOST_PLACES:
            del self._known[next(iter(self._known))]
        self._known[place] = (self._now(), failure)

    def recall(self, place: str) -> DeliveryError | None:
        """Return what a place answered lately, or None."""
        at, failure = self._known.get(place, (0.0, None))
        if failure is not None and self._now() - at >= KEPT_SECONDS:
            self.forget(place)
            return None
        return failure

    def forget(self, place: str) -> None:
        """Let the place be tried again: a post arrived, or somebody there may have mended it."""
        self._known.pop(place, None)
