"""A store that cannot be reached: whoever only reads papers does without, whoever asks it is told why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, cast

from core.errors import StoreError
from core.store import Store


class _Away:
    def __init__(self, error: StoreError) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., Awaitable[NoReturn]]:
        async def refuse(*_: Any, **__: Any) -> NoReturn:
            raise self._error

        return refuse


def away_store(error: StoreError) -> Store:
    """Return a store of which every method raises this error."""
    return cast(Store, _Away(error))
