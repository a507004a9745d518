"""What the 👍 and 👎 of a place have taught: told, and forgotten where that is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from core.chat import commands as c
from core.chat.message import Kind, Message, Text, text
from core.chat.render import title_span
from core.digests.lessons import learned_words
from core.digests.ranking import taste_weight
from core.digests.taste import Taste, pool_votes
from core.errors import UsageError
from core.papers.library import Library
from core.store import Mark, Store

TITLES = 5
FORGOTTEN = "taste forgotten in "


class Tastes:
    """Knows the taste of each place.

    Args:
        store: holds the marks, and when a place asked to forget them.
        library: holds the papers.
        everyone_may_reset: whether a channel's taste may be forgotten by people who do not manage the channel.
    """

    def __init__(self, *, store: Store, library: Library, everyone_may_reset: bool) -> None:
        self._store = store
        self._library = library
        self._everyone_may_reset = everyone_may_reset

    async def of(self, address: str, marks: Mapping[str, Sequence[Mark]] | None = None) -> Taste:
        """Return the taste of a place.

        Args:
            address: the place.
            marks: of all places, by address, where they were read already.
        """
        if marks is None:
            here, forgotten = await asyncio.gather(
                self._store.marks(place=address), self._store.fact(FORGOTTEN + address)
            )
        else:
            here = marks.get(address, ())
            forgotten = await self._store.fact(FORGOTTEN + address) if here else None
        return taste_of(here, forgotten)

    async def answer(self, command: c.Taste, request: c.Request, now: datetime) -> Message:
        """Tell what was learned in a place, or forget it."""
        if command.reset:
            return await self._reset(request, now)
        taste = await self.of(request.place)
        if not taste.taught:
            return _say("Nothing was taught here yet. 👍 and 👎 below papers do it, and the next digest shows it.")
        lessons = await self._library.read(lambda connection: learned_words(connection, taste))
        lines = [_weight_line(taste)]
        if lessons.categories:
            lines.append(text(f"Most of what was liked is in {' and '.join(lessons.categories)}."))
        for opening, words, papers in (
            ("More like", lessons.more, taste.liked),
            ("Less like", lessons.less, taste.disliked),
        ):
            lines += await self._side(opening, words, list(papers))
        lines.append(text("/papers taste reset forgets all of it; pressing the same button again takes one back."))
        return Message(Kind.ANSWER, heading="What 👍 and 👎 have taught here", lines=tuple(lines))

    async def _side(self, opening: str, words: Sequence[str], papers: Sequence[str]) -> list[Text]:
        """Tell one side: its words, and its newest papers."""
        if not papers:
            return []
        found = await self._library.papers(papers[::-1])
        titles = [text("• ", title_span(paper)) for paper in list(found.values())[:TITLES]]
        rest = len(papers) - len(titles)
        more = [text(f"• and {rest:,} more")] if rest > 0 and titles else []
        return [text(f"{opening}: {', '.join(words) or 'these papers'}"), *titles, *more]

    async def _reset(self, request: c.Request, now: datetime) -> Message:
        if request.may_manage is False and not self._everyone_may_reset:
            raise UsageError(
                "Forgetting what this channel has taught needs the right to manage the channel.",
                hint="Ask somebody who has it; your own marks you can take back by pressing the same buttons again.",
            )
        taught = (await self.of(request.place)).taught
        await self._store.set_fact(FORGOTTEN + request.place, now.isoformat())
        if not taught:
            return _say("There was nothing to forget.")
        return _say(f"Forgotten: what {taught:,} marked paper{'s' if taught > 1 else ''} had taught here.")


def taste_of(marks: Sequence[Mark], forgotten: str | None) -> Taste:
    """Return what the marks of a place teach that were made since it asked to forget, if it did."""
    return pool_votes(marks, datetime.fromisoformat(forgotten) if forgotten else None) if marks else Taste()


def _weight_line(taste: Taste) -> Text:
    weights = [round(100 * taste_weight(taste.taught, by_words=by_words)) for by_words in (True, False)]
    counted = f"{len(taste.liked):,} liked, {len(taste.disliked):,} disliked"
    return text(f"{counted}. They weigh {weights[0]} % beside interests with words, {weights[1]} % without.")


def _say(sentence: str) -> Message:
    return Message(Kind.ANSWER, lines=(text(sentence),))
