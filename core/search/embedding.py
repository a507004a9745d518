"""EDGE. The vectors follow the library: whatever is new or changed is embedded, in the order of its change log.

Only the owner of the data folder does it: a command in a thread (`Reader`), the service in a process of its own
(`apart.py`). A stop, even a kill, costs the papers of one block at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from core.papers.library import Library, newest_change
from core.papers.schema import connect, explained
from core.search.model import THREADS, Embedder, Model, Models, paper_text
from core.search.postings import IDENTITY, follow_library, postings_path

if TYPE_CHECKING:
    from core.search.vectors import Digests, VectorFile

log = logging.getLogger(__name__)

BLOCK = 64  # papers that are read, embedded and kept together: about a second
CENTRE_TEXTS = (
    "artificial intelligence",
    "computation and language",
    "computer vision and pattern recognition",
    "machine learning",
    "robotics",
    "cryptography and security",
    "data structures and algorithms",
    "distributed computing",
    "human-computer interaction",
    "software engineering",
    "statistics theory",
    "probability",
    "optimization and control",
    "number theory",
    "algebraic geometry",
    "quantum physics",
    "condensed matter",
    "high energy physics",
    "astrophysics of galaxies",
    "fluid dynamics",
    "neurons and cognition",
    "genomics",
    "biomolecules",
    "economics",
)
"""The mean of what a model makes of these is its centre (see `matrix.py`): the same for every library."""

_Row: TypeAlias = tuple[int, int, str, str]  # change, number, title, abstract
Progress: TypeAlias = Callable[[int, int], None]
"""Told how many papers of how many are done."""


class Reader:
    """Reads the library for meaning.

    Args:
        library: opened by the owner of the folder.
        models: the models of this machine.
    """

    def __init__(self, library: Library, models: Models) -> None:
        self._library = library
        self._models = models
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._stopped = threading.Event()

    async def close(self) -> None:
        """Stop after the papers at hand."""
        self._stopped.set()
        await asyncio.to_thread(self._executor.shutdown)

    async def list_words(self) -> int:
        """Bring the quick word lists up to date; return how many papers were put in.

        Raises:
            LibraryError: the library cannot be read, or the lists cannot be written.
        """
        path = postings_path(self._library.path.parent, await identify(self._library))
        return await self._work(
            lambda library: follow_library(library, path, stopped=self._stopped.is_set, progress=lambda *_: None)
        )

    async def read_missing(self, progress: Progress = lambda *_: None) -> int:
        """Embed every paper that is new or changed; return how many were. `progress` is told from another thread.

        Raises:
            ModelError: the model cannot be used.
            LibraryError: the library cannot be read, or the vectors cannot be written.
        """
        model = self._models.wanted()
        if model is None:
            return 0
        identity, folder, stopped = await identify(self._library), self._library.path.parent, self._stopped.is_set
        return await self._work(
            lambda library: read_for_meaning(
                model, library, folder, identity, threads=THREADS, stopped=stopped, progress=progress
            )
        )

    async def _work(self, work: Callable[[sqlite3.Connection], int]) -> int:
        """Do something with a view of the library, in the reader's thread."""

        def run() -> int:
            path = self._library.path
            with explained(path), closing(connect(path, read_only=True)) as library:
                return work(library)

        return await asyncio.get_running_loop().run_in_executor(self._executor, run)


async def identify(library: Library) -> str:
    """Return what tells this library from any other; it is given once."""
    identity = await library.fact(IDENTITY)
    if identity is None:
        identity = secrets.token_hex(8)
        await library.set_fact(IDENTITY, identity)
    return identity


def read_for_meaning(
    model: Model,
    library: sqlite3.Connection,
    folder: Path,
    identity: str,
    *,
    threads: int,
    stopped: Callable[[], bool] = lambda: False,
    progress: Progress = lambda *_: None,
) -> int:
    """Embed every paper that is new or changed; return how many were.

    Args:
        model: makes the vectors.
        library: where the papers are.
        folder: where the vectors lie.
        identity: the library's.
        threads: of the model's runtime.
        stopped: asked before each block; what is done is kept.
        progress: told after each block.

    Raises:
        ModelError: the model cannot be used.
        LibraryError: the library cannot be read, or the vectors cannot be written.
    """
    return _Reading(model, library, folder, threads).run(identity, stopped, progress)


