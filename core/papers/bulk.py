"""EDGE. `paperboy import`: files of papers into the library, batch by batch, in memory that does not grow.

The place that was reached is kept in the same transaction as its batch, so that an import that was killed goes on where
it was. A bad line costs itself alone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import stat
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeAlias

from core.errors import UsageError
from core.papers.formats import Unreadable, is_daily_list, read_daily_list, read_object
from core.papers.library import Library
from core.papers.paper import Record

BATCH = 500
LINES = 100_000  # after so many, blank or not, the place is kept and told
MAX_LINE = 16_000_000  # bytes; the longest real line, with 3,303 authors, has 0.1 MB
MAX_DOCUMENT = 64_000_000
MAX_BAD = 20
OTHER_SIGNS = (BOM_UTF16_LE, BOM_UTF16_BE)

Readable: TypeAlias = BufferedReader | gzip.GzipFile
Progress: TypeAlias = Callable[[int, int], None]
"""Told after each batch: bytes of the file that were read, and bytes of the file."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        read: papers that could be read in this run.
        new: those that the library did not hold.
        changed: those that it held otherwise.
        bad: one sentence each for what could not be read, the first `MAX_BAD`; all that is not UTF-8 makes one.
        bad_count: how many lines or entries could not be read.
        resumed: lines that an earlier, interrupted run had done.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    bad: tuple[str, ...] = ()
    bad_count: int = 0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records of some lines; `line` is the last of them, `place` the bytes of the file up to it."""

    records: tuple[Record, ...] = ()
    bad: tuple[str, ...] = ()
    line: int = 0
    place: int = 0
    bad_count: int = 0


async def import_file(path: Path, library: Library, *, now: datetime, progress: Progress) -> ImportReport:
    """Read a file into the library; safe to repeat, safe to interrupt.

    Raises:
        UsageError: the file cannot be read.
        LibraryError: the library cannot be written.
    """
    whole, size, stamp = await asyncio.to_thread(identify, path)
    fact = f"import {whole}"
    resumed = _reached(await library.fact(fact), stamp)
    report = ImportReport(resumed=resumed)
    batches = _read_batches(path, resumed, now)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        facts = {fact: json.dumps([stamp, batch.line])}
        ingested = await library.ingest(batch.records, now=now, facts=facts)
        report = replace(
            report,
            read=report.read + len(batch.records),
            new=report.new + ingested.new,
            changed=report.changed + ingested.changed,
            bad=(report.bad + batch.bad)[:MAX_BAD],
            bad_count=report.bad_count + batch.bad_count,
        )
        progress(min(batch.place, size), size)
    await library.set_fact(fact, "")
    return report


def identify(path: Path) -> tuple[Path, int, str]:
    """Return the whole path of a file, its size in bytes, and a text that changes when the file does.

    Raises:
        UsageError: it cannot be read, or is something else than a file, which may have no end.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} cannot be read: it is not a regular file.")
        with path.open("rb"):
            return path.resolve(), found.st_size, f"{found.st_size}/{found.st_mtime_ns}"
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _reached(fact: str | None, stamp: str) -> int:
    """Return how many lines of the file an interrupted import had done; 0 when the file is another one by now."""
    known, line = json.loads(fact) if fact else ("", 0)
    return int(line) if known == stamp else 0


def _read_batches(path: Path, done: int, now: datetime) -> Iterator[_Batch]:
    """Yield the papers of a file behind the first `done` lines."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw) as stream:
            start = _read_start(stream)
            if start is None:
                yield _only_bad(f"{path} cannot be read: it is broken.")
            elif start.startswith(OTHER_SIGNS) or b"\0" in start[:4]:
                yield _only_bad(f"{path} cannot be read: it is not text in UTF-8; write it as such.")
            elif start.removeprefix(BOM_UTF8).lstrip().startswith(b"["):
                yield _read_document(path, stream, now)
            else:
                yield from _Lines(path, raw, done).read(stream)


def _only_bad(sentence: str) -> _Batch:
    return _Batch(bad=(sentence,), bad_count=1)


def _read_start(stream: Readable) -> bytes | None:
    """Return the first bytes, and go back to the start; None when the file is broken there."""
    try:
        start = stream.read(4096)
        stream.seek(0)
    except (EOFError, OSError, zlib.error):
        return None
    return start


def _read_document(path: Path, stream: Readable, now: datetime) -> _Batch:
    """Read a file that is one JSON array."""
    try:
        body = stream.read(MAX_DOCUMENT + 1)
        if len(body) > MAX_DOCUMENT:
            return _only_bad(f"{path} is one document of more than {MAX_DOCUMENT >> 20} MB; write a paper a line.")
        document: Any = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _only_bad(f"{path} cannot be read: it is not text in UTF-8; write it as such.")
    except (EOFError, OSError, zlib.error, ValueError, RecursionError):
        return _only_bad(f"{path} cannot be read: it is broken, or not JSON.")
    place = path.stat().st_size
    if is_daily_list(document):
        page = read_daily_list(document, path.name, now)
        odd = tuple(f"{path}: {sentence}" for sentence in page.odd)
        return _Batch(page.records, odd, place=place, bad_count=len(odd))
    records: list[Record] = []
    bad: list[str] = []
    for index, item in enumerate(document, start=1):
        try:
            records.append(read_object(item))
        except Unreadable as error:
            bad.append(f"{path}, entry {index}: {error}.")
    return _Batch(tuple(records), tuple(bad[:MAX_BAD]), place=place, bad_count=len(bad))


class _Lines:
    """A file of one JSON object a line, behind the first `done` of them."""

    def __init__(self, path: Path, raw: Readable, done: int) -> None:
        self._path = path
        self._raw = raw
        self._done = done
        self._records: list[Record] = []
        self._bad: list[str] = []
        self._bad_count = 0
        self._alphabet_told = False

    def read(self, stream: Readable) -> Iterator[_Batch]:
        number = 0
        for number, line in _number_lines(stream):
            if number > self._done and (line is None or line.strip()):
                self._take(number, line)
            if len(self._records) + self._bad_count >= BATCH or number % LINES == 0:
                yield self._batch(number)
        yield self._batch(number)

    def _take(self, number: int, line: bytes | None) -> None:
        try:
            self._records.append(_read_line(line))
        except UnicodeDecodeError:
            self._bad_count += 1
            if not self._alphabet_told:
                self._bad.append(f"{self._path}, line {number}: this is not text in UTF-8; write the file as such.")
                self._alphabet_told = True
        except Unreadable as error:
            self._bad_count += 1
            self._bad.append(f"{self._path}, line {number}: {error}.")

    def _batch(self, number: int) -> _Batch:
        """Return what was read since the last batch, and forget it; `number` is the last line of it."""
        line = max(number, self._done)
        batch = _Batch(tuple(self._records), tuple(self._bad), line, self._raw.tell(), self._bad_count)
        self._records, self._bad, self._bad_count = [], [], 0
        return batch


def _read_line(line: bytes | None) -> Record:
    if line is None:
        raise Unreadable("the file is broken from here on")
    if len(line) > MAX_LINE:
        raise Unreadable(f"it is longer than {MAX_LINE >> 20} MB")
    text = line.decode("utf-8-sig")
    try:
        item = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("this is not JSON") from None
    return read_object(item)


def _number_lines(stream: Readable) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number, line), numbers from 1; of a line that is too long its beginning, of a broken file None."""
    number = 0
    try:
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            yield number, line
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE + 1)
    except (EOFError, OSError, zlib.error):
        yield number + 1, None
