"""EDGE. Vectors that are made once for all machines: what one reads for meaning goes to the others through PostgreSQL.

Each machine keeps its own file of vectors (`vectors.py`), to which the blocks of others are added as they come. Whoever
holds the lock reads what is missing, the others take what it made; when it dies, the next one goes on behind what was
shared. A block that reaches the database twice, or that two machines made, costs a little room and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from core.database import hold
from core.errors import LibraryError, PaperboyError, StoreError
from core.papers.library import Library, newest_change
from core.papers.shared_line import Line
from core.papers.shared_rows import Shared
from core.search.model import Models
from core.search.postings import IDENTITY

if TYPE_CHECKING:
    from core.search.vectors import Block, VectorFile

log = logging.getLogger(__name__)

READING = "reads papers for meaning"
"""Name of the lock."""
SHARE_EVERY = 5.0  # seconds between two looks at what was read here
AT_ONCE = 100  # blocks
_IN_ORDER = "BEGIN; SELECT pg_advisory_xact_lock(7016570661)"  # so that blocks show in the order of their numbers
TAKEN, UPTO = "shared to", "shared upto"
"""Facts of a file: the number of the last block that came from others, and how far what is shared goes."""

# A row that holds no vectors says how far of the library's change log all rows before it go; the others say 0.
_BLOCKS = (
    "SELECT place, upto, numbers, digests, rows, scales, offsets FROM library_vectors"
    " WHERE key = %s AND place > %s ORDER BY place LIMIT %s"
)
_SHARE = (
    "INSERT INTO library_vectors (key, upto, numbers, digests, rows, scales, offsets)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING place"
)
_DESCRIBED = "SELECT model, centre, subjects FROM library_models WHERE key = %s"
_IS_WHOLE = "SELECT 1 FROM library_models WHERE key = %s AND whole_at IS NOT NULL"
_NEWEST_MODEL = "SELECT key FROM library_models ORDER BY whole_at DESC NULLS LAST, key LIMIT 1"
_DESCRIBE = (
    "INSERT INTO library_models (key, model, centre, subjects) VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO NOTHING"
)
_WHOLE = "UPDATE library_models SET whole_at = now() WHERE key = %s AND whole_at IS NULL"
# A machine of an earlier version may need those of its model for a while.
_FORGET = (
    "DELETE FROM library_models WHERE key <> %s AND EXISTS"
    " (SELECT 1 FROM library_models WHERE key = %s AND whole_at < now() - interval '7 days')"
)


class SharedVectors:
    """What is known by meaning, shared by all machines.

    Attributes:
        settled: whether at the last look every paper of the library had its vector here.
        remade: how often the file of vectors gave way to another.

    Args:
        library: this machine's replica.
        line: to the database; used for this alone.
        models: of this machine; without any, it takes what others make.
    """

    def __init__(self, library: Library, line: Line, models: Models) -> None:
        self._library = library
        self._line = line
        self._models = models
        self.settled = False
        self.remade = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Take what others read; yields whether the body is to read what is missing.

        What it reads goes to the others meanwhile. Where another machine reads, or nothing is missing, it is not to.

        Raises:
            LibraryError: the database or the file of vectors cannot be used, or the lock was lost.
        """
        try:
            await self.exchange()
            if self.settled or self._models.wanted() is None:
                yield False
                return
            async with hold(self._line.url, READING) as mine:
                if not mine:
                    yield False
                    return
                await self.exchange()  # another may have been at it until now
                async with self._sharing():
                    yield True
                await self.exchange()
        except StoreError as error:
            raise LibraryError(str(error)) from error

    @asynccontextmanager
    async def _sharing(self) -> AsyncIterator[None]:
        async def share() -> None:
            while True:
                await asyncio.sleep(SHARE_EVERY)
                try:
                    await self.exchange()
                except PaperboyError as error:
                    log.debug("vectors wait to be shared: %s", error)

        sharing = asyncio.create_task(share())
        try:
            yield
        finally:
            sharing.cancel()
            await asyncio.gather(sharing, return_exceptions=True)

    async def exchange(self) -> None:
        """Take what others made since, and give what was made here.

        Raises:
            LibraryError: the file of vectors cannot be used.
            StoreError: the database cannot be reached.
        """
        identity = await self._library.fact(IDENTITY)
        newest = await self._library.read(newest_change)
        self.settled = newest == 0
        if identity is not None and newest:
            await asyncio.to_thread(self._exchange, identity, newest)

    def _exchange(self, identity: str, newest: int) -> None:
        model = self._models.wanted()
        try:
            with self._line.asking() as shared:
                key = model.key if model else _newest_model(shared)
                file = self._open(shared, key, identity) if key else None
            if key and file is not None:
                with closing(file):
                    self._give_and_take(file, key, newest)
                    self.settled = file.upto >= newest
        finally:
            self._line.close()

    def _open(self, shared: Shared, key: str, identity: str) -> VectorFile | None:
        """Open the file of vectors; one that was made with another centre gives way to what all share."""
        from core.search.vectors import VectorFile, remove_vectors, vector_path  # noqa: PLC0415 - loads numpy

        path = vector_path(self._library.path.parent, key)
        if (own := _describe_own(path, identity)) is not None:
            shared.execute(_DESCRIBE, (key, *own.values()))
        row = shared.execute(_DESCRIBED, (key,)).fetchone()
        if row is None:
            return None  # nobody has read anything yet
        known = dict(zip(("model", "centre", "subjects"), row, strict=True))
        if own is not None and own["centre"] != known["centre"]:
            remove_vectors(path)
            self.remade += 1
        file = VectorFile.make(path, identity, lambda: known)
        file.prepare_sharing()
        return file

    def _give_and_take(self, file: VectorFile, key: str, newest: int) -> None:
        with self._line.asking() as shared:
            caught_up = self._take(shared, file, key, newest)
        while caught_up:
            upto = file.upto  # before the blocks: all that it means is in them
            blocks = file.unshared(AT_ONCE)
            if not blocks and upto <= _number(file.fact(UPTO)):
                break
            with self._line.transaction(_IN_ORDER) as shared:
                caught_up = self._take(shared, file, key, newest)
                if caught_up:
                    self._give(shared, file, key, blocks, upto=upto if len(blocks) < AT_ONCE else 0)
        with self._line.asking() as shared:
            _note_whole(shared, file, key, newest)

    def _give(self, shared: Shared, file: VectorFile, key: str, blocks: Sequence[Block], *, upto: int) -> None:
        """Give blocks to all, inside a transaction that is ended here; and how far they go, if they do."""
        places = {block.place: _insert(shared, key, 0, *block.blobs()) for block in blocks}
        facts = {TAKEN: max(places.values(), default=0)}
        if upto:
            facts = {TAKEN: _insert(shared, key, upto, *(b"",) * 5), UPTO: upto}
        shared.execute("COMMIT")
        file.mark_shared(places, facts)

    def _take(self, shared: Shared, file: VectorFile, key: str, newest: int) -> bool:
        """Add what others made, as far as this machine has the papers; returns whether that was all."""
        from core.search.vectors import make_block  # noqa: PLC0415 - loads numpy

        while rows := shared.execute(_BLOCKS, (key, _number(file.fact(TAKEN)), AT_ONCE)).fetchall():
            for place, upto, *blobs in rows:
                if upto > newest:
                    return False
                if upto:
                    file.mark_shared({}, {TAKEN: place, UPTO: upto, "upto": max(upto, file.upto)})
                else:
                    file.append(make_block(0, *blobs), upto=file.upto, shared=place)
                    file.mark_shared({}, {TAKEN: place})
            self._line.renew()
        return True


