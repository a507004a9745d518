"""How soon processes that share work notice what happens to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tempo:
    """How soon what is noticed, in seconds.

    Attributes:
        gone_after: a worker that was silent for so long is taken for dead, and others do its jobs.
        poll: a job of which no notification came is found.
    """

    gone_after: float = 30.0
    poll: float = 5.0

    @property
    def beat(self) -> float:
        """From one sign of life to the next."""
        return self.gone_after / 6

    @property
    def sweep(self) -> float:
        """From one look for dead workers to the next."""
        return self.gone_after / 3

    @property
    def let_go_after(self) -> float:
        """A worker that could not give a sign of life for so long stops, before others go on with what it does."""
        return self.gone_after * 2 / 3


USUAL = Tempo()
