"""EDGE. `paperboy import`: files of papers into the library, batch by batch, in memory that does not grow.

The place that was reached is kept in the same transaction as its batch, so that an import that was killed goes on where
it was. A bad line costs itself alone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeAlias

from core.errors import LibraryError
from core.papers.formats import Unreadable, is_daily_list, read_daily_list, read_object
from core.papers.library import Library
from core.papers.paper import Record

BATCH = 500
MAX_LINE = 16_000_000  # bytes; the longest real line, with 3,303 authors, has 0.1 MB
MAX_DOCUMENT = 64_000_000
MAX_BAD = 1_000

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
        bad: one sentence each for what could not be read, the first thousand.
        resumed: lines that an earlier, interrupted run had done.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    bad: tuple[str, ...] = ()
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records of some lines; `line` is the last of them, `place` the bytes of the file up to it."""

    records: tuple[Record, ...]
    bad: tuple[str, ...]
    line: int
    place: int


async def import_file(path: Path, library: Library, *, now: datetime, progress: Progress) -> ImportReport:
    """Read a file into the library; safe to repeat, safe to interrupt.

    Raises:
        LibraryError: the file cannot be read, or the library cannot be written.
    """
    whole, size, stamp = await asyncio.to_thread(_identify, path)
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
        )
        progress(min(batch.place, size), size)
    await library.set_fact(fact, "")
    return report


def _identify(path: Path) -> tuple[Path, int, str]:
    """Return the whole path of a file, its size in bytes, and a text that changes when the file does."""
    try:
        stat = path.stat()
        with path.open("rb"):
            return path.resolve(), stat.st_size, f"{stat.st_size}/{stat.st_mtime_ns}"
    except OSError as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror}.") from error


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
            sign = _first_sign(stream)
            if sign is None:
                yield _Batch((), (f"{path} cannot be read: it is broken.",), 0, 0)
            elif sign == b"[":
                yield _read_document(path, stream, now)
            else:
                yield from _read_lines(path, stream, raw, done)


def _first_sign(stream: Readable) -> bytes | None:
    """Return the first character that is not blank, and go back to the start; None when the file is broken there."""
    try:
        start = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        stream.seek(0)
    except (EOFError, OSError, zlib.error):
        return None
    return start


def _read_document(path: Path, stream: Readable, now: datetime) -> _Batch:
    """Read a file that is one JSON array."""
    try:
        body = stream.read(MAX_DOCUMENT + 1)
        if len(body) > MAX_DOCUMENT:
            return _Batch(
                (), (f"{path} is one document of more than {MAX_DOCUMENT >> 20} MB; write a paper a line.",), 0, 0
            )
        document: Any = json.loads(body)
    except (EOFError, OSError, zlib.error, ValueError, RecursionError):
        return _Batch((), (f"{path} cannot be read: it is broken, or not JSON.",), 0, 0)
    place = path.stat().st_size
    if is_daily_list(document):
        page = read_daily_list(document, path.name, now)
        return _Batch(page.records, tuple(f"{path}: {sentence}" for sentence in page.odd), 0, place)
    records: list[Record] = []
    bad: list[str] = []
    for index, item in enumerate(document, start=1):
        try:
            records.append(read_object(item))
        except Unreadable as error:
            bad.append(f"{path}, entry {index}: {error}.")
    return _Batch(tuple(records), tuple(bad[:MAX_BAD]), 0, place)


def _read_lines(path: Path, stream: Readable, raw: Readable, done: int) -> Iterator[_Batch]:
    """Read a file of one JSON object a line."""
    records: list[Record] = []
    bad: list[str] = []
    number = 0
    for number, line in _number_lines(stream):
        if number <= done or not line.strip():
            continue
        try:
            records.append(_read_line(line))
        except Unreadable as error:
            bad.append(f"{path}, line {number}: {error}.")
        if len(records) + len(bad) >= BATCH:
            yield _Batch(tuple(records), tuple(bad), number, raw.tell())
            records.clear()
            bad.clear()
    yield _Batch(tuple(records), tuple(bad), number, raw.tell())


def _read_line(line: bytes) -> Record:
    if line == _BROKEN:
        raise Unreadable("the file is broken from here on")
    if len(line) > MAX_LINE:
        raise Unreadable(f"it is longer than {MAX_LINE >> 20} MB")
    try:
        item = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        raise Unreadable("this is not JSON") from None
    return read_object(item)


_BROKEN = b"\0"


def _number_lines(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line), numbers from 1; of a line that is too long its beginning, of a broken file a mark."""
    number = 0
    try:
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            yield number, line
            while len(line) > MAX_LINE and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE + 1)
    except (EOFError, OSError, zlib.error):
        yield number + 1, _BROKEN
