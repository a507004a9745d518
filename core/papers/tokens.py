"""Text as the tokens that the library's word index and the query language both see.

The index holds these tokens and nothing else, so what a query can find and what a phrase means does not depend on how
SQLite's tokenizer reads punctuation, accents or full-width letters.
"""

from __future__ import annotations

import re
import unicodedata

RULES = f"1/{unicodedata.unidata_version}"
"""Names how tokens are made; an index made by other rules is made again."""

_ASCII = re.compile(r"[a-z0-9]+")
_BEYOND = re.compile(r"[^\x00-\x7f]")
# Chinese and Japanese put no blanks between words, so that each of their characters is a token.
_ANY = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


def tokens(text: str) -> list[str]:
    """Return the tokens of a text in order: runs of letters and digits, without case, accents and typographic forms."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    found = _ANY.findall(_BEYOND.sub(_unmarked, decomposed).casefold())
    return [token for token in found if token.isalnum()]  # not every place of the Chinese planes has a character


def tokens_beginning(text: str, starts: tuple[str, ...]) -> set[str]:
    """Return the tokens of a text that begin with one of some tokens' beginnings; quicker than to make them all."""
    if not text.isascii():
        return {token for token in tokens(text) if token.startswith(starts)}
    plain, found = text.lower(), set[str]()
    for start in starts:
        place = plain.find(start)
        while place >= 0:
            token = _ASCII.match(plain, place)
            if token and not plain[place - 1 : place].isalnum():
                found.add(token[0])
            place = plain.find(start, place + 1)
    return found


def _unmarked(char: re.Match[str]) -> str:
    return "" if unicodedata.category(char[0]) == "Mn" else char[0]


def token_key(text: str) -> str:
    """Return the tokens joined by single blanks: equal for texts that differ in case, accents and punctuation alone."""
    return " ".join(tokens(text))
