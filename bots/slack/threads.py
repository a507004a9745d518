"""Details of a paper, in the thread below the digest that showed it: once for everybody, not once for each press."""

from __future__ import annotations

import logging

from bots.slack.blocks import render
from bots.slack.failures import SlackError
from bots.slack.requests import Body, holds_for_asker_alone, reply_thread, team_of
from bots.slack.workspaces import Workspaces
from core.chat.commands import Press, Request
from core.chat.message import Kind, Message

log = logging.getLogger(__name__)

MOST_TOLD = 10_000


class Threads:
    """Posts details, and remembers where they stand until we stop."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._told: dict[tuple[str, str, str], None] = {}

    async def tell(self, message: Message, request: Request, body: Body) -> bool:
        """Post the answer to a press of "Details" into the thread; False where only the presser can be told.

        That is: below an answer that only they see, where paperboy may not post, and where the details stand already.
        """
        container = body.get("container") or {}
        channel, below = str(container.get("channel_id") or ""), reply_thread(body) or container.get("message_ts")
        if message.kind is Kind.ERROR or holds_for_asker_alone(body) or not (channel and below):
            return False
        assert isinstance(request.command, Press)
        name = (channel, str(below), request.command.value)
        if name in self._told:
            return False
        self._remember(name)
        api = await self._workspaces.api(team_of(body))
        for payload in render(message):
            try:
                await api.pace.wait_to_post(channel)
                await api.call(
                    api.client.chat_postMessage,
                    repeat=False,
                    channel=channel,
                    thread_ts=below,
                    link_names=False,
                    parse="none",
                    **payload,
                )
            except SlackError as failure:
                log.info("Slack: details go to the presser alone: %s", failure)
                self._told.pop(name, None)
                return False
        return True

    def _remember(self, name: tuple[str, str, str]) -> None:
        if len(self._told) >= MOST_TOLD:
            del self._told[next(iter(self._told))]
        self._told[name] = None
