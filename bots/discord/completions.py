"""What is offered while somebody types an option, where it depends on what paperboy knows."""

from __future__ import annotations

import asyncio
import logging

from discord import app_commands

from bots.discord.requests import request_of
from bots.discord.slash import Interaction
from bots.discord.suggestions import LONGEST, MOST
from core.chat.cards import shorten
from core.chat.commands import Suggest
from core.chat.times import when_words
from core.delivery.platform import Answer
from core.errors import StoreError
from core.store import Store

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds; Discord waits for 3


class Completions:
    """Offers papers and subscriptions.

    Args:
        store: what knows the subscriptions.
        answer: what core says to a Request.
    """

    def __init__(self, *, store: Store, answer: Answer) -> None:
        self._store = store
        self._answer = answer

    async def papers(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Return papers by title or id; none where they could not be found in time."""
        try:
            found = await asyncio.wait_for(self._answer(request_of(interaction, Suggest(typed))), PATIENCE)
        except TimeoutError:
            log.info("Discord: papers could not be suggested in time")
            return []
        cards = [card for card in found.cards if len(card.paper) <= LONGEST][:MOST]
        return [app_commands.Choice(name=_named(card.paper, card.title), value=card.paper) for card in cards]

    async def numbers(self, interaction: Interaction, typed: str) -> list[tuple[str, int]]:
        """Return (what is shown, number) of the place's subscriptions that have what was typed in them."""
        try:
            mine = await self._store.subscriptions(request_of(interaction, Suggest(typed)).place)
        except StoreError as error:
            log.warning("Discord: subscriptions could not be suggested: %s", error)
            return []
        told = [(f"#{item.number} {item.interests or 'everything'}, {when_words(item)}", item.number) for item in mine]
        wanted = typed.strip().lower()
        return [(shorten(words, LONGEST), number) for words, number in told if wanted in words.lower()][:MOST]


def _named(paper: str, title: str) -> str:
    end = f" · {paper}"
    return shorten(title, LONGEST - len(end)) + end if len(end) < LONGEST // 2 else shorten(title, LONGEST)
