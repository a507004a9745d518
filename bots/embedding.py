"""Keeping what is known by meaning up with the library, beside the running service."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

from bots.house import House
from core.errors import LibraryError, PaperboyError
from core.papers.library import newest_change
from core.search.embedding import identify
from core.search.meaning import open_known
from core.search.model import Model
from core.search.obtain import find_model, obtain_model
from core.search.postings import IDENTITY

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds between two looks at the library's change log
LONGEST_PAUSE = 300.0  # seconds, where it fails again and again
TRY_AGAIN = timedelta(hours=1)
PROBLEM = "model problem"
"""Name of the library's fact that says why the model could not be had the last time."""


class Keeper:
    """The service's: gets the model, reads new papers for meaning; delays nothing and nobody."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._reader = house.reader_apart()
        self._read: tuple[int, str] | None = None  # up to which change, by which model
        self._renewals = 0
        self._pause = LOOK_EVERY
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Follow the library until cancelled."""
        getting = asyncio.create_task(self._get_model())
        try:
            await self._open()
            while True:
                self._wake.clear()
                await self._follow()
                with suppress(TimeoutError):
                    # `wait_for` may lose a cancellation that comes with the wake: python/cpython#86296.
                    async with asyncio.timeout(self._pause):
                        await self._wake.wait()
        finally:
            getting.cancel()
            await asyncio.gather(getting, return_exceptions=True)

    async def _open(self) -> None:
        """Open model and vectors before anybody searches."""
        if self._house.meaning is not None:
            await asyncio.to_thread(self._house.meaning.open)

    async def _get_model(self) -> None:
        """Get the model, however often that takes."""
        while self._house.settings.model.enabled:
            try:
                await obtain_model(self._house.settings)
                await note_problem(self._house, "")
                break
            except PaperboyError as error:
                log.warning("%s Search goes on by words; next try in an hour.", error)
                with suppress(PaperboyError):
                    await note_problem(self._house, str(error))
            await asyncio.sleep(TRY_AGAIN.total_seconds())
        self._wake.set()

    async def _follow(self) -> None:
        try:
            # The model is looked up before the reading, so that one that comes meanwhile is seen at the next look.
            model = find_model(self._house.settings)
            state = (await self._house.library.read(newest_change), model.key if model else "")
            if state == self._read and self._house.has_all_vectors():
                return
            await identify(self._house.library)  # others' vectors are taken for a library that is known by it
            async with self._house.turn_to_read() as mine:
                read = await self._reader.read_missing(by_meaning=mine) if mine or state != self._read else 0
            await self._renew()
            self._read = state
        except PaperboyError as error:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            log.warning("search goes on with what it knows: %s Next try in %.0f s.", error, self._pause)
            return
        self._pause = LOOK_EVERY
        if read:
            log.info("%s papers were read for meaning", f"{read:,}")

    async def _renew(self) -> None:
        """Let searches see what is there now."""
        meaning, renewals = self._house.meaning, self._house.renewals()
        if meaning is None:
            return
        if renewals != self._renewals:
            meaning.forget()
            self._renewals = renewals
        await asyncio.to_thread(meaning.renew)


async def note_problem(house: House, problem: str) -> None:
    """Remember why the model could not be had, for the doctor; empty when it could."""
    if (await house.library.fact(PROBLEM) or "") != problem:
        await house.library.set_fact(PROBLEM, problem)


def check_vectors(folder: Path, model: Model) -> None:
    """Open the vectors of a model as a search does, where there are any.

    Raises:
        LibraryError: they cannot be used.
    """
    from core.search.vectors import vector_path  # noqa: PLC0415 - loads numpy

    path = vector_path(folder, model.key)
    if path.exists():
        open_known(model, path).file.close()


async def count_read(house: House) -> tuple[int, int]:
    """Return how many papers are read for meaning, and how many there are; the same number twice without a model."""
    papers = await house.library.count()
    model = find_model(house.settings)
    if model is None:
        return papers, papers
    from core.search.vectors import VectorFile, vector_path  # noqa: PLC0415 - loads numpy

    try:
        with closing(VectorFile.open(vector_path(house.library.path.parent, model.key))) as file:
            upto = file.upto if file.fact("library") == await house.library.fact(IDENTITY) else 0
    except LibraryError:
        return 0, papers
    query = "SELECT count(*) FROM papers WHERE change > ? AND NOT withdrawn"
    (left,) = await house.library.read(lambda connection: connection.execute(query, (upto,)).fetchone())
    return papers - int(left), papers
