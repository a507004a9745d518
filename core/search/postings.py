"""EDGE. A second word index that finds the best few of many at once: Tantivy's, beside the library.

SQLite's index looks at every paper that holds any of the words, which takes ten times a query's embedding at 100,000
papers. This one skips those that cannot come among the best (Ding and Suel, "Faster top-k document retrieval using
block-max indexes", https://doi.org/10.1145/2009916.2010048). It holds the same stems, and ranks by the same BM25 with
the title counted twice, so that either may answer. It can be lost and made again; a query that it cannot answer, or
papers that it does not hold yet, are SQLite's.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from core.errors import LibraryError
from core.papers.library import newest_change
from core.papers.tokens import RULES, tokens
from core.search.stems import stem

log = logging.getLogger(__name__)

PREFIX = "postings-"
LAYOUT = "1"
IDENTITY = "identity"
"""Name of the library's fact that tells it from any other."""
COMMIT_EVERY = 4_000  # papers
HEAP = 32 * 2**20  # bytes; Tantivy wants 15 MB a thread at least
HEAP_LEAST = 15_000_000
_ROWS = "SELECT change, number, title, abstract, authors FROM papers WHERE change > ? ORDER BY change"


def postings_path(folder: Path, identity: str) -> Path:
    """Return where the index of a library lies; one of another library or made by other rules lies elsewhere."""
    rules = hashlib.sha256(f"{LAYOUT} {RULES} {identity}".encode()).hexdigest()[:12]
    return folder / f"{PREFIX}{rules}"


def read_identity(library: sqlite3.Connection) -> str | None:
    """Return what tells this library from any other, None as long as nothing was derived from it."""
    row = library.execute("SELECT value FROM facts WHERE name = ?", (IDENTITY,)).fetchone()
    return str(row[0]) if row else None


@dataclass(frozen=True, slots=True)
class _State:
    """What one state of the index holds: up to which change, and up to which paper's number."""

    searcher: Any
    stamp: int
    change: int
    number: int


class Postings:
    """The index, opened for searching; follows what another thread or process writes.

    Raises:
        LibraryError: there is none, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index = _open(path)
        self._lock = Lock()
        with _explained(path):
            self._state = self._look(_stamp(path))

    @property
    def change(self) -> int:
        """The place of the library's change log up to which it holds everything."""
        return self._state.change

    @property
    def number(self) -> int:
        """The highest number of a paper that it holds."""
        return self._state.number

    def follow(self) -> None:
        """Take in what was written since the last look.

        Raises:
            LibraryError: the index is gone or broken.
        """
        stamp = _stamp(self._path)
        if stamp == self._state.stamp:
            return
        with self._lock, _explained(self._path):
            self._index.reload()
            self._state = self._look(stamp)

    def _look(self, stamp: int) -> _State:
        searcher = self._index.searcher()
        return _State(searcher, stamp, _highest(searcher, "change"), _highest(searcher, "number"))

    def rank(self, words: Sequence[str], depth: int) -> dict[int, float]:
        """Return the BM25 of the best `depth` papers for some tokens, by number, best first."""
        return self._search(self._any_of(words), depth)

    def score(self, words: Sequence[str], numbers: Sequence[int]) -> dict[int, float]:
        """Return the BM25 of some papers, of those that hold any of the tokens."""
        import tantivy  # noqa: PLC0415 - whoever does without need not load it

        if not numbers:
            return {}
        # One look-up a number; a set of terms is an automaton over all of them, which takes three times as long.
        schema = self._index.schema
        one_each = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "number", number, index_option="basic"))
            for number in numbers
        ]
        these = tantivy.Query.const_score_query(tantivy.Query.boolean_query(one_each), 0.0)
        both = [(tantivy.Occur.Must, self._any_of(words)), (tantivy.Occur.Must, these)]
        return self._search(tantivy.Query.boolean_query(both), len(numbers))

    def _any_of(self, words: Sequence[str]) -> Any:
        import tantivy  # noqa: PLC0415 - as above

        parts = []
        for term, count in Counter(stem(word) for word in words).items():
            query = tantivy.Query.term_query(self._index.schema, "text", term, index_option="freq")
            parts.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, float(count)) if count > 1 else query))
        return tantivy.Query.boolean_query(parts)

    def _search(self, query: Any, depth: int) -> dict[int, float]:
        searcher = self._state.searcher
        with _explained(self._path):
            hits = searcher.search(query, depth, count=False).hits
            numbers = searcher.fast_field_values("number", [address for _, address in hits])
        return {number: score for number, (score, _) in zip(numbers, hits, strict=True)}

    def frequencies(self, words: Sequence[str]) -> tuple[list[int], int]:
        """Return in how many papers each token stands, and how many papers there are."""
        searcher = self._state.searcher
        with _explained(self._path):
            return [searcher.doc_freq("text", stem(word)) for word in words], int(searcher.num_docs)


