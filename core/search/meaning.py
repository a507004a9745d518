"""EDGE. What of the library is known by meaning: a model and the vectors that it made, which belong together.

Opened with the first search that can use it; whoever does without pays nothing, and whoever needs the vectors alone
(`look`) does not open the model. While a changed model makes its vectors
(`embedding.py`), those of the old one serve, as long as that model is still on this machine.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from core.errors import LibraryError, ModelError, PaperboyError
from core.papers.schema import connect, explained
from core.search.model import Model, Models, Sleeper
from core.search.postings import read_identity

if TYPE_CHECKING:
    from core.search.matrix import Matrix, Vectors
    from core.search.vectors import VectorFile

log = logging.getLogger(__name__)

THREADS = 2
"""Of the model for queries: as quick as one for a few words, and a tenth quicker for a whole claim."""
MOSTLY = 0.9
MANY = 2_000
"""Fewer papers that are not read yet are a day's new ones, of which nothing is said."""
NO_MODEL = "the model that finds meaning is not here yet"
NO_VECTORS = "the papers have not been read for meaning yet"


class Known:
    """A model with its vectors in memory; it is opened with the first text, or with `Meaning.open`."""

    def __init__(self, embedder: Sleeper, file: VectorFile, matrix: Matrix) -> None:
        self.embedder = embedder
        self.file = file
        self.matrix = matrix
        self._place = 0
        self._following = Lock()
        self._subjects: Vectors | None = None

    @cached_property
    def name(self) -> bytes:
        """A key that tells this model's reading of this library from any other."""
        told = f"{self.embedder.description} {self.file.fact('library')!r}"
        return hashlib.sha256(told.encode()).digest()

    @property
    def subjects(self) -> Vectors:
        """The vectors of two dozen subjects of all sciences, shape (m, dimensions); see `nearness.py`."""
        if self._subjects is None:
            self._subjects = self._read_subjects()
        return self._subjects

    def _read_subjects(self) -> Vectors:
        import numpy as np  # noqa: PLC0415 - see the module

        from core.search.embedding import CENTRE_TEXTS  # noqa: PLC0415 - it loads what only a writer needs

        kept = self.file.fact("subjects")
        found = np.frombuffer(kept if isinstance(kept, bytes) else b"", np.float32)
        if len(found) == len(CENTRE_TEXTS) * self.embedder.dimensions:
            return found.reshape(len(CENTRE_TEXTS), -1)
        return self.embedder.embed_papers(CENTRE_TEXTS)  # the file was made before they were kept in it

    @property
    def is_whole(self) -> bool:
        """Whether these vectors once held every paper."""
        return self.file.is_whole

    def half_read(self, newest_change: int) -> tuple[str, ...]:
        """Say how much of the library is read for meaning, as long as much of it is not; its newest change is given."""
        read = len(self.matrix)
        if read >= MOSTLY * newest_change:
            return ()
        left = newest_change - self.file.upto
        share = read / max(read + left, 1)
        if left < MANY or share >= MOSTLY:
            return ()
        return (f"{share:.0%} of the library is read for meaning so far; the rest is found by its words.",)

    def follow(self) -> None:
        """Take in what was embedded since the last look."""
        if not self._following.acquire(blocking=False):
            return  # another search is at it
        try:
            if self.file.count_blocks() > self._place:
                for block in self.file.blocks_after(self._place):
                    self.matrix.put(block.numbers, block.packed)
                    self._place = block.place
        finally:
            self._following.release()


