"""Papers that somebody points at: in a message that stands there already, or with the first letters of a title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.chat import commands as c
from core.chat.cards import card_of, shorten
from core.chat.inquiries import Inquiries
from core.chat.latex import to_unicode
from core.chat.message import Button, Card, Kind, Message, text
from core.errors import UsageError
from core.papers.paper import Paper
from core.papers.titles import find_titles
from core.papers.tokens import tokens

SUGGESTED = 25
POINTED_AT = 10
TITLE_LENGTH = 200
FIRST_WORDS = 60
_QUESTIONS = {"more": ("Like which of them?", "More like this"), "why": ("Which of them?", "Why this")}


class Pointing:
    """Answers `About` and `Suggest`."""

    def __init__(self, inquiries: Inquiries) -> None:
        self._inquiries = inquiries

    async def suggest(self, command: c.Suggest, _request: c.Request, _now: datetime) -> Message:
        """Answer with a bare card a paper; nothing that was typed leaves paperboy."""
        ask = command.typed
        found = await self._inquiries.library.read(lambda connection: find_titles(connection, ask, SUGGESTED))
        cards = tuple(Card(identifier, shorten(to_unicode(title), TITLE_LENGTH)) for identifier, title in found)
        return Message(Kind.ANSWER, cards=cards)

    async def about(self, command: c.About, request: c.Request, now: datetime) -> Message:
        """Answer about the one paper of a message, ask which of several, or search for what it says."""
        known = await self._inquiries.library.papers(command.papers)
        papers = [known[identifier] for identifier in command.papers if identifier in known][:POINTED_AT]
        if len(papers) > 1:
            return _ask_which(papers, command.action, now)
        if papers or command.papers:
            identifier = papers[0].id if papers else command.papers[0]
            return await self._inquiries.press(c.Press(command.action, identifier), request, now)
        words = " ".join(tokens(command.words)[:FIRST_WORDS])
        if command.action != "more" or not words:
            raise UsageError(
                "There is no paper in this message.",
                hint="A link to arXiv or Hugging Face, or a post of paperboy's, has one.",
            )
        return await self._inquiries.search(c.Search(words), request, now)


def _ask_which(papers: Sequence[Paper], action: str, now: datetime) -> Message:
    question, label = _QUESTIONS[action]
    cards = (replace(card_of(paper, now=now), summary="", links=()) for paper in papers)
    return Message(
        Kind.ANSWER,
        lines=(text(question),),
        cards=tuple(replace(card, buttons=(Button(label, action, card.paper),)) for card in cards),
    )
