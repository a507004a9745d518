"""Message -> Block Kit payloads; pure. Nothing is dropped: what is too long ends in "…", what is too much goes on.

Limits: https://docs.slack.dev/reference/block-kit/blocks. The sum of all text is limited too, at about 13,200
characters, which no page says (https://github.com/slackapi/bolt-js/issues/2509); payloads here end well before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bots.slack.markup import (
    Element,
    escape,
    is_listing,
    is_plain,
    line_size,
    link_url,
    literal,
    mrkdwn,
    one_line,
    rich,
    split_line,
)
from core.chat.cards import shorten
from core.chat.message import Button, Card, Kind, Look, Message, Span, Text, plain, text
from core.delivery.platform import Payload

ACTION_PREFIX = "paperboy:"
MOST_BLOCKS = 43
MOST_TEXT = 9_600
LONGEST_LINE = 2_400
LONGEST_CONTEXT = 1_000
LONGEST_MRKDWN = 3_000
LONGEST_HEADER = 150
LONGEST_TITLE = 300
LONGEST_WHY = 120
LONGEST_SUMMARY = 170  # about one line on a wide screen; the whole abstract is behind "Details"
LONGEST_BYLINE = 250
LONGEST_LABEL = 75
LONGEST_FALLBACK = 3_500
LONGEST_ENTITY = 5
SAMPLE = "SAMPLE"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Blocks that stay together, with what a notification says about them."""

    blocks: tuple[Element, ...]
    words: str = ""
    papers: int = 0

    @property
    def size(self) -> int:
        return sum(_text_size(block) for block in self.blocks)


def render(message: Message) -> list[Payload]:
    """Render a message; the first payload is the post, the others continue it in order."""
    pages = _paginate(_pieces(message))
    total = sum(piece.papers for page in pages for piece in page)
    payloads, shown = [], 0
    for number, page in enumerate(pages):
        shown += sum(piece.papers for piece in page)
        blocks = [block for piece in page for block in piece.blocks]
        if message.sample and (number or not one_line(message.heading) or message.kind is not Kind.DIGEST):
            blocks.insert(0, _context(text(f"{SAMPLE} · not today's papers")))
        if number == 0 and shown < total:
            blocks.append(_context(text(_more(total - shown))))
        payloads.append(_payload(message, page, blocks, first=number == 0))
    return payloads


def card_blocks(card: Card) -> list[Element]:
    """Render one card alone, as below a link to its paper."""
    return list(_card(card).blocks)


def _more(count: int) -> str:
    return f"{count} more paper{'' if count == 1 else 's'} below ↓"


