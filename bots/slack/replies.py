"""Answers to commands and buttons: begun after the acknowledgement, given to the response_url."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from bots.slack.api import Api
from bots.slack.blocks import render
from bots.slack.failures import SlackError
from bots.slack.requests import Body, holds_for_asker_alone, needs_zone, reply_thread, split_address
from core.chat.commands import Request
from core.chat.message import Kind, Message, text
from core.clock import Clock
from core.delivery.platform import Answer, Payload

log = logging.getLogger(__name__)

RESPONSES = 5
CLOSE_SECONDS = 3.0
ZONE_SECONDS = 3.0
ZONE_KEPT = timedelta(hours=1)
MOST_ZONES = 10_000
FAILED = Message(Kind.ERROR, lines=(text("That did not work, and it is paperboy's fault; the log says why."),))


class Replies:
    """Answers under way, each a task of its own.

    Args:
        api: calls Slack.
        clock: now.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._zones: dict[str, tuple[datetime, str | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self, answer: Answer, request: Request, body: Body) -> None:
        """Answer a request, acknowledged before, without keeping anybody waiting."""
        task = asyncio.create_task(self._reply(answer, request, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Give answers under way a moment, then drop them."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _reply(self, answer: Answer, request: Request, body: Body) -> None:
        try:
            if needs_zone(request):
                request = replace(request, timezone=await self._zone(request.person))
            message = await answer(request)
        except Exception:
            # The edge of the program: whatever broke behind it, the asker must not wait for ever.
            log.exception("Slack: a request could not be answered")
            message = FAILED
        try:
            await self._respond(message, body)
        except SlackError as failure:
            log.error("Slack: an answer was lost: %s", failure)

    async def _respond(self, message: Message, body: Body) -> None:
        common: Payload = {"response_type": "in_channel" if message.public else "ephemeral"}
        if thread := reply_thread(body):
            common["thread_ts"] = thread
        # A post that everybody sees is never replaced by what only the asker should.
        in_place = message.replaces and "actions" in body and (message.public or holds_for_asker_alone(body))
        for number, payload in enumerate(render(message)):
            if number < RESPONSES:
                part = payload | common | {"replace_original": in_place and number == 0}
                await self._api.respond(str(body["response_url"]), part)
            else:
                await self._post_ephemeral(payload, body)

    async def _post_ephemeral(self, payload: Payload, body: Body) -> None:
        """Post what a response_url, good for five uses, does not take any more."""
        channel = body.get("channel_id") or (body.get("channel") or {}).get("id")
        user = body.get("user_id") or (body.get("user") or {}).get("id")
        content = {key: payload[key] for key in ("text", "blocks") if key in payload}
        await self._api.call(self._api.client.chat_postEphemeral, channel=channel, user=user, **content)

    async def _zone(self, person: str) -> str | None:
        """Return a person's time zone; None where Slack does not tell it soon."""
        now = self._clock()
        known = self._zones.get(person)
        if known is not None and now - known[0] < ZONE_KEPT:
            return known[1]
        try:
            call = self._api.call(self._api.client.users_info, user=split_address(person)[1])
            user = (await asyncio.wait_for(call, ZONE_SECONDS)).get("user") or {}
        except (SlackError, TimeoutError) as error:
            log.warning("Slack: a person's time zone is not known: %s", str(error) or "no answer in time")
            return None
        if len(self._zones) >= MOST_ZONES:
            self._zones.clear()
        zone = user.get("tz") if user.get("tz") in available_timezones() else None
        self._zones[person] = (now, zone)
        return zone