def _newest_model(shared: Shared) -> str | None:
    row = shared.execute(_NEWEST_MODEL).fetchone()
    return str(row[0]) if row else None


def _describe_own(path: Path, identity: str) -> dict[str, str | bytes] | None:
    """Return what a file of vectors says of itself; None where there is none of this library."""
    from core.search.vectors import VectorFile  # noqa: PLC0415 - loads numpy

    if not path.exists():
        return None
    try:
        with closing(VectorFile.open(path)) as file:
            if file.fact("library") != identity:
                return None
            found = {name: file.fact(name) or b"" for name in ("model", "centre", "subjects")}
    except LibraryError:
        return None  # it is made anew
    return {name: value for name, value in found.items() if not isinstance(value, int)}


def _insert(shared: Shared, key: str, upto: int, *blobs: bytes) -> int:
    row = shared.execute(_SHARE, (key, upto, *blobs)).fetchone()
    assert row is not None
    return int(row[0])


def _note_whole(shared: Shared, file: VectorFile, key: str, newest: int) -> None:
    if file.is_whole:
        shared.execute(_WHOLE, (key,))
        shared.execute(_FORGET, (key, key))
    elif file.upto >= newest and shared.execute(_IS_WHOLE, (key,)).fetchone():
        file.mark_whole()


def _number(fact: str | bytes | int | None) -> int:
    return fact if isinstance(fact, int) else 0
