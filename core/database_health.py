"""EDGE. How a database is, for whoever asks `doctor`: its version, how long an answer takes, whether clocks agree."""

from __future__ import annotations

import time
from dataclasses import dataclass

from psycopg import AsyncConnection

from core.clock import Clock
from core.database import PATIENCE, VERSION_TABLE
from core.database_errors import explained

_LOOK = """
SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())::float8,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int,
    current_setting('max_connections')::int, current_setting('server_encoding'), to_regclass(%s) IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Health:
    """What was seen of a database.

    Attributes:
        schema: the version of its schema; None where it holds nothing of paperboy's.
        server: PostgreSQL's own version.
        latency: seconds from a question to its answer.
        ahead: seconds by which our clock is ahead of the server's.
        connections: how many are open now, of everybody.
        most: how many can be.
        encoding: of its texts.
    """

    schema: str | None
    server: str
    latency: float
    ahead: float
    connections: int
    most: int
    encoding: str


async def look_at_database(url: str, clock: Clock) -> Health:
    """Ask a database how it is.

    Raises:
        StoreError: it cannot be reached or used.
    """
    with explained(url):
        async with await AsyncConnection.connect(url, autocommit=True, **PATIENCE) as connection:
            await connection.execute("SELECT 1")  # the first question may wait for what the server makes at the start
            begun, now = time.monotonic(), clock()
            row = await (await connection.execute(_LOOK, (VERSION_TABLE,))).fetchone()
            latency = time.monotonic() - begun
            assert row is not None
            server, theirs, open_now, most, encoding, is_ours = row
            schema = None
            if is_ours:
                kept = await (await connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")).fetchone()  # noqa: S608 - a constant
                schema = str(kept[0]) if kept else None
    return Health(schema, server, latency, now.timestamp() + latency / 2 - theirs, open_now, most, encoding)
