"""EDGE. Asking outside when the library knows too little; only where the setting allows it.

Hugging Face's paper search and arXiv's query API get the plain words of the query, through the one client and its
lanes, so that their limits hold. What they bring is kept in the library, on no day's list. The same words are not sent
again within an hour.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.clock import Clock
from core.errors import SourceError
from core.papers.ingest import Retriever
from core.papers.library import Library
from core.papers.paper import Record
from core.papers.sources import SOURCES, Find, Get, Lookup, Source
from core.papers.tokens import token_key

log = logging.getLogger(__name__)

WITHIN = 2.5  # seconds for everybody together
REMEMBERED = timedelta(hours=1)
MOST_REMEMBERED = 500
LIMIT = 20
ASKED = ("huggingface", "arxiv")


@dataclass(frozen=True, slots=True)
class Brought:
    """What came from outside.

    Attributes:
        papers: ids, each source's best first.
        asked: labels of the sources that the words went to.
        failures: one clause each for those that did not answer, as "arXiv did not answer within 2.5 s".
    """

    papers: tuple[str, ...]
    asked: tuple[str, ...]
    failures: tuple[str, ...]


class Outside:
    """Asks the sources that can search.

    Args:
        sources: those that are switched on.
        http: the client, shared with fetching so that nobody is asked too often.
        library: opened for writing.
        clock: the time.
        within: seconds for everybody together.
    """

    def __init__(
        self, sources: Sequence[Source], http: Retriever, library: Library, clock: Clock, *, within: float = WITHIN
    ) -> None:
        self._sources = [source for source in sources if source.name in ASKED]
        self._http = http
        self._library = library
        self._clock = clock
        self._within = within
        self._remembered: dict[str, tuple[datetime, Brought]] = {}

    async def ask(self, text: str, *, paper: str = "") -> Brought:
        """Ask for the best papers for some words, or for one paper by its id; failures are told, never raised.

        Raises:
            LibraryError: what came cannot be kept.
        """
        key, now = paper or token_key(text), self._clock()
        at, known = self._remembered.get(key, (now, None))
        if known is not None and now - at < REMEMBERED:
            return known
        brought = await self._ask(Lookup((paper,)) if paper else Find(text, LIMIT))
        if not brought.failures:
            while len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
            self._remembered[key] = (now, brought)
        return brought

    async def _ask(self, wanted: Find | Lookup) -> Brought:
        tasks = {
            asyncio.create_task(self._get(source, get)): SOURCES[source.name].label
            for source in self._sources
            for get in source.ask(wanted)
        }
        if not tasks:
            return Brought((), (), ())
        done, late = await asyncio.wait(tasks, timeout=self._within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        records: list[Record] = []
        failures = [f"{tasks[task]} did not answer within {self._within:g} s" for task in late]
        for task in sorted(done, key=lambda task: tasks[task], reverse=True):
            found = task.result()
            if isinstance(found, SourceError):
                failures.append(f"{tasks[task]} {found.reason}")
            else:
                records += found
        if records:
            await self._library.ingest(records, now=self._clock())
        papers = tuple(dict.fromkeys(record.id for record in records))
        return Brought(papers, tuple(dict.fromkeys(tasks.values())), tuple(dict.fromkeys(failures)))

    async def _get(self, source: Source, get: Get) -> list[Record] | SourceError:
        """Ask one; its records are on no list, since nobody announced them today."""
        try:
            answer = await self._http.get(replace(get, deadline=self._within))
            page = await asyncio.to_thread(source.parse, get, answer.body, now=self._clock())
        except SourceError as error:
            return error
        except Exception:  # a body nobody foresaw costs this answer; the log has it whole
            log.exception("%s: an answer cannot be read", source.name)  # not to what: those are somebody's words
            return SourceError(source.name, "has sent something that paperboy cannot read")
        return [replace(record, listings=()) for record in page.records]
