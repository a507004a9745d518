"""EDGE. The data folder: made where it is missing, and owned by one process at a time.

The lock is the kernel's (flock), so it ends with its process, however that ends; who holds it is noted beside it.
"""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import StoreBusy, StoreError
from core.store.folders import is_half_filled

LOCK = "paperboy.lock"
OWNER = "paperboy.pid"


class FolderLock:
    """That this process owns a data folder.

    Args:
        folder: made, readable by its owner alone, where it is missing.

    Raises:
        StoreBusy: another process owns it.
        StoreError: it cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Without fallback: a lock that is a mere file would outlive a killed process and shut everybody out.
        self._lock = FileLock(folder / LOCK, timeout=0, thread_local=False, fallback_to_soft=False)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise StoreBusy(_tell_busy(folder)) from None
        except FileExistsError as error:
            raise StoreError(
                f"The data folder {folder} cannot be made: {error.filename} is a file; "
                "name another folder with PAPERBOY_HOME."
            ) from error
        except OSError as error:
            raise StoreError(f"The data folder {folder} cannot be used: {error.strerror or error}.") from error
        if is_half_filled(folder):
            self._lock.release()
            raise StoreError(
                f"A move or a restore into {folder} was interrupted, and not all is there; "
                "repeat it, or empty the folder."
            )
        self._note_owner()

    def release(self) -> None:
        """Let go of the folder."""
        (self._folder / OWNER).unlink(missing_ok=True)
        self._lock.release()

    def _note_owner(self) -> None:
        try:
            (self._folder / OWNER).write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as error:
            self._lock.release()
            raise StoreError(f"The data folder {self._folder} cannot be written: {error.strerror}.") from error


def _tell_busy(folder: Path) -> str:
    try:
        owner = f" (process {int((folder / OWNER).read_text(encoding='ascii'))})"
    except (OSError, ValueError):  # not written yet, or just taken away: the lock alone decides
        owner = ""
    return f"paperboy is already running on {folder}{owner}; stop it first, or name another folder with PAPERBOY_HOME."
