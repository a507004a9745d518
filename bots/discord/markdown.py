"""Text -> Discord's markdown: what a person typed shows as it was typed, and pings nobody.

https://support.discord.com/hc/en-us/articles/210298617 names the marks; a backslash takes the meaning from any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from core.chat.message import Span, Text

ELLIPSIS = "…"
URL_LIMIT = 400
_PIECE = 1600  # characters that stay below the limit of a text even when each of them is escaped
# An underscore inside a word, a lone ~ and a lone | mean nothing to Discord.
_MARKS = re.compile(r"[\\`*<\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)|(?<=~)~|\|(?=\|)|(?<=\|)\|")
# Blanks without line ends, else many empty lines are looked through from each of them.
_LINE_MARKS = re.compile(r"^([^\S\n]*)([#>-]|\d+(?=\.\s))", re.MULTILINE)
_EVERYBODY = re.compile(r"@(?=everyone|here)")
_URL = re.compile(r"(https?://[^\s<>]+)")
_UNSAFE_IN_URL = re.compile(r"[\s<>()\[\]\\`|*\"]")
# Controls, marks that turn the direction of what follows, and halves of surrogate pairs, which nobody can send.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def size(text: str) -> int:
    """Return the length of a text in UTF-16 units: the larger of the two ways in which Discord may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def one_line(text: str) -> str:
    """Return a text with every run of white space as one space, and without controls."""
    return " ".join(_INVISIBLE.sub("", text.replace("\r", "\n")).split())


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters, cut behind a word and marked with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    word = cut.rpartition(" ")[0]
    return (word if len(word) > limit // 2 else cut).rstrip(" ,;:.") + ELLIPSIS


def escape(text: str, *, linked: bool = False) -> str:
    """Return text that shows as typed; addresses in it stay links, unless it is the words of a link itself."""
    if linked:
        # Discord shows a link as raw markdown when its words hold an address.
        return _escape_words(text).replace("://", ":\\//")
    parts = _URL.split(_INVISIBLE.sub("", text))
    return "".join(safe_url(part) if index % 2 else _escape_words(part) for index, part in enumerate(parts))


def _escape_words(text: str) -> str:
    marked = _MARKS.sub(r"\\\g<0>", _INVISIBLE.sub("", text))
    marked = _LINE_MARKS.sub(_escape_line_mark, marked)
    return _EVERYBODY.sub("@\u200b", marked)


def _escape_line_mark(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}\\" if match[2].isdigit() else f"{match[1]}\\{match[2]}"


def safe_url(url: str) -> str:
    """Return an address in which nothing ends a markdown link early; it leads to the same place."""
    whole = _INVISIBLE.sub("", url)
    encoded = _UNSAFE_IN_URL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), whole)
    return _EVERYBODY.sub("%40", encoded)


def link(words: str, url: str) -> str:
    """Return a markdown link, or the words alone where the address cannot be one."""
    shown = escape(one_line(words), linked=True)
    target = safe_url(url)
    if not shown or urlsplit(url).scheme not in {"http", "https"} or len(target) > URL_LIMIT:
        return escape(one_line(words))
    return f"[{shown}]({target})"


def markdown(text: Text) -> str:
    """Return a Text in Discord's markdown."""
    marked = ""
    for span in text:
        part = _span(span)
        # Where one code ends right before another, their backticks would be read as one longer mark.
        marked += f"\u200b{part}" if marked.endswith("`") and part.startswith("`") else part
    return marked


def _span(span: Span) -> str:
    if span.code:
        return _code(span.text)
    body = span.text.strip()
    if not body:
        return span.text
    marked = link(body, span.url) if span.url else escape(body)
    mark = "*" * (2 * span.bold + span.italic)
    start = span.text[: len(span.text) - len(span.text.lstrip())]
    return f"{start}{mark}{marked}{mark}{span.text[len(start) + len(body) :]}"


def _code(text: str) -> str:
    clean = _EVERYBODY.sub("@\u200b", _INVISIBLE.sub("", text)).strip("\n")
    if not clean.strip():
        return ""
    # A space without width between any two backticks keeps them from ending the code early.
    apart = re.sub("`(?=`)", "`\u200b", clean)
    if "\n" in clean:
        return f"```\n{apart}\n```"
    return f"`` {apart} ``" if "`" in clean else f"`{clean}`"


def paragraphs(text: Text, limit: int) -> Iterator[str]:
    """Yield a Text as markdown in pieces of at most `limit` units (3,500 or more), cut between words."""
    held: list[Span] = []
    for span in _pieces(text):
        if held and size(markdown((*held, span))) > limit:
            yield markdown(tuple(held)).strip()
            held = []
        held.append(span)
    if rest := markdown(tuple(held)).strip():
        yield rest


def _pieces(text: Text) -> Iterator[Span]:
    """Yield spans short enough to fit a text whatever is escaped in them."""
    for span in text:
        rest = span.text
        while len(rest) > _PIECE:
            cut = max(rest.rfind(" ", _PIECE // 2, _PIECE), rest.rfind("\n", _PIECE // 2, _PIECE)) + 1 or _PIECE
            yield replace(span, text=rest[:cut])
            rest = rest[cut:]
        yield replace(span, text=rest)
