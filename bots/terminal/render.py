"""Message -> text for a terminal, or plain text for a pipe, or one JSON document."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.style import Style
from rich.text import Text as Line

from bots.terminal.output import clean
from core.chat.cards import is_web_address
from core.chat.message import Card, Kind, Message, Span, Text, plain

NARROWEST = 30
WIDEST = 100
SAMPLE_NOTE = "SAMPLE: these papers come with paperboy; they are not today's."

# Bidirectional controls can make a line read as something else; joiners between letters and emoji stay.
_BOLD, _DIM, _ITALIC = Style(bold=True), Style(dim=True), Style(italic=True)
_WHY, _SAMPLE, _CODE, _ERROR = (Style(color=color) for color in ("green", "yellow", "cyan", "red"))


def terminal_width() -> int:
    """Return the columns to write in: the terminal's, but no more than are pleasant to read, and 80 in a pipe."""
    return max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to write colours and hyperlinks: to a terminal that can show them, unless asked not to.

    https://no-color.org
    """
    return stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("NO_COLOR")


def to_screen(message: Message) -> str:
    """Return a message as it is written to stdout, whatever that is."""
    return render(message, width=terminal_width(), color=wants_color(sys.stdout, os.environ))


def render(message: Message, *, width: int, color: bool) -> str:
    """Return a message as lines of at most `width` columns, ending with a newline.

    Args:
        message: what to write.
        width: columns, of at least `NARROWEST`; addresses and words longer than that are not broken.
        color: whether it goes to a terminal that knows colours and hyperlinks; without, there is no escape sequence.
    """
    console = Console(
        file=io.StringIO(),
        width=max(width, NARROWEST),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        for line, indent, first in _blocks(message, color=color):
            _print(console, line, indent, first)
    return capture.get()


def to_json(message: Message) -> str:
    """Return a message as one JSON document, without a newline at its end."""
    document: dict[str, Any] = {
        "heading": clean(message.heading),
        "lines": [clean(plain(line), keep_newlines=True) for line in message.lines],
        "sample": message.sample,
        "papers": [_paper_of(card) for card in message.cards],
        "closing": [clean(plain(line)) for line in message.closing],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _paper_of(card: Card) -> dict[str, Any]:
    return {
        "id": clean(card.paper),
        "title": clean(card.title),
        "url": card.url if is_web_address(card.url) else "",
        "authors": clean(card.byline),
        "facts": clean(card.facts),
        "why": clean(card.why),
        "summary": clean(card.summary),
        "summary_by": clean(card.summary_by),
        "links": [{"label": clean(link.label), "url": link.url} for link in card.links if is_web_address(link.url)],
    }


def _blocks(message: Message, *, color: bool) -> Iterator[tuple[Line, int, str]]:
    """Yield (what, its indent, what stands in the indent of its first line)."""
    if message.sample:
        yield Line(SAMPLE_NOTE, _SAMPLE), 0, ""
    if message.heading:
        yield Line(clean(message.heading), _BOLD), 0, ""
    for words in message.lines:
        yield _line(words, color=color, style=_ERROR if message.kind is Kind.ERROR else None), 0, ""
    indent = len(str(len(message.cards))) + 3
    for number, card in enumerate(message.cards, 1):
        yield Line(), 0, ""
        for position, line in enumerate(_card(card, color=color, sample=message.sample)):
            yield line, indent, f"{number:>{indent - 2}}. " if position == 0 else ""
    if message.closing:
        yield Line(), 0, ""
    for words in message.closing:
        yield _line(words, color=color, style=_DIM), 0, ""


def _card(card: Card, *, color: bool, sample: bool) -> Iterator[Line]:
    url = card.url if is_web_address(card.url) else ""
    title = Line()
    title.append("SAMPLE " if sample else "", _SAMPLE)
    yield title.append(clean(card.title), Style(bold=True, link=url) if color and url else _BOLD)
    yield Line(" · ".join(clean(part) for part in (card.byline, card.facts) if part), _DIM)
    if card.why:
        yield Line(clean(card.why), _WHY)
    if card.summary:
        yield Line(clean(card.summary))
    if card.summary_by:
        yield Line(clean(card.summary_by), _DIM + _ITALIC)
    links = [link for link in card.links if is_web_address(link.url)]
    if color and links:
        yield Line(" · ").join(Line.assemble((clean(link.label), Style(color="blue", link=link.url))) for link in links)
    elif url:
        yield Line(url)


def _line(parts: Text, *, color: bool, style: Style | None) -> Line:
    line = Line(style=style or "")
    for span in parts:
        line.append(clean(span.text, keep_newlines=span.code), _style(span, color=color))
        if is_web_address(span.url) and not color and span.url != span.text:
            line.append(f" ({span.url})")
    return line


def _style(span: Span, *, color: bool) -> Style:
    style = _CODE if span.code else Style()
    link = span.url if color and is_web_address(span.url) else None
    return style + Style(bold=span.bold or None, italic=span.italic or None, link=link)


def _print(console: Console, line: Line, indent: int, first: str) -> None:
    """Print a block wrapped in its column; its own line ends stay, as those of a caret below a query must."""
    if "\n" in line.plain:
        console.print(line, soft_wrap=True)
        return
    lead = first
    for row in line.wrap(console, console.width - indent) or [Line()]:
        row.rstrip()
        console.print(Line(lead.ljust(indent)) + row if row.plain else Line(), soft_wrap=True)
        lead = ""
