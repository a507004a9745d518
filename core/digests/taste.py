"""What a place's 👍 and 👎 have taught: one voice a person and paper, pooled.

The model is linear, of the family of Fisher's discriminant: its weights point from what everybody announces to what is
liked here,

    weights = (C + r·I)^-1 · (mean of the liked - 0.1 · mean of the disliked)

over a paper's vector of meaning, its words and its categories; C is how the papers of the window vary
(`likeness.py`). Likes count ten times as much as dislikes, because a dislike says little of what else is wanted, and
both are pressed by mistake now and then. Nothing is kept but the marks: the model is made anew for each digest, in
milliseconds, so that a mark shows at once, and one that was taken back is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.digests.likeness import Likeness
    from core.search.matrix import Vectors

DISLIKES_COUNT = 0.1
LIKENESS_TOLD = 0.2
"""From so much likeness on a marked paper is named as a reason: one of a hundred pairs of papers reaches it."""


class Vote(Protocol):
    """A mark as the store keeps it: `up` or `down`; others are no votes."""

    @property
    def person(self) -> str:
        """Address of the person."""

    @property
    def place(self) -> str:
        """Address of the place."""

    @property
    def paper(self) -> str:
        """Id of the paper."""

    @property
    def kind(self) -> str:
        """What is thought of it."""

    @property
    def at(self) -> datetime:
        """When."""


@dataclass(frozen=True, slots=True)
class Taste:
    """What was liked and disliked in a place.

    Attributes:
        liked: ids of papers with more 👍 than 👎, and by how many voices, oldest mark first.
        disliked: the same the other way round.
        own: whether all voices are those of the person whose place it is.
    """

    liked: Mapping[str, int] = field(default_factory=dict)
    disliked: Mapping[str, int] = field(default_factory=dict)
    own: bool = False

    @property
    def taught(self) -> int:
        """How many papers say something."""
        return len(self.liked) + len(self.disliked)


NOTHING = Taste()
VOTES = frozenset({"up", "down"})


def is_vote(mark: Vote) -> bool:
    """Whether a mark says what is thought of a paper."""
    return mark.kind in VOTES


def pool_votes(votes: Iterable[Vote], since: datetime | None = None) -> Taste:
    """Pool the marks of a place.

    Args:
        votes: its marks, oldest first.
        since: marks up to this moment were forgotten (aware).
    """
    voices: dict[str, dict[str, int]] = {}
    own = True
    for vote in votes:
        if is_vote(vote) and (since is None or vote.at > since):
            voices.setdefault(vote.paper, {})[vote.person] = 1 if vote.kind == "up" else -1
            own = own and vote.person == vote.place
    sums = {paper: sum(said.values()) for paper, said in voices.items()}
    liked = {paper: total for paper, total in sums.items() if total > 0}
    disliked = {paper: -total for paper, total in sums.items() if total < 0}
    return Taste(liked, disliked, own=own and bool(voices))


def taste_scores(taste: Taste, likeness: Likeness, places: Sequence[int] | NDArray[np.int64]) -> Vectors:
    """Return how much the papers at some places of a pool are to a place's taste; any scale, more is better."""
    rows: list[int] = []
    weights: list[float] = []
    for share, marked in ((1.0, taste.liked), (-DISLIKES_COUNT, taste.disliked)):
        known = likeness.places_of(marked)
        total = sum(marked[paper] for paper in known)
        rows += known.values()
        weights += [share * marked[paper] / total for paper in known]
    return likeness.discerning(rows, weights, places)


def liked_like(taste: Taste, likeness: Likeness, places: Sequence[int]) -> list[int]:
    """Return to how many liked papers each paper at some places of a pool is like, itself left out."""
    known = likeness.places_of(taste.liked)
    alike = likeness.plain(list(known.values()), places) >= LIKENESS_TOLD
    number = {paper: row for row, paper in enumerate(known)}
    for column, place in enumerate(places):
        if likeness.ids[place] in number:
            alike[number[likeness.ids[place]], column] = False
    counts: list[int] = alike.sum(axis=0).tolist()
    return counts
