"""Texts that are too long for a button: under which name they are kept, and for how long."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, timedelta

TEXTS_KEPT_FOR = timedelta(days=90)
_TOKEN_LENGTH = 16


def text_token(text: str) -> str:
    """Return the name of a text: 16 characters of a-z and 2-7, 80 bits of its SHA-256."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:_TOKEN_LENGTH]


def oldest_use(today: date) -> date:
    """Return the day before which the last use of a text makes it too old to be kept."""
    return today - TEXTS_KEPT_FOR
