"""Deleting what is kept about a person or a server, at once: offered below answers, asked once more, then done.

Buttons name no one: a person's is about whoever presses it, a server's about the server where it is pressed, and what
that person may do there is what Discord tells of them at that press.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import discord

from bots.discord.requests import request_of
from bots.discord.slash import Interaction
from core.chat.commands import Help, Request, Saved
from core.chat.erasing import KEEP, KEPT, MINE, Erasure, all_of
from core.chat.message import Button, Kind, Look, Message, text
from core.errors import UsageError
from core.store import Store

log = logging.getLogger(__name__)

ACTION = "erase"
SERVER = all_of("server", whose="this server's channels", rulers="people with the right Manage Server")
MOST_BUTTONS = 5
_WHATS = {"me": MINE, "server": SERVER}
_SURE = " yes"
_NO = "no"

Erase = Callable[[str, discord.Guild | None], Awaitable[None]]
"""Deletes all that is kept about a server, given its id and what the gateway knows of it."""


class Erasing:
    """Offers, asks, deletes.

    Args:
        store: where people are forgotten.
        erase_server: forgets a server.
    """

    def __init__(self, store: Store, erase_server: Erase) -> None:
        self._store = store
        self._erase_server = erase_server

    def offer(self, said: Message, interaction: Interaction, request: Request) -> Message:
        """Add the ways to ask for it to `help` and `saved`, as far as there is room for buttons."""
        if said.kind is not Kind.ANSWER or not isinstance(request.command, (Help, Saved)):
            return said
        return replace(said, buttons=(*said.buttons, *_offers(interaction))[:MOST_BUTTONS])

    async def press(self, interaction: Interaction, value: str) -> Message:
        """Answer a press of one of these buttons.

        Raises:
            UsageError: they may not, or no version of ours has such a button.
            StoreError: nothing was deleted.
        """
        if value == _NO:
            return Message(Kind.ANSWER, lines=(text(KEPT),), replaces=True)
        what, sure = value.removesuffix(_SURE), value.endswith(_SURE)
        words = _WHATS.get(what)
        if words is None:
            raise UsageError("This button is from another version of paperboy.", hint="Use /papers help.")
        if words is SERVER and not _rules(interaction):
            raise UsageError(SERVER.refused)
        if not sure:
            return _question(what, words)
        if words is SERVER:
            await self._erase_server(str(interaction.guild_id), interaction.client.get_guild(interaction.guild_id or 0))
            log.info("Discord: somebody with the right to manage a server had all its data deleted")
        else:
            await self._store.forget(request_of(interaction, Help()).person)
        return Message(Kind.ANSWER, lines=(text(words.done),), replaces=True)


def _rules(interaction: Interaction) -> bool:
    allowed = interaction.permissions
    return interaction.guild_id is not None and (allowed.manage_guild or allowed.administrator)


def _offers(interaction: Interaction) -> Iterator[Button]:
    yield Button(f"{MINE.offer}…", ACTION, "me")
    if _rules(interaction):
        yield Button(f"{SERVER.offer}…", ACTION, "server")


def _question(what: str, words: Erasure) -> Message:
    buttons = (Button(words.yes, ACTION, what + _SURE, Look.DANGER), Button(KEEP, ACTION, _NO))
    return Message(Kind.ANSWER, heading=words.question, lines=(text(words.consequence),), buttons=buttons)
