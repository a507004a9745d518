"""How far long work is: a bar on a terminal, plain lines elsewhere; always on stderr, so that stdout stays clean."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

LINE_EVERY = 5.0


class Meter(Protocol):
    """Something that can be told how far work is."""

    def update(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` units are done; total 0 means unknown."""


class _Bar:
    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None, note="")

    def update(self, done: int, total: int, note: str = "") -> None:
        self._progress.update(self._task, completed=done, total=total or None, note=note)


class _Lines:
    def __init__(self, what: str) -> None:
        self._what = what
        self._begun = self._said = time.monotonic()

    def update(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self._said < LINE_EVERY or not total:
            return
        self._said = now
        left = (now - self._begun) * (total - done) / max(done, 1)
        parts = (f"{100 * done // total} %", note, f"{left:.0f} s left")
        print(f"{self._what}: {', '.join(part for part in parts if part)}", file=sys.stderr)


@contextmanager
def show_progress(what: str) -> Iterator[Meter]:
    """Show how far `what` is while the block runs."""
    if not sys.stderr.isatty():
        yield _Lines(what)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, what)
