"""paperboy in processes that are forked off one which has done the imports: these outlast most commands.

Everything else is as a shell would have it: the folder, the environment, both streams, signals, the exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock

from bots.terminal.main import main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forked_imports"])

# Starting a process looks whether any other has ended, too. How it ended can be read once; whoever comes second is
# told 255 (`multiprocessing.popen_forkserver`).
_ONE_LOOKS = Lock()


class Forked:
    """One process; it is spoken to as to a `subprocess.Popen`."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path
    ) -> None:
        out.touch()
        err.touch()
        self._process = FORKS.Process(target=_be_paperboy, args=(words, folder, dict(environment), out, err))
        with _ONE_LOOKS:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        with _ONE_LOOKS:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise TimeoutError(f"Process {self.pid} took longer than {timeout} s.")
        return code

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _be_paperboy(words: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    for descriptor, path in ((1, out), (2, err)):
        with path.open("wb") as opened:
            os.dup2(opened.fileno(), descriptor)
    # As Python has them where they are nobody's terminal.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.exit(main(words))
