"""EDGE. The Store of many machines: tables of one PostgreSQL database (`core/migrations/versions/v0002_store.py`).

Every method is one trip and one transaction, save pruning, which takes many; what is read in one moment, as all that
one digest needs, comes together in one trip. Each method says what happens when it is asked twice, since whoever does
not hear the answer cannot know whether it was done: the database may have kept it and the reply got lost. Locks are
held for one trip: one for each place while a subscription gets its number, one for each mark.
"""

from __future__ import annotations

from typing import Self

from core.clock import Clock, system_clock
from core.database import WAIT_SECONDS, Database
from core.store.postgres.deliveries import Deliveries
from core.store.postgres.notes import Notes
from core.store.postgres.people import People
from core.store.postgres.subscriptions import Subscriptions
from core.store.postgres.turns import Turns


class PostgresStore(Subscriptions, Deliveries, Notes, People):
    """The Store port on PostgreSQL; see the port for what each method promises.

    Attributes:
        database: its pool, which the job queue uses as well.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self.database = database
        self._turns = Turns(database.url)
        self.alone = self._turns.alone

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int = 10,
        clock: Clock = system_clock,
        patience: float = WAIT_SECONDS,
        make: bool = True,
    ) -> Self:
        """Connect, and check that the schema is of this version; an empty database is given one, if that is asked for.

        Args:
            url: of the database.
            size: connections at most.
            clock: dates kept texts.
            patience: seconds that somebody waits for a connection.
            make: whether an empty database is given a schema; otherwise it is left as it is.

        Raises:
            StoreError: it cannot be reached, or its schema is older or newer, or there is none.
        """
        return cls(await Database.open(url, size=size, patience=patience, make=make), clock)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._turns.close()
        await super().close()