class Meaning:
    """The way to what is known by meaning, from any thread.

    Args:
        library: the library's file; the vectors lie beside it.
        models: the models of this machine.
    """

    def __init__(self, library: Path, models: Models) -> None:
        self.folder = library.parent
        self._library = library
        self._models = models
        self._known: Known | None = None
        self._lock = Lock()
        self._broken: dict[str, str] = {}
        self.missing = ""

    def look(self) -> Known | None:
        """Return the vectors, up to date, of a model that may not be opened yet; None where nothing is known."""
        known = self._look()
        if known is not None:
            follow(known)
        return known

    def _look(self) -> Known | None:
        known = self._known
        if known is None:
            with self._lock:
                known = self._known = self._known or self._choose()
        return known

    def open(self, *, up_to_date: bool = True) -> Known | None:
        """Return what is known, its model open; None where nothing is, and then `missing` says why.

        Args:
            up_to_date: take in what was embedded since the last look; `follow` does it later.
        """
        known = self.look() if up_to_date else self._look()
        if known is None or self._is_sound(known):
            return known
        with self._lock:
            known = self._known = self._choose(woken=True)
        return known

    def _is_sound(self, known: Known) -> bool:
        try:
            known.embedder.wake()
        except ModelError as error:
            self._note(known.embedder.key, error)
            return False
        return True

    def renew(self) -> None:
        """Look again which vectors serve best, as when a changed model has finished; searches go on meanwhile."""
        with self._lock:
            found = self._choose(woken=True)
            if found is not None:
                found.follow()
                self._known = found

    def forget(self) -> None:
        """Let go of vectors whose file gave way to another; the next search opens what is there then."""
        with self._lock:
            self._known = None

    def _choose(self, *, woken: bool = False) -> Known | None:
        wanted = self._models.wanted()
        # Without vectors there is nothing to open, and nothing to load for it.
        known = self._open_best(wanted, woken=woken) if any(self.folder.glob("vectors-*")) else None
        self.missing = "" if known else self._broken_words(wanted) or (NO_VECTORS if wanted else NO_MODEL)
        return known

    def _broken_words(self, wanted: Model | None) -> str:
        return self._broken.get(wanted.key, "") if wanted else ""

    def _open_best(self, wanted: Model | None, *, woken: bool) -> Known | None:
        """Open the wanted model's vectors, or those of a former one while the wanted one's are not complete."""
        partial: Known | None = None
        for model, path in self._candidates(wanted):
            known = self._open(model, path)
            if known is not None and woken and not self._is_sound(known):
                continue
            if known is not None and known.is_whole:
                return known
            partial = partial or known
        return partial

    def _candidates(self, wanted: Model | None) -> list[tuple[Model, Path]]:
        """Return the files that can serve, the wanted model's first; those of another library would name its papers."""
        from core.search.vectors import VectorFile, vector_path, vector_paths  # noqa: PLC0415 - see the module

        first = vector_path(self.folder, wanted.key) if wanted else None
        found: list[tuple[Model, Path]] = []
        identity = self._identify()
        for path in sorted(vector_paths(self.folder), key=lambda path: path != first):
            try:
                with closing(VectorFile.open(path)) as file:
                    of, description = file.fact("library"), str(file.fact("model"))
            except LibraryError as error:
                if wanted is not None and path == first:
                    self._note(wanted.key, error)
                else:
                    log.warning("%s", error)
                continue
            model = wanted if path == first else self._models.known(description)
            if model is not None and of == identity:
                found.append((model, path))
        return found

    def _identify(self) -> str | None:
        with explained(self._library), closing(connect(self._library, read_only=True)) as library:
            return read_identity(library)

    def _open(self, model: Model, path: Path) -> Known | None:
        if self._known is not None and self._known.file.path == path and self._known.embedder.key == model.key:
            return self._known
        try:
            return open_known(model, path)
        except LibraryError as error:
            self._note(model.key, error)
            return None

    def _note(self, key: str, error: PaperboyError) -> None:
        if key not in self._broken:
            log.warning("search goes on by words: %s", error)
        self._broken[key] = "the model or its vectors are damaged"


def follow(known: Known) -> None:
    """Take in what was embedded since the last look; where that cannot be read, what is there serves on."""
    try:
        known.follow()
    except LibraryError as error:
        log.warning("the vectors are not followed: %s", error)


def open_known(model: Model, path: Path) -> Known:
    """Open the vectors of a model.

    Raises:
        LibraryError: they cannot be used.
    """
    import numpy as np  # noqa: PLC0415 - see the module

    from core.search.matrix import Matrix  # noqa: PLC0415
    from core.search.vectors import VectorFile  # noqa: PLC0415

    file = VectorFile.open(path)
    try:
        centre = file.fact("centre")
        middle = np.frombuffer(centre if isinstance(centre, bytes) else b"", np.float32)
        known = Known(Sleeper(model, threads=THREADS), file, Matrix(middle))
        known.follow()
    except ValueError as error:
        file.close()
        raise LibraryError(f"{path} is broken ({error}).") from error
    except BaseException:
        file.close()
        raise
    return known
