"""Whether a delivery arrived after all: each part carries its delivery's key as metadata, and is found again by it.

https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bots.slack.api import Api, Method
from bots.slack.failures import SlackError
from core.delivery.platform import Payload
from core.errors import DeliveryFailure

EVENT_TYPE = "paperboy_delivery"
CLOCK_SKEW = timedelta(minutes=5)
PAGE = 200
MOST_PAGES = 10
PATIENCE = 60.0


def metadata_of(key: str, part: int) -> Payload:
    """Return the metadata of one part of a delivery."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "part": part}}


async def find_parts(api: Api, channel: str, key: str, since: datetime) -> list[str]:
    """Return the names of the parts that are there, from the first one to the first that is missing."""
    oldest = f"{(since - CLOCK_SKEW).timestamp():.6f}"
    posts = _messages(api, api.client.conversations_history, channel=channel, oldest=oldest)
    found = parts_among([message async for message in posts], key)
    if 0 not in found:
        return []
    found = {**await find_continuation(api, channel, found[0], key), 0: found[0]}
    return [found[number] for number in _unbroken(found)]


async def find_continuation(api: Api, channel: str, first: str, key: str) -> dict[int, str]:
    """Return the names of a delivery's parts in the thread of its first one, by number."""
    thread = _messages(api, api.client.conversations_replies, channel=channel, ts=first)
    return parts_among([message async for message in thread], key)


def parts_among(messages: Iterable[Mapping[str, Any]], key: str) -> dict[int, str]:
    """Return the names of a delivery's parts among messages by number; of two the earlier one counts."""
    found: dict[int, str] = {}
    for message in sorted(messages, key=lambda item: str(item.get("ts")), reverse=True):
        metadata = message.get("metadata") or {}
        event = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT_TYPE and event.get("key") == key:
            found[int(event.get("part", 0))] = str(message["ts"])
    return found


def _unbroken(found: Mapping[int, str]) -> range:
    return range(next(number for number in range(len(found) + 1) if number not in found))


async def _messages(api: Api, method: Method, **args: Any) -> AsyncIterator[Mapping[str, Any]]:
    cursor = None
    for _ in range(MOST_PAGES):
        reply = await api.call(method, patience=PATIENCE, include_all_metadata=True, limit=PAGE, cursor=cursor, **args)
        for message in reply.get("messages") or ():
            yield message
        cursor = (reply.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return
    # What was not looked through may hold it: "not there" would be a guess, and a second copy.
    raise SlackError(DeliveryFailure.REJECTED, f"More than {MOST_PAGES} pages were posted in Slack since then.")
