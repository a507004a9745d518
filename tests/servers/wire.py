"""A wire to PostgreSQL on loopback, that counts how often somebody waited for an answer, and loses answers."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import Self
from urllib.parse import urlsplit, urlunsplit

READY = b"Z\x00\x00\x00\x05"
"""Begins the message with which the server ends an answer, when what was asked is kept or given up:
https://www.postgresql.org/docs/16/protocol-message-formats.html"""


class Wire:
    """An address in front of a server's.

    Attributes:
        trips: questions that were asked, whatever number of statements each had.
        lose: the answer to so many questions from now on is lost, together with its connection: 1 is the next.
        lost: how many were.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.trips = self.lost = 0
        self.lose: int | None = None
        self._lock = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._sockets]:
            end(one)
        for thread in self._threads:
            thread.join()
        for one in [self._listener, *self._sockets]:
            one.close()

    @property
    def url(self) -> str:
        """The same database at this end of the wire."""
        return urlunsplit(self._parts._replace(netloc=f"{self._parts.username}@127.0.0.1:{self.port}"))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def asked(self) -> bool:
        """Count a question; returns whether its answer is to be lost."""
        with self._lock:
            self.trips += 1
            self.lose = None if self.lose is None else self.lose - 1
            return self.lose == 0

    def _begin(self, work: object, *args: object) -> None:
        thread = Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection((self._parts.hostname, self._parts.port))
                self._sockets += [here, there]
                line = _Line(self, here, there)
                self._begin(line.ask)
                self._begin(line.answer)


class _Line:
    """One connection over the wire."""

    def __init__(self, wire: Wire, here: socket.socket, there: socket.socket) -> None:
        self._wire, self._here, self._there = wire, here, there
        self._asked = self._doomed = False

    def ask(self) -> None:
        with suppress(OSError):
            while data := self._here.recv(1 << 16):
                if not self._asked:
                    self._asked = True
                    self._doomed = self._wire.asked()
                self._there.sendall(data)
        end(self._there)

    def answer(self) -> None:
        with suppress(OSError):
            while data := self._there.recv(1 << 16):
                if not self._doomed:
                    self._asked = False
                    self._here.sendall(data)
                elif READY in data[-6:]:
                    self._wire.lost += 1
                    break
        end(self._here)
        end(self._there)


def end(one: socket.socket) -> None:
    """End a connection in both directions, if it was not ended before."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
