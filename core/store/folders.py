"""EDGE. A folder that is filled wholly or not at all.

One that is there stays the same folder: it may be a volume, a link, or lie where nothing else may be made. Its files
are put into it one by one; until all are, the draft beside them says which, so that nobody takes a part for the whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreError

DRAFT = ".unfinished"
_NAMES = ".names"


def is_free(folder: Path) -> bool:
    """Whether a folder is not there yet, or holds nothing but what a filling left that was interrupted.

    Raises:
        StoreError: it cannot be looked into.
    """
    try:
        if not folder.exists():
            return True
        return folder.is_dir() and {path.name for path in folder.iterdir()} <= {DRAFT, *_put_in(folder)}
    except OSError as error:
        raise StoreError(f"{folder} cannot be used ({error.strerror}); name another folder.") from error


def is_half_filled(folder: Path) -> bool:
    """Whether a filling was interrupted in the moment in which it put its files in."""
    return (folder / DRAFT / _NAMES).exists()


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into, whose contents are put into `folder` at the end; after a failure, nothing is.

    Args:
        folder: free (see `is_free`).

    Raises:
        OSError: it cannot be written.
    """
    place = folder.resolve()
    there = place.exists()
    _take_out(place)
    draft = place / DRAFT if there else place.with_name(f"{place.name}{DRAFT}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        yield draft
        if there:
            _put(draft, place)
        else:
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put(draft: Path, place: Path) -> None:
    names = sorted(path.name for path in draft.iterdir())
    noted = draft / f"{_NAMES}.tmp"
    noted.write_text(json.dumps(names), encoding="utf-8")
    noted.rename(draft / _NAMES)
    try:
        for name in names:
            (draft / name).rename(place / name)
    except BaseException:
        _take_out(place)
        raise
    (draft / _NAMES).unlink()


def _put_in(place: Path) -> list[str]:
    """Return which files an interrupted filling put in, or was about to."""
    noted = place / DRAFT / _NAMES
    return [str(name) for name in json.loads(noted.read_text(encoding="utf-8"))] if noted.exists() else []


def _take_out(place: Path) -> None:
    for name in _put_in(place):
        (place / name).unlink(missing_ok=True)