def _payload(message: Message, page: Sequence[_Piece], blocks: list[Element], *, first: bool) -> Payload:
    heading = "" if message.kind is Kind.ERROR else one_line(message.heading)
    lead = (SAMPLE if message.sample else "", heading, "" if first or not heading else "continued")
    lines = [" · ".join(part for part in lead if part), *(piece.words for piece in page)]
    words = "\n".join(line for line in lines if line) or "paperboy"
    # With blocks this is what notifications and screen readers say; `mrkdwn` false keeps a title's asterisks in it.
    fallback = escape(shorten(words, LONGEST_FALLBACK))
    if len(fallback) > LONGEST_FALLBACK:
        fallback = escape(shorten(words, LONGEST_FALLBACK // LONGEST_ENTITY))
    payload: Payload = {"text": fallback, "mrkdwn": False}
    return payload | ({"blocks": blocks} if blocks else {}) | {"unfurl_links": False, "unfurl_media": False}


def _paginate(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    pages: list[list[_Piece]] = [[]]
    blocks = size = 0
    for piece in pieces:
        if pages[-1] and (blocks + len(piece.blocks) > MOST_BLOCKS or size + piece.size > MOST_TEXT):
            pages.append([])
            blocks = size = 0
        pages[-1].append(piece)
        blocks += len(piece.blocks)
        size += piece.size
    return pages


def _pieces(message: Message) -> Iterator[_Piece]:
    if message.kind is Kind.ERROR:
        yield from _paragraphs(_error_lines(message))
    elif message.kind is Kind.DIGEST:
        yield from _digest_opening(message)
    else:
        heading = (text(Span(one_line(message.heading), bold=True)),) if one_line(message.heading) else ()
        yield from _paragraphs((*heading, *message.lines), told=len(heading))
    for card in message.cards:
        yield _card(card)
    if message.buttons:
        yield _Piece((_actions(message.buttons),))
    for line in _filled(message.closing):
        yield _Piece((_context(line),))


def _digest_opening(message: Message) -> Iterator[_Piece]:
    if heading := one_line(message.heading):
        lead = f"{SAMPLE} · {heading}" if message.sample else heading
        yield _Piece((_header(lead),))
    if not message.cards:
        yield from _paragraphs(message.lines)
        return
    for line in _filled(message.lines):
        yield _Piece((_context(line),))


def _error_lines(message: Message) -> tuple[Text, ...]:
    lead: Text = text(Span(one_line(message.heading), bold=True)) if one_line(message.heading) else ()
    first, *rest = message.lines or ((),)
    joint = text(" ") if lead and first else ()
    return ((*text("⚠️ "), *lead, *joint, *first), *rest)


def _filled(lines: Iterable[Text]) -> Iterator[Text]:
    return (line for line in lines if one_line(plain(line)))


def _paragraphs(lines: Iterable[Text], *, told: int = 0) -> Iterator[_Piece]:
    """Gather lines into rich_text blocks; the first `told` of them stand in the fallback text already."""
    section: list[Element] = []
    words: list[str] = []
    size = 0
    whole = [part for line in _filled(lines) for part in split_line(line, LONGEST_LINE)]
    for index, line in enumerate(whole):
        if section and (size + line_size(line) > LONGEST_LINE or is_listing(line)):
            yield _Piece((_rich(section),), "\n".join(words))
            section, words, size = [], [], 0
        if is_listing(line):
            yield _listing(line)
            continue
        section += [*([{"type": "text", "text": "\n"}] if section else []), *rich(line)]
        words += [one_line(plain(line))] if index >= told else []
        size += line_size(line)
    if section:
        yield _Piece((_rich(section),), "\n".join(words))


def _listing(line: Text) -> _Piece:
    words = literal(plain(line)).strip("\n")
    preformatted = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": words}]}
    return _Piece(({"type": "rich_text", "elements": [preformatted]},), words)


def _card(card: Card) -> _Piece:
    title = shorten(one_line(card.title) or card.paper or "(without a title)", LONGEST_TITLE)
    lines = [text(Span(title, bold=True, url=card.url))]
    if why := shorten(one_line(card.why), LONGEST_WHY):
        lines.append(text(Span(why, italic=True)))
    if summary := shorten(one_line(card.summary), LONGEST_SUMMARY):
        by = shorten(one_line(card.summary_by), LONGEST_WHY)
        lines.append(text(summary, *([Span(f" ({by})", italic=True)] if by else [])))
    elements: list[Element] = []
    for line in lines:
        elements += [*([{"type": "text", "text": "\n"}] if elements else []), *rich(line)]
    blocks = [_rich(elements)]
    if small_print := _card_context(card):
        blocks.append({"type": "context", "elements": small_print})
    if card.buttons:
        blocks.append(_actions(card.buttons))
    return _Piece(tuple(blocks), f"• {title}", papers=1)


def _card_context(card: Card) -> list[Element]:
    facts = " · ".join(part for part in (one_line(card.byline), one_line(card.facts)) if part)
    links = [Span(shorten(one_line(link.label), LONGEST_LABEL), url=link.url) for link in card.links]
    shown = [span for span in links if span.text and link_url(span.url)]
    line: list[Span] = []
    for span in shown:
        line += [*([Span(" · ")] if line else []), span]
    elements = [_plain(facts, LONGEST_BYLINE)] if facts else []
    while line and len(mrkdwn(tuple(line))) > LONGEST_MRKDWN:
        line = line[:-2]
    return elements + ([{"type": "mrkdwn", "text": mrkdwn(tuple(line)), "verbatim": True}] if line else [])


def _context(line: Text) -> Element:
    if not is_plain(line):
        written = mrkdwn(line)
        if len(written) <= LONGEST_MRKDWN:
            return {"type": "context", "elements": [{"type": "mrkdwn", "text": written, "verbatim": True}]}
    return {"type": "context", "elements": [_plain(one_line(plain(line)), LONGEST_CONTEXT)]}


def _actions(buttons: Sequence[Button]) -> Element:
    """Lay out buttons; an action_id must be unique within its block, so a second of one kind gets a number behind."""
    seen: dict[str, int] = {}
    elements = []
    for button in buttons:
        seen[button.action] = seen.get(button.action, 0) + 1
        again = f":{seen[button.action]}" if seen[button.action] > 1 else ""
        elements.append(_button(button, f"{ACTION_PREFIX}{button.action}{again}"))
    return {"type": "actions", "elements": elements}


def _button(button: Button, action_id: str) -> Element:
    label = shorten(literal(one_line(button.label)), LONGEST_LABEL) or button.action
    element: Element = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": True},
        "action_id": action_id,
    }
    if button.value:
        element["value"] = button.value
    if button.look is not Look.PLAIN:
        element["style"] = button.look.value
    return element


def _header(words: str) -> Element:
    return {"type": "header", "text": _plain(words, LONGEST_HEADER)}


def _plain(words: str, longest: int) -> Element:
    return {"type": "plain_text", "text": shorten(literal(words), longest), "emoji": False}


def _rich(elements: list[Element]) -> Element:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _text_size(part: object) -> int:
    if isinstance(part, dict):
        own = sum(len(value) for key, value in part.items() if key in {"text", "url"} and isinstance(value, str))
        return own + sum(_text_size(value) for value in part.values())
    return sum(_text_size(item) for item in part) if isinstance(part, list) else 0
