"""Counts what the log tells of: lines by level, and the errors of databases among them.

Every failure of the store or the library ends in a line that carries the error, whoever met it; so this is where all of
them pass.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter

from core.errors import LibraryError, StoreError

LEVELS = ("debug", "info", "warning", "error", "critical")
PARTS: Mapping[str, type[Exception]] = {"store": StoreError, "library": LibraryError}


class Troubles(logging.Handler):
    """Counts lines for Prometheus, and writes nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._lines = Counter("paperboy_log_lines", "Lines of the log.", ("level",), registry=registry)
        self._errors = Counter("paperboy_database_errors", "What a database refused.", ("part",), registry=registry)
        for level in LEVELS:
            self._lines.labels(level)
        for part in PARTS:
            self._errors.labels(part)

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        self._lines.labels(record.levelname.lower()).inc()
        for part, kind in PARTS.items():
            if any(isinstance(found, kind) for found in _told_by(record)):
                self._errors.labels(part).inc()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count whatever is logged inside."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)


def _told_by(record: logging.LogRecord) -> Iterable[object]:
    yield from record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    if record.exc_info:
        yield record.exc_info[1]
