"""paperboy as people start it: a process with an environment of its own, what it wrote, its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.forked import Forked

ROOT = Path(__file__).parents[1]
PAPERBOY = str(Path(sys.executable).with_name("paperboy"))
PATIENCE = 60.0


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """What was said on stderr, which has to be one sentence of ours."""
        assert self.err.startswith("paperboy: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("paperboy: ").rstrip("\n")


class Running:
    """A service under way."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, out: Path, err: Path) -> None:
        self.process, self.pid = process, process.pid
        self._out, self._err = out, err

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    @property
    def resident_mb(self) -> float:
        """Resident memory now, of Linux's own count."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def until(self, holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until something holds, and return it; the service has to live on meanwhile."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.err}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.out}\n{self.err}"
            time.sleep(0.02)
        return found

    def page(self) -> str:
        """Wait for the page; returns its address."""
        found = self.until(lambda: re.search(r"the page is at (http://\S+)", self.err))
        return str(found[1])

    def fetched(self) -> None:
        """Wait until the first fetch has ended, whether well or not."""
        self.until(lambda: "Hacker News" in self.err)

    def end(self, signal_number: int = signal.SIGTERM) -> Ended:
        """Send a signal and wait for the end."""
        self.process.send_signal(signal_number)
        return self.ended()

    def ended(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(PATIENCE)
        return Ended(code, self.out, _sane(self.err))


class Shell:
    """A person's shell: one folder to work in, one data folder, one environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.home = folder, folder / "data"
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = kept | {"PAPERBOY_HOME": str(self.home), "PAPERBOY_WEB__PORT": "0", "LANG": "C.UTF-8"}
        self.environment["PAPERBOY_MODEL__ENABLED"] = "false"  # no test downloads a model
        self.environment |= {"COLUMNS": "100", **environment}
        self._started = 0

    def run(
        self,
        *words: str,
        command: Sequence[str] = (),
        before: Callable[[], None] | None = None,
        **environment: str,
    ) -> Ended:
        """Run a command to its end; no command ever shows a traceback.

        It is forked off a process that has the imports, unless the words of the command itself are given or something
        has to happen before it begins.
        """
        if before is None and not command:
            return self._fork(words, self.environment | environment)
        done = subprocess.run(
            [*(command or (PAPERBOY,)), *words],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            preexec_fn=before,
        )
        return Ended(done.returncode, done.stdout.decode(), _sane(done.stderr.decode()))

    def _fork(self, words: Sequence[str], environment: Mapping[str, str]) -> Ended:
        with TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            process = Forked(words, self.folder, environment, out, err)
            try:
                return Running(process, out, err).ended()
            finally:
                process.kill()

    def run_all(self, lines: Sequence[str], **environment: str) -> dict[str, Ended]:
        """Run several commands, a few at a time; returns by line what became of each."""
        with ThreadPoolExecutor(max_workers=3) as threads:
            done = {line: threads.submit(self.run, *line.split(), **environment) for line in lines}
        return {line: ended.result() for line, ended in done.items()}

    @contextmanager
    def start(self, *words: str, command: Sequence[str] = (), **environment: str) -> Iterator[Running]:
        """Start a command that goes on; it is killed in the end, if it still runs.

        It is forked off a process that has the imports, unless the words of the command itself are given.
        """
        self._started += 1
        out, err = (self.folder / f"{self._started}.{name}" for name in ("out", "err"))
        process: subprocess.Popen[bytes] | Forked
        if command:
            process = self._open([*command, *words], self.environment | environment, out, err)
        else:
            process = Forked(words, self.folder, self.environment | environment, out, err)
        try:
            yield Running(process, out, err)
        finally:
            process.kill()
            process.wait()

    def _open(
        self, line: Sequence[str], environment: Mapping[str, str], out: Path, err: Path
    ) -> subprocess.Popen[bytes]:
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return subprocess.Popen(
                line, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )


def _sane(err: str) -> str:
    assert "Traceback" not in err, err
    return err
