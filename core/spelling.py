"""What texts a store keeps, and how they are spelled in PostgreSQL, which knows no character 0."""

from __future__ import annotations

NO_TEXT = "A text with half a character (a lone surrogate) cannot be kept; nothing was changed."
"""What is said where somebody gives one to a store; no encoding has it."""


def shared_text(text: str) -> str:
    r"""Return a text as PostgreSQL can hold it: character 0 is written \1\1, and \1 as \1\2; the order stays."""
    if "\0" in text or "\1" in text:
        return text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text


def own_text(text: str) -> str:
    """Return a text as it was before `shared_text`."""
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text
