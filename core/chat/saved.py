"""A person's own list: the papers marked 🔖, newest first, by the page, and exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from core.chat import commands as c
from core.chat.bibtex import bibtex
from core.chat.follow_ups import happened_words
from core.chat.message import Button, Kind, Message, Span, Text, plain, text
from core.chat.render import hit_card
from core.chat.ris import ris
from core.errors import UsageError
from core.papers.happenings import Happening, read_happenings
from core.papers.library import Library
from core.papers.paper import Paper
from core.search.hits import Hit
from core.store import Mark, Store

PAGE = 5
EXPORT_PAGE = 25
LONGEST_BLOCK = 1500  # so that no platform has to cut an entry in two that fits into one of its messages
FORMS: Mapping[str, tuple[str, Callable[[Paper], str]]] = {"bibtex": ("BibTeX", bibtex), "ris": ("RIS", ris)}


class SavedList:
    """Answers what a person saved, to that person alone."""

    def __init__(self, *, library: Library, store: Store) -> None:
        self._library = library
        self._store = store

    async def answer(self, command: c.Saved, request: c.Request, now: datetime) -> Message:
        """Answer with one page of the list, or of its export."""
        marks = await self.marks(request.person)
        if not marks:
            return Message(Kind.ANSWER, lines=(text("Nothing saved yet; 🔖 below a paper keeps it here."),))
        if command.form:
            return await self._exported(marks, command)
        return await self._listed(marks, command.offset, now)

    async def press(self, press: c.Press, request: c.Request, now: datetime) -> Message:
        """Answer the buttons `saved` (a page) and `export` (a form and a page)."""
        form, _, number = press.value.rpartition(" ")
        if not number.isdecimal() or (press.action == "export") != (form in FORMS):
            raise UsageError("This button is too old.", hint="Type /papers saved for the list.")
        answer = await self.answer(c.Saved(form, int(number)), request, now)
        return replace(answer, replaces=press.action == "saved")

    async def marks(self, person: str) -> Sequence[Mark]:
        """Return what a person saved, newest first."""
        return [mark for mark in reversed(await self._store.marks(person=person)) if mark.kind == "saved"]

    async def _listed(self, marks: Sequence[Mark], offset: int, now: datetime) -> Message:
        page = marks[offset : offset + PAGE]
        papers = await self._library.papers([mark.paper for mark in page])
        news = await self._news(page)
        cards = []
        for mark in page:
            paper = papers.get(mark.paper) or Paper(id=mark.paper, title=mark.paper)
            cards.append(hit_card(Hit(paper, 0.0, _told(news.get(mark.paper, ()), mark)), now))
        return Message(
            Kind.ANSWER,
            heading=f"Saved: {len(marks):,}",
            lines=_place(offset, len(page), len(marks)),
            cards=tuple(cards),
            buttons=_buttons(offset, len(marks)),
        )

    async def _news(self, marks: Sequence[Mark]) -> Mapping[str, Sequence[Happening]]:
        if not marks:
            return {}
        since, ids = min(mark.at for mark in marks), [mark.paper for mark in marks]
        found: dict[str, list[Happening]] = {}
        for one in await self._library.read(lambda connection: read_happenings(connection, since=since, papers=ids)):
            found.setdefault(one.paper, []).append(one)
        return found

    async def _exported(self, marks: Sequence[Mark], command: c.Saved) -> Message:
        label, write = FORMS[command.form]
        page = marks[command.offset : command.offset + EXPORT_PAGE]
        papers = await self._library.papers([mark.paper for mark in page])
        entries = [write(papers.get(mark.paper) or Paper(id=mark.paper, title=mark.paper)) for mark in page]
        end = command.offset + len(page)
        more = Button(f"Next {min(EXPORT_PAGE, len(marks) - end)} →", "export", f"{command.form} {end}")
        return Message(
            Kind.ANSWER,
            heading=f"Saved, as {label}: {len(marks):,}",
            lines=(*_place(command.offset, len(page), len(marks)), *_blocks(entries)),
            buttons=(more,) if end < len(marks) else (),
        )


async def export_all(saved: SavedList, library: Library, person: str, form: str) -> str:
    """Return everything that a person saved as one text of a form, newest first."""
    marks = await saved.marks(person)
    papers = await library.papers([mark.paper for mark in marks])
    _, write = FORMS[form]
    return "\n".join(write(papers.get(mark.paper) or Paper(id=mark.paper, title=mark.paper)) for mark in marks)


def _place(offset: int, shown: int, total: int) -> tuple[Text, ...]:
    if not shown:
        return (text("There are no more."),)
    return (text(f"{offset + 1:,}-{offset + shown:,} of {total:,}"),) if shown < total else ()


def _told(news: Sequence[Happening], mark: Mark) -> str:
    """Return what happened since it was saved: `has version 2, has code`."""
    return ", ".join(plain(happened_words(one)).strip() for one in news if one.at > mark.at)


def _buttons(offset: int, total: int) -> tuple[Button, ...]:
    back = [Button("← Back", "saved", str(max(offset - PAGE, 0)))] if offset else []
    more = [Button("More →", "saved", str(offset + PAGE))] if offset + PAGE < total else []
    return (*back, *more, *(Button(label, "export", f"{form} 0") for form, (label, _) in FORMS.items()))


def _blocks(entries: Sequence[str]) -> tuple[Text, ...]:
    """Gather entries into blocks of code, none longer than a message takes unless one entry alone is."""
    blocks: list[str] = []
    for entry in entries:
        if blocks and len(blocks[-1]) + len(entry) < LONGEST_BLOCK:
            blocks[-1] += f"\n{entry}"
        else:
            blocks.append(entry)
    return tuple(text(Span(block, code=True)) for block in blocks)
