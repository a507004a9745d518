"""Words on their way to a terminal or a file."""

from __future__ import annotations

import sys
import unicodedata

_INVISIBLE = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")


def write_out(words: str) -> None:
    """Print to stdout; what its encoding lacks becomes a question mark rather than an error."""
    encoding = sys.stdout.encoding or "utf-8"
    print(words.encode(encoding, "replace").decode(encoding).rstrip("\n"), flush=True)


def clean(text: str, *, keep_newlines: bool = False) -> str:
    """Drop what commands a terminal instead of being read: control characters, bidirectional overrides, surrogates."""
    kept: list[str] = []
    for character in text:
        if character.isspace():
            kept.append("\n" if keep_newlines and character == "\n" else " ")
        elif character not in _INVISIBLE and unicodedata.category(character) not in {"Cc", "Cs"}:
            kept.append(character)
    return "".join(kept)