class _Reading:
    """One run over what is missing; the model is opened when the first paper needs it, and let go at the end."""

    def __init__(self, model: Model, library: sqlite3.Connection, folder: Path, threads: int) -> None:
        self._model = model
        self._library = library
        self._folder = folder
        self._threads = threads
        self._embedder: Embedder | None = None

    def run(self, identity: str, stopped: Callable[[], bool], progress: Progress) -> int:
        from core.search.vectors import VectorFile, vector_path  # noqa: PLC0415 - loads numpy

        path = vector_path(self._folder, self._model.key)
        with closing(VectorFile.make(path, identity, self._describe)) as file:
            if file.upto > newest_change(self._library):  # the library was replaced by an older state of itself
                file.clear()
            done = embedded = 0
            known: Digests | None = None
            left = self._count_after(file.upto)
            while rows := self._rows_after(file.upto):
                if stopped():
                    return embedded
                known = file.digests() if known is None else known
                embedded += self._keep(file, rows, known)
                done += len(rows)
                progress(done, max(left, done))
            if not file.is_whole:
                file.mark_whole()
        self._remove_others(path)
        return embedded

    def _keep(self, file: VectorFile, rows: Sequence[_Row], known: Digests) -> int:
        import numpy as np  # noqa: PLC0415 - see the module

        from core.search.matrix import pack  # noqa: PLC0415
        from core.search.vectors import Block  # noqa: PLC0415

        digests = {number: _digest(title, abstract) for _, number, title, abstract in rows}
        wanted = [row for row in rows if known.get(row[1]) != digests[row[1]]]
        embedder = self._open()
        texts = [paper_text(title, abstract) for _, _, title, abstract in wanted]
        vectors = embedder.embed_papers(texts) if texts else np.zeros((0, embedder.dimensions), np.float32)
        centre = file.fact("centre")
        assert isinstance(centre, bytes)
        numbers = [number for _, number, _, _ in wanted]
        block = Block(
            np.array(numbers, np.int64),
            np.array([digests[number] for number in numbers], np.int64),
            pack(vectors, np.frombuffer(centre, np.float32)),
        )
        file.append(block, upto=rows[-1][0])
        known.update(digests)
        return len(wanted)

    def _open(self) -> Embedder:
        if self._embedder is None:
            self._embedder = self._model.open(threads=self._threads)
        return self._embedder

    def _describe(self) -> dict[str, str | bytes]:
        import numpy as np  # noqa: PLC0415 - see the module

        subjects = np.asarray(self._open().embed_papers(CENTRE_TEXTS), np.float32)
        centre = np.asarray(subjects.mean(axis=0), np.float32)
        return {"model": self._model.description, "centre": centre.tobytes(), "subjects": subjects.tobytes()}

    def _count_after(self, change: int) -> int:
        (count,) = self._library.execute("SELECT count(*) FROM papers WHERE change > ?", (change,)).fetchone()
        return int(count)

    def _rows_after(self, change: int) -> Sequence[_Row]:
        query = "SELECT change, number, title, abstract FROM papers WHERE change > ? ORDER BY change LIMIT ?"
        return self._library.execute(query, (change, BLOCK)).fetchall()

    def _remove_others(self, path: Path) -> None:
        """Remove the vectors of former models, now that the wanted one's are complete."""
        from core.search.vectors import remove_vectors, vector_paths  # noqa: PLC0415 - loads numpy

        for other in vector_paths(self._folder):
            if other != path:
                remove_vectors(other)
                log.info("removed %s: a newer model's vectors are complete", other.name)


def _digest(title: str, abstract: str) -> int:
    content = hashlib.blake2b(paper_text(title, abstract).encode(), digest_size=8).digest()
    return int.from_bytes(content, "little", signed=True)
