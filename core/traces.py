"""What a line of the log belongs to: a person's command, a digest's delivery. Carried along to whatever is done for it.

Both are names and nothing more: they tell no words, no address and no person.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST: ContextVar[str] = ContextVar("request", default="")
DELIVERY: ContextVar[str] = ContextVar("delivery", default="")


def begin_request(name: str) -> None:
    """Let everything that this task does from here on belong to a command, its answer's way back included."""
    REQUEST.set(name)


def begin_delivery(key: str) -> None:
    """Let everything that this task does from here on belong to a delivery (`subscription/YYYY-MM-DD`)."""
    DELIVERY.set(key)


@contextmanager
def about_delivery(key: str) -> Iterator[None]:
    """Let what is done inside belong to a delivery."""
    token = DELIVERY.set(key)
    try:
        yield
    finally:
        DELIVERY.reset(token)
