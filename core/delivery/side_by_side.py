"""Which digests may be made at once, so that their papers are chosen together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any

from core.digests.subscription import Due
from core.digests.together import MOST_TOGETHER


def side_by_side(found: Sequence[Due], most: int = MOST_TOGETHER) -> Iterator[Sequence[Due]]:
    """Yield what is due in portions, in its order, whose digests have nothing to do with each other.

    No two are of one place, and one without repeats from the places beside it is alone: it has to know all that others
    before it show.
    """
    several: list[Due] = []
    for due in found:
        alone = any(one.subscription.no_repeats for one in (due, *several[-1:]))
        is_there = any(one.subscription.address == due.subscription.address for one in several)
        if several and (alone or is_there or len(several) == most):
            yield several
            several = []
        several.append(due)
    if several:
        yield several


async def count_done(several: Iterable[Coroutine[Any, Any, bool]]) -> int:
    """Have several done at once, and return how many did something.

    Raises:
        BaseException: the first one's that failed, when the others are done.
    """
    done = await asyncio.gather(*several, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return sum(one is True for one in done)
