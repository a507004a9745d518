"""How long whoever asks now waits to be connected to what may be away: said by who asks, heeded by what is asked.

A page is looked at by somebody who would rather be told in two seconds; a digest waits as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_longest: ContextVar[float | None] = ContextVar("longest wait", default=None)


@contextmanager
def hurried(seconds: float) -> Iterator[None]:
    """Wait no longer than this to be connected, for each thing that is asked in the block."""
    before = _longest.set(seconds)
    try:
        yield
    finally:
        _longest.reset(before)


def longest_wait() -> float | None:
    """Return for how many seconds whoever asks now waits to be connected; None for as long as is usual."""
    return _longest.get()
