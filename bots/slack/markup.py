"""Slack's three ways of writing text, and what people type there; pure.

plain_text and rich_text elements show their characters as they are and know no pings; mrkdwn gives meaning to `<`, `>`,
`&`, `*`, `_`, `~` and backticks, so text in it is escaped. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeAlias
from urllib.parse import quote

from core.chat.message import Span, Text, plain

Element: TypeAlias = dict[str, Any]

WORD_JOINER = "\u2060"
LONGEST_URL = 500
NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what turns the reading of a line round, and halves of characters."""
CONTROL = re.compile(r"<(?=[!@#])")
WEB_ADDRESS = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
MARKER = re.compile(r"(?<!\w)([*_~])|(`)")
STYLABLE = re.compile(r"[^\s*_~`](?:[^\n*_~`]*[^\s*_~`])?")
ANGLED = re.compile(r"<([^<>]*)>")
QUOTES = str.maketrans("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b", '""""' + "''''")


def one_line(text: str) -> str:
    """Return the text with every run of blanks and line ends as one blank, without control characters."""
    return " ".join(NOT_TEXT.sub("", text).split())


def literal(text: str) -> str:
    """Return text for plain_text and rich_text: shown as it is.

    Slack does not say what old clients and exports make of `<!channel>` in there, so it is taken apart, invisibly.
    """
    return CONTROL.sub("<" + WORD_JOINER, NOT_TEXT.sub("", text))


def escape(text: str) -> str:
    """Return text for mrkdwn with Slack's three control characters as entities."""
    return NOT_TEXT.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link_url(url: str) -> str:
    """Return a web address that stands in a link unbroken, or "" when it is none."""
    address = quote(NOT_TEXT.sub("", url).strip(), safe="!#$%&'()*+,-./:;=?@[]_~")
    return address if WEB_ADDRESS.fullmatch(address) and len(address) <= LONGEST_URL else ""


def is_plain(line: Text) -> bool:
    """Tell whether a line needs no markup at all."""
    return not any(span.bold or span.italic or span.code or link_url(span.url) for span in line)


def mrkdwn(line: Text) -> str:
    """Write a line in mrkdwn: nothing in it formats or pings that was not meant to."""
    pieces = []
    for index, span in enumerate(line):
        before = line[index - 1].text[-1:] if index else ""
        after = line[index + 1].text[:1] if index + 1 < len(line) else ""
        pieces.append(_write_span(span, alone=not (before + after).strip(" .,;:()·-")))
    written = "".join(pieces)
    return WORD_JOINER + written if written.startswith("&gt;") else written


def _write_span(span: Span, *, alone: bool) -> str:
    words = escape(MARKER.sub(rf"{WORD_JOINER}\g<0>", _without_breaks(span.text)))
    if (url := link_url(span.url)) and words.strip():
        words = f"<{escape(url)}|{words.strip()}>"
    # Slack formats only between blanks or punctuation, and not across its own marks: such a style is left out.
    if not alone or not STYLABLE.fullmatch(span.text):
        return words
    marks = [mark for mark, wanted in (("*", span.bold), ("_", span.italic), ("`", span.code)) if wanted]
    return "".join(marks) + words + "".join(reversed(marks))


def _without_breaks(text: str) -> str:
    return NOT_TEXT.sub("", text).replace("\r", "").replace("\n", " ")


def rich(line: Text) -> list[Element]:
    """Write a line as rich_text elements, which show every character as it was typed and cannot ping."""
    return [element for span in line if (element := _rich_span(span))]


def _rich_span(span: Span) -> Element | None:
    if not (words := literal(span.text).replace("\r", "")):
        return None
    style = {name: True for name in ("bold", "italic", "code") if getattr(span, name)}
    element: Element = {"type": "text", "text": words}
    if url := link_url(span.url):
        element = {"type": "link", "url": url, "text": words}
    return {**element, "style": style} if style else element


def split_line(line: Text, limit: int) -> list[Text]:
    """Part a line that is too long into several of at most `limit` characters, addresses included, losing none."""
    parts: list[Text] = []
    room = 0
    for span in line:
        rest, cost = span.text, len(link_url(span.url))
        while rest:
            if room <= cost:
                parts.append(())
                room = limit
            piece, rest = rest[: room - cost], rest[room - cost :]
            room -= cost + len(piece)
            parts[-1] += (replace(span, text=piece),)
    return parts


def line_size(line: Text) -> int:
    """Return how much a line counts against Slack's limit for all the text of a message."""
    return sum(len(span.text) + len(link_url(span.url)) for span in line)


def is_listing(line: Text) -> bool:
    """Tell whether a line is a block of code, as BibTeX, rather than a sentence."""
    return len(line) == 1 and line[0].code and "\n" in plain(line).strip()


def typed(text: str) -> str:
    """Return what a person typed behind a slash command, from what Slack made of it.

    Slack escapes `&`, `<` and `>`, turns addresses into `<url|label>` and names into `<#C1|name>` and `<@U1|name>`;
    phones turn quotes into curly ones. https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    words = ANGLED.sub(lambda found: _typed_token(found[1]), text)
    words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return words.translate(QUOTES).replace("\u00a0", " ").strip()


def _typed_token(token: str) -> str:
    target, _, label = token.partition("|")
    if target[:1] in {"#", "@"}:
        return target[0] + (label.removeprefix(target[0]) or target[1:])
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    # An address gets itself as its label; another label was pasted with the link, and the address says more.
    return label if label and label in target else target
