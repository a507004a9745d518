"""What lists of papers on pages are made of."""

from __future__ import annotations

from dataclasses import dataclass

from bots.web.site import paper_path
from core.chat.message import Card
from core.papers.paper import Paper


@dataclass(frozen=True, slots=True)
class Item:
    """A paper in a list.

    Attributes:
        card: what is shown of it.
        votes: its upvotes; None where nobody could vote, or did.
        path: of its page.
    """

    card: Card
    votes: int | None
    path: str


def item_of(card: Card, paper: Paper) -> Item:
    """Return a paper as it stands in a list."""
    votes = int(paper.latest("upvotes") or 0)
    return Item(card, votes if votes > 0 else None, paper_path(paper.id))
