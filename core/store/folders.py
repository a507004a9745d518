"""EDGE. A folder that is filled wholly or not at all.

One that is there stays the same folder: it may be a volume, a link, or lie where nothing else may be made.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DRAFT = ".unfinished"


def is_free(folder: Path) -> bool:
    """Whether a folder is not there yet, or holds nothing but what a filling left that was interrupted."""
    return not folder.exists() or (folder.is_dir() and all(path.name == DRAFT for path in folder.iterdir()))


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
    draft = place / DRAFT if there else place.with_name(f"{place.name}{DRAFT}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        yield draft
        if there:
            for path in sorted(draft.iterdir()):
                path.rename(place / path.name)
        else:
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
