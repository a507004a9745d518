"""The papers in a message, as Discord tells it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bots.discord.payload import read_custom_id
from core.papers.paper import arxiv_id, paper_id

_ABOUT_A_PAPER = frozenset({"up", "down", "save", "more", "details", "why"})
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'|*`]+")
_BARE = re.compile(r"(?<![\w./-])\d{4}\.\d{4,5}(?:v\d+)?(?![\w-]|\.\d)")
_NESTED = ("components", "component", "accessory", "embeds", "fields", "message_snapshots", "message")
_SAID = ("content", "title", "description", "name", "value", "url")


def papers_in(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ids of the papers in a message, each once and in order: of our own buttons, of links, of bare ids."""
    found: dict[str, None] = {}
    for part in _parts(message):
        pressed = read_custom_id(str(part.get("custom_id", "")))
        if pressed is not None and pressed[0] in _ABOUT_A_PAPER and (identifier := paper_id(pressed[1])):
            found[identifier] = None
        for said in _texts(part):
            found |= dict.fromkeys(_papers_of(said))
    return tuple(found)


def words_in(message: Mapping[str, Any]) -> str:
    """Return what a message says, without the addresses in it."""
    said = " ".join(text for part in _parts(message) for text in _texts(part))
    return _ADDRESS.sub(" ", said).strip()


def _parts(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield part
    for name in _NESTED:
        inner = part.get(name)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, Mapping):
                yield from _parts(item)


def _texts(part: Mapping[str, Any]) -> Iterator[str]:
    return (part[name] for name in _SAID if isinstance(part.get(name), str))


def _papers_of(said: str) -> Iterator[str]:
    for address in _ADDRESS.findall(said):
        if identifier := arxiv_id(address.rstrip(".,;:!?")):
            yield identifier
    for bare in _BARE.findall(_ADDRESS.sub(" ", said)):
        if identifier := arxiv_id(bare):
            yield identifier
