"""What the forms of mail's pages have in common."""

from __future__ import annotations

from starlette.datastructures import FormData

from core.chat.parsing import MAX_TOP
from core.errors import UsageError

PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow"}
"""Headers of a page that is behind a link of one person's."""


def field(form: FormData, name: str) -> str:
    """Return a form's field as text; nothing where it is missing."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def read_top(typed: str) -> int:
    """Return the number of papers.

    Raises:
        UsageError: it is none, or out of bounds.
    """
    if typed.isascii() and typed.isdigit() and len(typed) < 4 and 1 <= int(typed) <= MAX_TOP:
        return int(typed)
    raise UsageError(f"The number of papers is between 1 and {MAX_TOP}.")
