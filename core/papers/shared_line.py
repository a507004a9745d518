"""EDGE. The connection over which a machine's library reads and changes the shared papers, in its writer's thread."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer

import psycopg

from core.database import NOTICED, STATEMENT_SECONDS
from core.database import PATIENCE as NETWORK_PATIENCE
from core.database_errors import explained
from core.papers.shared_rows import LOCK, Shared

PATIENCE = 60.0
"""Seconds without any progress, after which a connection is given up: a network may drop replies and say nothing."""
LOCK_SECONDS = 50  # for others who change papers; less than the patience, so that the database itself says so

# Rows are read as fast as they are put in, so the time that reading them takes says nothing.
_UNHURRIED = "SET LOCAL statement_timeout = 0"
ALONE = f"BEGIN; SELECT pg_advisory_xact_lock({LOCK}); {_UNHURRIED}"
ONE_STATE = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_UNHURRIED}"

# A machine that vanished must not shut out all others, so the server looks whether it is still there.
_SESSION = (
    f"SET timezone = 'UTC'; SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s';"
    f"SET idle_in_transaction_session_timeout = '60s'; {NOTICED}"
)


class Line:
    """Opened with its first use, and again after it broke. Every method raises StoreError with one sentence.

    Args:
        url: of the database.
        patience: seconds without progress after which the connection counts as lost.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.url = url
        self._connection: Shared | None = None
        self._ended = False
        self._watch = _Watch(patience, self._cut)

    def close(self) -> None:
        """Let go of the connection; closing twice is harmless."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def end(self) -> None:
        """Break the connection, from any thread, and make no other."""
        self._ended = True
        self._cut()

    def renew(self) -> None:
        """Note that there is progress."""
        self._watch.renew()

    @contextmanager
    def asking(self) -> Iterator[Shared]:
        """Lend the connection for single questions."""
        with explained(self.url), self._watched():
            yield self._begun("SELECT 1") if self._connection is None else self._connection

    @contextmanager
    def transaction(self, begin: str) -> Iterator[Shared]:
        """Lend the connection with a transaction open: `ALONE`, to change papers, or `ONE_STATE`, to read them.

        It is kept at the end, or undone where the body raises; a body that ended it itself is left alone.
        """
        with explained(self.url), self._watched():
            shared = self._begun(begin)
            try:
                yield shared
                self._finish(shared, "COMMIT")
            except BaseException:
                try:
                    self._finish(shared, "ROLLBACK")
                except psycopg.Error:  # it broke, or is in the midst of rows that nobody wants any more
                    self.close()
                raise

    def _finish(self, shared: Shared, statement: str) -> None:
        if shared.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            shared.execute(statement)

    def _begun(self, statement: str) -> Shared:
        """Run the first statement; over a new connection, where the old one broke since its last use."""
        known = self._connection is not None
        try:
            shared = self._open()
            shared.execute(statement)
        except psycopg.OperationalError:
            broken = self._connection is None or self._connection.closed
            self.close()
            if not known or not broken:
                raise
            shared = self._open()
            shared.execute(statement)
        return shared

    def _open(self) -> Shared:
        if self._ended:
            raise psycopg.OperationalError("it is being closed")
        if self._connection is None:
            self._connection = psycopg.connect(
                self.url, autocommit=True, application_name="paperboy papers", **NETWORK_PATIENCE
            )
            self.renew()
            self._connection.execute(_SESSION)
        return self._connection

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Cut a connection that brings nothing for too long; forget one that broke."""
        try:
            with self._watch:
                yield
        except psycopg.OperationalError:
            self.close()
            raise

    def _cut(self) -> None:
        """Break the connection from another thread, so that whoever waits for its answer is told."""
        connection = self._connection
        with suppress(psycopg.Error, OSError):
            if connection is not None:
                with socket.socket(fileno=os.dup(connection.fileno())) as other:
                    other.shutdown(socket.SHUT_RDWR)


class _Watch:
    """Calls `cut` when nothing was said for a time while it is entered."""

    def __init__(self, patience: float, cut: Callable[[], None]) -> None:
        self._patience = patience
        self._cut = cut
        self._lock = Lock()
        self._until = 0.0
        self._timer: Timer | None = None

    def renew(self) -> None:
        self._until = time.monotonic() + self._patience

    def __enter__(self) -> None:
        self.renew()
        self._arm()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = Timer(max(self._until - time.monotonic(), 0.01), self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            if time.monotonic() < self._until:
                self._arm()
            else:
                self._cut()
