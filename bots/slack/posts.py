"""Posts of a delivery: sent, and changed where they are, each with its delivery's key as metadata."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from bots.slack.api import Api
from bots.slack.failures import GONE_MESSAGES, SlackError
from bots.slack.search import find_continuation, metadata_of
from core.delivery.platform import PartSent, Payload
from core.errors import DeliveryFailure

log = logging.getLogger(__name__)

LINK_SECONDS = 5.0
MARK: Payload = {"text": "…"}


class Posts:
    """Posts messages of several parts: the first in the conversation, the others in its thread."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def send(
        self, channel: str, payloads: Sequence[Payload], *, key: str, done: Sequence[str], sent: PartSent | None
    ) -> tuple[str, ...]:
        """Post what is not done yet, and return the names of all parts.

        Raises:
            SlackError: by kind; UNKNOWN when the part under way may have been taken.
        """
        parts = list(done)
        for number, payload in list(enumerate(payloads))[len(done) :]:
            parts.append(await self._post(channel, payload, metadata_of(key, number), parts[0] if parts else None))
            if sent is not None:
                await sent(parts[-1])
        return tuple(parts)

    async def _post(self, channel: str, payload: Payload, metadata: Payload, thread: str | None) -> str:
        await self._api.pace.wait_to_post(channel)
        reply = await self._api.call(
            self._api.client.chat_postMessage,
            repeat=False,
            channel=channel,
            metadata=metadata,
            thread_ts=thread,
            link_names=False,
            parse="none",
            **payload,
        )
        return str(reply["ts"])

    async def change(
        self, channel: str, payloads: Sequence[Payload], *, key: str, parts: Sequence[str]
    ) -> tuple[str, ...]:
        """Put other payloads where these parts are, and return the names of all parts; repeating it is harmless.

        Where the payloads are more, and Slack does not show whether an earlier try posted the further ones, nothing is
        changed: they might stand there twice.

        Raises:
            SlackError: by kind; REJECTED when a part is not there any more.
        """
        if not parts:
            raise SlackError(DeliveryFailure.REJECTED, GONE_MESSAGES["message_not_found"])
        further = await self._further(channel, parts, key) if len(payloads) > len(parts) else {}
        for number, part in enumerate(parts):
            await self._put(channel, part, payloads[number] if number < len(payloads) else None, key, number)
        names = list(parts)
        for number in range(len(parts), len(payloads)):
            if number in further:
                await self._put(channel, further[number], payloads[number], key, number)
                names.append(further[number])
            else:
                names.append(await self._post(channel, payloads[number], metadata_of(key, number), parts[0]))
        return tuple(names)

    async def _further(self, channel: str, parts: Sequence[str], key: str) -> Mapping[int, str]:
        try:
            return await find_continuation(self._api, channel, parts[0], key)
        except SlackError as failure:
            if failure.code != "missing_scope":
                raise
            words = f"The longer message was not put in place of the shorter one. {failure}"
            raise SlackError(DeliveryFailure.REJECTED, words, code=failure.code) from None

    async def _put(self, channel: str, part: str, payload: Payload | None, key: str, number: int) -> None:
        """Change a part; None makes a mark of it, unless somebody has deleted it already."""
        shown = MARK if payload is None else payload
        try:
            await self._api.call(
                self._api.client.chat_update,
                channel=channel,
                ts=part,
                text=shown["text"],
                # Of a text without blocks Slack keeps the earlier blocks or not, by rules that its pages tell in two
                # ways; an empty list removes them by both. https://docs.slack.dev/reference/methods/chat.update
                blocks=shown.get("blocks", []),
                metadata=metadata_of(key, number),
                link_names=False,
                parse="none",
            )
        except SlackError as failure:
            if payload is not None or failure.code not in GONE_MESSAGES:
                raise

    async def link(self, channel: str, part: str) -> str:
        """Return the address of a post; empty when Slack does not tell it at once."""
        call = self._api.call(
            self._api.client.chat_getPermalink, repeat=False, patience=0.0, channel=channel, message_ts=part
        )
        try:
            return str((await asyncio.wait_for(call, LINK_SECONDS)).get("permalink") or "")
        except (SlackError, TimeoutError) as error:
            log.info("Slack: the address of a post is not known: %s", str(error) or "no answer in time")
            return ""
