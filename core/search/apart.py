"""EDGE. Reading for meaning in a process of its own, beside the one that answers.

In one process, a search would wait each time that the reading has the interpreter. So the service starts another Python
whenever something is new: it brings both indexes up to the library (`postings.py`, `embedding.py`) and ends. It leaves
the processor to whoever else wants it, and it may be killed at any moment, as the indexes may. It lives no longer than
its parent: the pipe between them ends with either.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from core.errors import LibraryError, ModelError
from core.papers.library import Library
from core.papers.schema import connect, explained
from core.search.embedding import identify, read_for_meaning
from core.search.model import ModelFiles
from core.search.postings import follow_library, postings_path

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "core.search.apart")
GRACE = 3.0  # seconds between the end of the pipe and a kill
NICENESS = 10  # others get nine tenths of a processor that they want too, and it is never shut out for good


class Order(msgspec.Struct, frozen=True):
    """What is to be read.

    Attributes:
        library: path of the library.
        identity: what tells it from any other.
        model: description of the model; empty where there is none, and the words alone are listed.
        folder: where its files are.
    """

    library: str
    identity: str
    model: str = ""
    folder: str = ""


class Told(msgspec.Struct, frozen=True, tag=True):
    """Something for the log."""

    logger: str
    level: int
    text: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """The end: how many papers were read."""

    read: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Another end."""

    text: str
    of_model: bool


Report: TypeAlias = Told | Done | Failed


class ReaderApart:
    """Has the library read by another process.

    Args:
        library: opened by the owner of the folder.
        wanted: returns the model, or None while there is none.
        command: starts the process.
    """

    def __init__(
        self, library: Library, wanted: Callable[[], ModelFiles | None], *, command: Sequence[str] = COMMAND
    ) -> None:
        self._library = library
        self._wanted = wanted
        self._command = command

    async def read_missing(self, *, by_meaning: bool = True) -> int:
        """Bring the word lists and the vectors up to the library; return how many papers were read for meaning.

        When it is cancelled, the process ends too.

        Args:
            by_meaning: else the words alone are listed.

        Raises:
            ModelError: the model cannot be used.
            LibraryError: the library cannot be read, an index cannot be written, or the process was ended by somebody.
        """
        files = self._wanted() if by_meaning else None
        model = (files.description, str(files.folder)) if files else ("", "")
        order = Order(str(self._library.path.resolve()), await identify(self._library), *model)
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        try:
            return await _listen(process, order)
        finally:
            await _end(process)


async def _listen(process: Process, order: Order) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(ConnectionError):  # it is gone already: how it ended is told below
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
    async for line in process.stdout:
        match msgspec.json.decode(line, type=Report):
            case Told(logger, level, text):
                logging.getLogger(logger).log(level, "%s", text)
            case Done(read):
                return read
            case Failed(text, of_model):
                raise ModelError(text) if of_model else LibraryError(text)
    ended = await process.wait()
    how = f"was ended by {signal.Signals(-ended).name}" if ended < 0 else f"ended with {ended}"
    raise LibraryError(f"The process that reads papers for meaning {how}; what it had read is kept.")


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class _Reporting(logging.Handler):
    """Hands what is logged to the parent, whose log it is for."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__(logging.INFO)
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        _report(self._out, Told(record.name, record.levelno, record.getMessage()))


def main() -> None:
    """Do what one line of the standard input orders, and report on the standard output."""
    for name in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, with whom it ends
        signal.signal(name, signal.SIG_IGN)
    with suppress(AttributeError):  # not every system has priorities of this kind
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no report
    logging.basicConfig(level=logging.INFO, handlers=[_Reporting(out)])
    try:
        _report(out, Done(_read(order)))
    except (LibraryError, ModelError) as error:
        _report(out, Failed(str(error), isinstance(error, ModelError)))


def _read(order: Order) -> int:
    path = Path(order.library)
    with explained(path), closing(connect(path, read_only=True)) as library:
        words = postings_path(path.parent, order.identity)
        follow_library(library, words, stopped=lambda: False, progress=lambda *_: None)
        if not order.model:
            return 0
        files = ModelFiles(Path(order.folder), **msgspec.json.decode(order.model))
        return read_for_meaning(files, library, path.parent, order.identity, threads=1)


def _report(out: BinaryIO, report: Report) -> None:
    out.write(msgspec.json.encode(report) + b"\n")
    out.flush()


def _end_with_parent() -> None:
    """Wait for the end of the pipe, and end at once: a kill costs no more than the papers at hand."""
    while os.read(0, 1):  # not by Python's own reader, for whose lock an ordinary end would wait
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
