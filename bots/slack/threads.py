"""Details of a paper, in the thread below the digest that showed it: once for everybody, not once for each press."""

from __future__ import annotations

import hashlib
import logging

from bots.slack.blocks import render
from bots.slack.failures import SlackError
from bots.slack.requests import Body, holds_for_asker_alone, reply_thread, team_of
from bots.slack.workspaces import Workspaces
from core.chat.commands import Press, Request
from core.chat.message import Kind, Message
from core.clock import Clock
from core.store import Store

log = logging.getLogger(__name__)

TOLD, NOT_TOLD = "told", "not told"


class Threads:
    """Posts details, and notes in the store where they stand.

    Slack could be asked what stands in a thread, but lets most apps do so once a minute:
    https://docs.slack.dev/changelog/2025/05/29/rate-limit-changes-for-non-marketplace-apps

    Args:
        workspaces: the way into each.
        store: where it is noted.
        clock: now.
    """

    def __init__(self, workspaces: Workspaces, store: Store, clock: Clock) -> None:
        self._workspaces = workspaces
        self._store = store
        self._clock = clock
        self._under_way: set[str] = set()

    async def tell(self, message: Message, request: Request, body: Body) -> bool:
        """Post the answer to a press of "Details" into the thread; False where only the presser can be told.

        That is: below an answer that only they see, where paperboy may not post, and where the details stand already.
        """
        container = body.get("container") or {}
        channel, below = str(container.get("channel_id") or ""), reply_thread(body) or container.get("message_ts")
        if message.kind is Kind.ERROR or holds_for_asker_alone(body) or not (channel and below):
            return False
        assert isinstance(request.command, Press)
        name = _name(team_of(body), channel, str(below), request.command.value)
        if name in self._under_way:
            return False
        self._under_way.add(name)
        try:
            return await self._store.letter(name) != TOLD and await self._post(message, body, channel, str(below), name)
        finally:
            self._under_way.discard(name)

    async def _post(self, message: Message, body: Body, channel: str, below: str, name: str) -> bool:
        # Noted first: after a kill in between, whoever presses again is told alone, which is better than twice to all.
        await self._store.note_letter(name, TOLD, self._clock())
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
                await self._store.note_letter(name, NOT_TOLD, self._clock())
                return False
        return True


def _name(*place: str) -> str:
    """Return a name that tells nobody which channel of whom it is about."""
    return "details " + hashlib.sha256("/".join(place).encode()).hexdigest()[:32]
