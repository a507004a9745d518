"""Answers to commands, buttons and mentions: begun after the acknowledgement, given where Slack takes them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from bots.slack.blocks import render
from bots.slack.failures import SlackError
from bots.slack.people import People
from bots.slack.requests import Body, holds_for_asker_alone, reply_thread, team_of
from bots.slack.tasks import Tasks
from bots.slack.threads import Threads
from bots.slack.workspaces import Workspaces
from core.chat.commands import Press, Request
from core.chat.message import Button, Kind, Message, text
from core.delivery.platform import Answer, Payload
from core.errors import StoreError

log = logging.getLogger(__name__)

RESPONSES = 5
AT_WORK = 8
MOST_DOORS = 4
OPEN = "open"
FAILED = Message(Kind.ERROR, lines=(text("That did not work, and it is paperboy's fault; the log says why."),))


class Replies:
    """Answers requests, each in a task of its own.

    Args:
        workspaces: the way into each.
        people: what is known of who asks.
        threads: where details of papers go.
        tasks: in which they are made.
    """

    def __init__(self, workspaces: Workspaces, people: People, threads: Threads, tasks: Tasks) -> None:
        self._workspaces = workspaces
        self._people = people
        self._threads = threads
        self._tasks = tasks
        # What is acknowledged can wait; what is not, should not wait behind all answers of a busy moment.
        self._at_work = asyncio.Semaphore(AT_WORK)

    def start(self, answer: Answer, request: Request, body: Body) -> None:
        """Answer a request, acknowledged before, without keeping anybody waiting."""
        self._tasks.start(self._reply(answer, request, body))

    async def ask(self, answer: Answer, request: Request) -> Message:
        """Return the answer; whatever breaks behind it becomes one sentence."""
        try:
            request = await self._people.complete(request)
            async with self._at_work:
                message = await answer(request)
        except Exception:
            # The edge of the program: whatever broke behind it, the asker must not wait for ever.
            log.exception("Slack: a request could not be answered")
            message = FAILED
        return with_doors(request, message)

    async def _reply(self, answer: Answer, request: Request, body: Body) -> None:
        message = await self.ask(answer, request)
        try:
            if _asks_for_details(request) and await self._threads.tell(message, request, body):
                return
            await self._respond(message, body)
        except (SlackError, StoreError) as failure:
            log.error("Slack: an answer was lost: %s", failure)

    async def _respond(self, message: Message, body: Body) -> None:
        payloads = render(message)
        if "response_url" not in body:  # a mention has none
            for payload in payloads:
                await self._post_ephemeral(payload, body)
            return
        common: Payload = {"response_type": "in_channel" if message.public else "ephemeral"}
        if thread := reply_thread(body):
            common["thread_ts"] = thread
        # A post that everybody sees is never replaced by what only the asker should.
        in_place = message.replaces and "actions" in body and (message.public or holds_for_asker_alone(body))
        api = await self._workspaces.api(team_of(body))
        for number, payload in enumerate(payloads):
            if number < RESPONSES:
                part = payload | common | {"replace_original": in_place and number == 0}
                await api.respond(str(body["response_url"]), part)
            else:
                await self._post_ephemeral(payload, body)

    async def _post_ephemeral(self, payload: Payload, body: Body) -> None:
        """Post to the asker alone what a response_url, good for five uses, does not take, or where there is none."""
        event = body.get("event") or {}
        channel = event.get("channel") or body.get("channel_id") or (body.get("channel") or {}).get("id")
        user = event.get("user") or body.get("user_id") or (body.get("user") or {}).get("id")
        content = {key: payload[key] for key in ("text", "blocks") if key in payload}
        api = await self._workspaces.api(team_of(body))
        if str(channel).startswith("D"):
            await api.pace.wait_to_post(str(channel))
            await api.call(api.client.chat_postMessage, repeat=False, channel=channel, **payload)
            return
        thread = event.get("thread_ts") or reply_thread(body) or None
        await api.call(api.client.chat_postEphemeral, channel=channel, user=user, thread_ts=thread, **content)


def _asks_for_details(request: Request) -> bool:
    return isinstance(request.command, Press) and request.command.action == "details"


def with_doors(request: Request, message: Message) -> Message:
    """Put buttons that open forms below the answers to `help` and `list`."""
    words = request.command.strip().lower() if isinstance(request.command, str) else ""
    if message.kind is Kind.ERROR or words not in {"", "help", "list"}:
        return message
    doors = [Button("Subscribe…", OPEN, f"new {request.place}")]
    if words == "list":
        numbers = [line[0].text.strip(" #") for line in message.lines if line and line[0].text.startswith("#")]
        doors += [Button(f"Edit #{number}…", OPEN, f"{number} {request.place}") for number in numbers[:MOST_DOORS]]
    return replace(message, buttons=(*message.buttons, *doors)[:5])
