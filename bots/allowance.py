"""How often a platform may be asked; pure arithmetic over a clock that is handed in."""

from __future__ import annotations


class Allowance:
    """So many calls a second, and a few at once after a pause (the generic cell rate algorithm).

    https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm

    Args:
        per_second: calls in the long run.
        at_once: calls that may be made together when none was made for a while.
    """

    def __init__(self, per_second: float, at_once: int) -> None:
        self._spacing = 1.0 / per_second
        self._slack = (at_once - 1) * self._spacing
        self._next = self._seen = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next free moment for a call and return the seconds until it comes."""
        if now < self._seen:
            # The clock was put back: what was reserved lies as far ahead as before, not further.
            self._next -= self._seen - now
        self._seen = now
        self._next = max(self._next, now)
        wait = max(0.0, self._next - self._slack - now)
        self._next += self._spacing
        return wait

    def idle(self, now: float) -> bool:
        """Tell whether nothing of it is used up."""
        return self._next <= now
