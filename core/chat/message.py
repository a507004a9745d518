"""What paperboy says, before any platform gives it a form.

A Message knows no platform: no markup, no escaping, no limits. Platforms turn it into payloads (`Platform.payload`),
where they escape, shorten with "…" and split, and lose no card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Span:
    """A run of plain text with one look, and an address when it is a link."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    url: str = ""


Text: TypeAlias = tuple[Span, ...]


def text(*parts: str | Span) -> Text:
    """Make a Text of strings and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def plain(line: Text) -> str:
    """Return the characters of a Text alone."""
    return "".join(span.text for span in line)


class Look(StrEnum):
    """How much a button asks for attention."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press.

    Attributes:
        label: what it says, with an emoji where that is the whole of it.
        action: a word that `commands` knows (`up`, `page`, `share`...), at most 16 characters of a-z and `_`.
        value: what the action needs, at most 80 characters; longer state lies in the store.
        look: how much it asks for attention.
    """

    label: str
    action: str
    value: str
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True)
class Link:
    """A labelled address below a card."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One paper, ready to be read.

    Attributes:
        paper: its id.
        title: in Unicode, one line.
        url: the abstract page, or empty.
        byline: authors (three, then how many more).
        facts: venue or category and date.
        why: why it is here, at most 80 characters.
        summary: a short one, one paragraph; may be empty.
        summary_by: who wrote the summary when it was a model ("AI summary by ..."), else empty.
        links: further addresses.
        buttons: at most five.
    """

    paper: str
    title: str
    url: str = ""
    byline: str = ""
    facts: str = ""
    why: str = ""
    summary: str = ""
    summary_by: str = ""
    links: tuple[Link, ...] = ()
    buttons: tuple[Button, ...] = ()


class Kind(StrEnum):
    """What a message is for."""

    DIGEST = "digest"
    ANSWER = "answer"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said, of whatever length.

    Attributes:
        kind: digest, answer or error.
        heading: one line, or empty.
        lines: what stands below the heading, a paragraph each.
        cards: papers, in order.
        closing: small print below everything, a line each.
        buttons: for the whole message, at most five.
        sample: it shows the bundled sample; every rendering marks it SAMPLE.
        public: an answer that everybody in the place may see; otherwise only the asker does.
        replaces: the answer to a button takes the place of the message that holds it.
    """

    kind: Kind
    heading: str = ""
    lines: tuple[Text, ...] = ()
    cards: tuple[Card, ...] = ()
    closing: tuple[Text, ...] = ()
    buttons: tuple[Button, ...] = field(default=())
    sample: bool = False
    public: bool = False
    replaces: bool = False
