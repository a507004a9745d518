"""Many things, some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in their order, as lists of so many; the last one may be shorter."""
    iterator = iter(items)
    while portion := list(islice(iterator, size)):
        yield portion
