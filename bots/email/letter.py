"""Message -> the two alternatives of a mail, plain text and HTML: pure, and bounded in size.

Mail programs cut what is long (Gmail above 102 kB), so that everything stays under 90 kB, as it is sent: where a digest
would not, summaries become shorter, then go, then titles become shorter; no paper is ever left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.chat.cards import is_web_address, shorten
from core.chat.message import Card, Kind, Message, Text, plain
from core.chat.render import ARXIV_THANKS

LARGEST = 86_000  # bytes as sent, which leaves 4 kB for headers
SUBJECT = 140
FIRST_TITLE = 70
WIDTH = 76


class _OnOneLine(UnstructuredHeader, BaseHeader):
    """A header of one long word, such as a link in brackets; folded it would be encoded, and be a link to nobody."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header's line; it may have 998 characters (RFC 5322, 2.1.1)."""
        return f"{self.name}: {self}{policy.linesep}"


def _headers() -> HeaderRegistry:
    known = HeaderRegistry()
    for name in ("list-id", "list-unsubscribe", "message-id"):
        known.map_to_type(name, _OnOneLine)
    return known


POLICY = SMTP.clone(cte_type="7bit", header_factory=_headers())  # no server has to know 8BITMIME


@dataclass(frozen=True, slots=True)
class _Fit:
    """How much of everything is shown, in characters."""

    summary: int
    title: int
    byline: int
    line: int
    marks: bool = True
    links: bool = True


FITS = (
    _Fit(400, 300, 300, 4_000),
    _Fit(160, 300, 200, 2_000),
    _Fit(0, 200, 100, 1_000),
    _Fit(0, 100, 60, 300, marks=False),
    _Fit(0, 60, 0, 300, marks=False, links=False),
)


