"""The words in which people have deleted what is kept about them or their whole place, alike on every platform.

Each is asked about once more before anything is deleted, and followed by one sentence that says what was.
"""

from __future__ import annotations

from dataclasses import dataclass

KEEP = "Keep it"
KEPT = "Nothing was deleted."


@dataclass(frozen=True, slots=True)
class Erasure:
    """How one kind of deletion is told.

    Attributes:
        offer: the label of the button that asks for it.
        question: what is asked before it is done, at most 45 characters.
        consequence: what would be deleted, in a sentence.
        yes: the label of the button that does it.
        done: what was deleted, in a sentence.
        refused: told to who may not ask for it.
    """

    offer: str
    question: str
    consequence: str
    yes: str
    done: str
    refused: str = ""


MINE = Erasure(
    offer="Delete what is kept about me",
    question="Delete it all?",
    consequence="Your own subscriptions, marks and saved papers are deleted now; what channels receive stays.",
    yes="Delete",
    done="It is deleted: your subscriptions, marks and saved papers.",
)


def all_of(place: str, *, whose: str, rulers: str) -> Erasure:
    """Return the words for all that is kept about a place and everybody in it.

    Args:
        place: what the platform calls it: workspace, server.
        whose: whose data it is.
        rulers: who may ask for it, as the beginning of a sentence.
    """
    return Erasure(
        offer=f"Delete all this {place} kept",
        question=f"Delete the {place}'s data?",
        consequence=f"All subscriptions, marks and history of {whose} are deleted now.",
        yes="Delete everything",
        done=f"It is deleted: everything paperboy kept for this {place}.",
        refused=f"Only {rulers} can delete its data.",
    )
