"""What lies in a folder or a database, whole, to compare one with another; and chests of what a test thought up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.store import chests as c
from core.store.folder_chest import read_folder
from core.store.postgres.chest import read_database


def everything(source: c.Source) -> dict[str, list[Any]]:
    """All rows of all drawers, in an order that does not depend on where they lie."""
    return {
        drawer: list(source.rows(drawer)) if drawer in c.ORDERED else sorted(source.rows(drawer), key=repr)
        for drawer in source.drawers
        if drawer not in {c.MODELS, c.VECTORS}
    }


def whole_folder(folder: Path) -> dict[str, list[Any]]:
    """All that lies in a data folder."""
    with read_folder(folder) as source:
        return everything(source)


def whole_database(url: str) -> dict[str, list[Any]]:
    """All that lies in a database."""
    with read_database(url) as source:
        return everything(source)


class Given:
    """A chest of what a test thought up."""

    drawers = c.STATE

    def __init__(self, state: Mapping[str, Sequence[Any]]) -> None:
        self._state = state

    def rows(self, drawer: str) -> Iterator[Any]:
        return iter(self._state[drawer])

    def count(self, drawer: str) -> int:
        return len(self._state[drawer])
