"""How every source reads what it was sent: bodies that may be anything, and texts as they come."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from core.errors import SourceError

# Only with the semicolon: `R&D` and `x&lt y` are what their authors wrote.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Lone surrogates pass JSON and are refused by every UTF-8 writer behind us; some terminals obey 0x9b and its like.
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_WITHDRAWN = re.compile(
    r"(?:this|the)\s+(?:paper|article|manuscript|submission|preprint|work|version)\s+(?:has\s+been|is|was|have\s+been)"
    r"\s+(?:temporarily\s+)?withdrawn\b|withdrawn(?:\s+by\b|\s*[.;,:(]|\s*$)",
    re.IGNORECASE,
)


def read_json(source: str, body: bytes) -> Any:
    """Return the JSON document in `body`; SourceError when there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceError(source, "has answered with something that is not JSON") from None


def read_xml(source: str, body: bytes) -> Element:
    """Return the root of the XML document in `body`; SourceError when there is none.

    Document types are refused: none of our sources sends one, and entities declared there can grow without end.
    """
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise SourceError(source, "has answered with XML that declares entities, which is refused") from None
    except (ParseError, LookupError, ValueError):
        raise SourceError(source, "has answered with something that is not XML") from None
    return root


def text_of(element: Element, path: str) -> str:
    """Return the clean text of the first element at `path`, whatever its namespace; empty when there is none."""
    found = element.find(path)
    return clean_text("".join(found.itertext())) if found is not None else ""


def clean_text(text: str | None) -> str:
    """Return `text` on one line: entities decoded, runs of white space made one blank; LaTeX stays as it is."""
    decoded = _ENTITY.sub(lambda match: html.unescape(match[0]), text or "")
    return " ".join(_UNPRINTABLE.sub("", decoded).split())


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names clean, in order, each once; what holds no letter (a stray colon behind a team) is left out."""
    return tuple(dict.fromkeys(name for name in map(clean_text, names) if any(map(str.isalpha, name))))


def clean_url(text: str | None, *, host: str = "") -> str:
    """Return an address that is safe to link to, or nothing.

    With `host`, `owner/name` and `host/owner/name` are read as addresses there, and http becomes https.
    """
    url = clean_text(text)
    if host and re.fullmatch(r"[\w.-]+/[\w.-]+/?", url) and not url.startswith(host):
        url = f"https://{host}/{url}"
    if host and url.startswith((f"{host}/", f"www.{host}/")):
        url = f"https://{url}"
    if host and url.startswith("http://"):
        url = "https://" + url.removeprefix("http://")
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.hostname and " " not in url else ""


def read_instant(text: str | None) -> datetime | None:
    """Return an ISO 8601 date or instant, in UTC; None when there is none or it cannot be read."""
    try:
        instant = datetime.fromisoformat((text or "").strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def says_withdrawn(*texts: str) -> bool:
    """Return whether an abstract or comment begins by saying that the work was withdrawn."""
    return any(_WITHDRAWN.match(text) for text in texts)
