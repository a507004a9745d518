"""What standing interests are about: read by the model once, and from then on remembered, over restarts too."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from core.errors import ModelError
from core.papers.tokens import tokens
from core.search.hybrid import asked_text
from core.search.interests import Asked
from core.search.kept_interests import Kept, KeptInterests
from core.search.nearness import least_nearness
from core.search.query import Query

if TYPE_CHECKING:
    from core.search.meaning import Known

log = logging.getLogger(__name__)

MUCH_NEW = 1_000
NEW_SHARE = 0.05
"""After so many new papers, and so large a share of them, the nearest are looked for again: they may be others now."""
REMEMBERED = 20_000
"""So many interests are in memory; one takes 1.5 kB."""


class Asking:
    """Knows what interests are about.

    Args:
        kept: where it is kept over restarts.
    """

    def __init__(self, kept: KeptInterests) -> None:
        self._kept = kept
        self._known: dict[bytes, Kept] = {}

    def ask(self, query: Query, known: Known | None) -> Asked | None:
        """Return what an interest is about; None where it has no words, or the model cannot be used.

        For use in a thread.

        Args:
            query: the interest.
            known: what is known by meaning of the papers that it will be compared with.
        """
        text = asked_text(query)
        if known is None or query.named or not tokens(text):
            return None
        name = hashlib.blake2b(text.encode(), digest_size=16, key=known.name).digest()
        found = self._known.get(name) or self._kept.get(name)
        if found is None or _is_old(found.papers, len(known.matrix)):
            try:
                found = _read(text, known, found)
            except ModelError as error:
                log.warning("interests are compared by words alone: %s", error)
                return None
            self._kept.put(name, found)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name] = found
        return Asked(found.vector, found.least, known.embedder.least_cosine)

    def close(self) -> None:
        """Wait until all is kept."""
        self._kept.close()


def _is_old(papers: int, now: int) -> bool:
    return not papers <= now < papers + max(MUCH_NEW, NEW_SHARE * papers)


def _read(text: str, known: Known, before: Kept | None) -> Kept:
    """Read an interest; what the model made of it before is still right."""
    vector = known.embedder.embed_query(text) if before is None else before.vector
    return Kept(vector, least_nearness(vector, known.matrix, known.subjects), len(known.matrix))