@dataclass(frozen=True, slots=True)
class Links:
    """Where a mail leads; empty where it is for nobody in particular.

    Attributes:
        home: the page's address.
        view: the digest in a browser.
        preferences: what the reader can change.
        unsubscribe: ends this subscription.
        mark: the page on which a paper is marked, by its id.
        more: a paper's page, where similar ones are, by its id.
        act: the one thing to do, as a button.
        act_label: what it says.
    """

    home: str = ""
    view: str = ""
    preferences: str = ""
    unsubscribe: str = ""
    mark: Callable[[str], str] | None = None
    more: Callable[[str], str] | None = None
    act: str = ""
    act_label: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who stands in the footer: the operator's name and postal address, empty where they are not set."""

    operator: str = ""
    postal_address: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says."""

    subject: str
    text: str
    html: str

    def body(self) -> EmailMessage:
        """Return it as a mail without addresses, text first, as RFC 2046 wants what is best to come last."""
        mail = EmailMessage(POLICY)
        mail.set_content(self.text, cte=_shorter_encoding(self.text))
        mail.add_alternative(self.html, subtype="html", cte=_shorter_encoding(self.html))
        return mail


def _shorter_encoding(text: str) -> str:
    """Return how a text takes less room: base64 for most scripts, quoted-printable for what is mostly ASCII."""
    body = text.encode("utf-8", "replace")
    costly = sum(byte > 126 or byte == 61 for byte in body)  # three characters each instead of one
    return "quoted-printable" if 2 * costly + len(body) // 40 < len(body) // 3 else "base64"


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["web_address"] = is_web_address
    return environment


_ENVIRONMENT = _make_environment()


def write_letter(message: Message, links: Links, sender: Sender) -> Letter:
    """Render a message as a mail that is small enough."""
    for fit in FITS:
        letter = _render(_fitted(message, fit), links if fit.marks else replace(links, mark=None, more=None), sender)
        if len(letter.body().as_bytes()) <= LARGEST:
            break
    return letter


def subject_of(message: Message) -> str:
    """Return one line: for whom, and the first paper with how many more, so that no two days read alike."""
    opening = message.heading or next(map(plain, message.lines), "")
    if message.kind is Kind.DIGEST and message.cards:
        more = len(message.cards) - 1
        opening = f"{shorten(opening, SUBJECT - FIRST_TITLE)}: {shorten(message.cards[0].title, FIRST_TITLE)}"
        opening += f" + {more} more" if more else ""
    line = shorten(" ".join(_clean(opening).split()), SUBJECT) or "paperboy"
    return f"SAMPLE {line}" if message.sample else line


def _render(message: Message, links: Links, sender: Sender) -> Letter:
    thanks = ARXIV_THANKS if message.kind is Kind.DIGEST else ""
    closing = [line for line in message.closing if plain(line) != ARXIV_THANKS]
    page = _ENVIRONMENT.get_template("letter.html").render(
        message=message, closing=closing, links=links, sender=sender, thanks=thanks, subject=subject_of(message)
    )
    text = "\n".join(_text_lines(message, closing, links, sender, thanks))
    return Letter(subject_of(message), _clean(text) + "\n", _clean(page))


def _fitted(message: Message, fit: _Fit) -> Message:
    return replace(
        message,
        heading=shorten(message.heading, fit.line),
        lines=tuple(_shortened(line, fit.line) for line in message.lines),
        closing=tuple(_shortened(line, fit.line) for line in message.closing),
        cards=tuple(
            replace(
                card,
                title=shorten(card.title, fit.title),
                summary=shorten(card.summary, fit.summary),
                summary_by=card.summary_by if fit.summary else "",
                byline=shorten(card.byline, fit.byline),
                facts=shorten(card.facts, fit.byline),
                why=shorten(card.why, 2 * fit.byline),
                links=card.links if fit.links else (),
            )
            for card in message.cards
        ),
    )


def _shortened(line: Text, limit: int) -> Text:
    kept, left = [], limit
    for span in line:
        if left > 0:
            kept.append(replace(span, text=shorten(span.text, left)))
            left -= len(span.text)
    return tuple(kept)


def _text_lines(message: Message, closing: Sequence[Text], links: Links, sender: Sender, thanks: str) -> Iterator[str]:
    if message.sample:
        yield "SAMPLE: these papers come with paperboy; they are not today's."
        yield ""
    if message.heading:
        yield from (*_wrapped(message.heading), "")
    for line in message.lines:
        yield from (*_wrapped(_with_addresses(line)), "")
    if links.act:
        yield from (f"{links.act_label}: {links.act}", "")
    for number, card in enumerate(message.cards, 1):
        yield from (*_card_lines(number, card, links), "")
    for line in closing:
        yield from (*_wrapped(_with_addresses(line)), "")
    yield "-- "
    named = {"View in browser": links.view, "Preferences": links.preferences, "Unsubscribe": links.unsubscribe}
    yield from (f"{name}: {address}" for name, address in named.items() if address)
    if thanks:
        yield thanks
    yield from filter(None, (sender.operator, sender.postal_address))


def _card_lines(number: int, card: Card, links: Links) -> Iterator[str]:
    yield from _wrapped(card.title, f"{number}. ")
    yield from _wrapped(" · ".join(filter(None, (card.byline, card.facts))), "   ")
    yield from _wrapped(card.why, "   ")
    if card.summary:
        yield ""
        yield from _wrapped(card.summary, "   ")
        yield from _wrapped(card.summary_by, "   ")
    yield from (f"   {address}" for address in _addresses(card))
    if links.mark is not None and card.buttons:
        yield f"   👍 👎 🔖 {links.mark(card.paper)}"


def _addresses(card: Card) -> Iterator[str]:
    if is_web_address(card.url):
        yield card.url
    yield from (f"{link.label}: {link.url}" for link in card.links if is_web_address(link.url) and link.url != card.url)


def _with_addresses(line: Text) -> str:
    return "".join(f"{span.text} <{span.url}>" if is_web_address(span.url) else span.text for span in line)


def _wrapped(words: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        " ".join(words.split()),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _clean(text: str) -> str:
    """Take out what no mail may hold: half surrogate pairs, and control characters but for ends of lines."""
    sane = text.encode("utf-8", "replace").decode()
    return "".join(char for char in sane if char == "\n" or char.isprintable() or char in "\u200d\u200b\u00a0\u3000")