def follow_library(
    library: sqlite3.Connection, path: Path, *, stopped: Callable[[], bool], progress: Callable[[int, int], None]
) -> int:
    """Bring the index of a library up to date; return how many papers were put in. Only one process may do it.

    Raises:
        LibraryError: the index cannot be written.
    """
    try:
        with _explained(path):
            return _follow(library, path, stopped, progress)
    except LibraryError as error:
        log.warning("%s They are made again.", error)
        shutil.rmtree(path, ignore_errors=True)
    with _explained(path):
        return _follow(library, path, stopped, progress)


def _follow(
    library: sqlite3.Connection, path: Path, stopped: Callable[[], bool], progress: Callable[[int, int], None]
) -> int:
    newest = newest_change(library)
    index = _open_or_make(path)
    index.reload()
    reached = _highest(index.searcher(), "change")
    if reached > newest:  # the library was replaced by an older state of itself
        del index
        shutil.rmtree(path)
        index, reached = _open_or_make(path), 0
    if reached == newest:
        return 0
    (left,) = library.execute("SELECT count(*) FROM papers WHERE change > ?", (reached,)).fetchone()
    writer = index.writer(HEAP if left > COMMIT_EVERY else HEAP_LEAST, 1)
    done = 0
    for chunk in _chunks(library, reached):
        if stopped():
            break
        _write(writer, chunk, renew=reached > 0)
        done += len(chunk)
        progress(done, max(left, done))
    writer.wait_merging_threads()
    _remove_others(path)
    return done


def _chunks(library: sqlite3.Connection, change: int) -> Iterator[list[tuple[Any, ...]]]:
    while rows := library.execute(f"{_ROWS} LIMIT {COMMIT_EVERY}", (change,)).fetchall():
        yield rows
        change = rows[-1][0]


def _write(writer: Any, rows: Sequence[tuple[Any, ...]], *, renew: bool) -> None:
    import tantivy  # noqa: PLC0415 - as above

    for change, number, title, abstract, authors in rows:
        if renew:
            writer.delete_documents_by_term("number", number)
        names = " ".join(msgspec.json.decode(authors, type=list[str]))
        words = [*tokens(title) * 2, *tokens(abstract), *tokens(names)]
        document = tantivy.Document()
        document.add_unsigned("number", number)
        document.add_unsigned("change", change)
        document.add_text("text", " ".join(map(stem, words)))
        writer.add_document(document)
    writer.commit()


def _remove_others(path: Path) -> None:
    for other in path.parent.glob(f"{PREFIX}*"):
        if other != path:
            shutil.rmtree(other, ignore_errors=True)


def _schema() -> Any:
    import tantivy  # noqa: PLC0415 - as above

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_unsigned_field("change", fast=True)
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _open_or_make(path: Path) -> Any:
    import tantivy  # noqa: PLC0415 - as above

    path.mkdir(parents=True, exist_ok=True)
    return tantivy.Index(_schema(), path=str(path), reuse=True)


def _open(path: Path) -> Any:
    import tantivy  # noqa: PLC0415 - as above

    with _explained(path):
        index = tantivy.Index.open(str(path))
        index.config_reader("manual")
        index.reload()
    return index


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what Tantivy raises into one sentence.

    Raises:
        LibraryError: the index cannot be used.
    """
    try:
        yield
    except BaseException as error:
        # Damaged files make it panic, and a panic is no Exception: https://pyo3.rs/main/function/error-handling
        if isinstance(error, ValueError | OSError) or type(error).__name__ == "PanicException":
            raise LibraryError(f"The word lists in {path} cannot be used ({str(error)[:200]}).") from error
        raise


def _stamp(path: Path) -> int:
    try:
        return (path / "meta.json").stat().st_mtime_ns
    except OSError:
        return 0


def _highest(searcher: Any, field: str) -> int:
    import tantivy  # noqa: PLC0415 - as above

    hits = searcher.search(tantivy.Query.all_query(), 1, count=False, order_by_field=field).hits
    return int(hits[0][0]) if hits else 0


class WordLists:
    """Opens the index of a library's folder once there is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._postings: Postings | None = None

    def open(self, library: sqlite3.Connection) -> Postings | None:
        """Return the index, up to date with what was written; None where there is none that can be read."""
        with self._lock:
            try:
                if self._postings is None:
                    identity = read_identity(library)
                    path = postings_path(self._folder, identity) if identity else None
                    if path is None or not _stamp(path):
                        return None
                    self._postings = Postings(path)
                self._postings.follow()
            except LibraryError as error:
                log.warning("%s", error)
                self._postings = None
            return self._postings
