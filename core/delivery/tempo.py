"""How soon processes that share work notice what happens to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tempo:
    """How soon what is noticed, in seconds.

    Attributes:
        poll: a job of which no notification came.
        sweep: how often is looked for jobs of dead workers.
        beat: how often a worker says that it lives.
        let_go: after so much silence it stops what it does.
        stalled: after so much silence it is taken for dead.
    """

    poll: float = 5.0
    sweep: float = 10.0
    beat: float = 5.0
    let_go: float = 20.0
    stalled: float = 30.0


USUAL = Tempo()
