"""Commands that only ask, and the buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from core.chat import commands as c
from core.chat.bibtex import bibtex
from core.chat.cards import card_of, signal_words, why_line
from core.chat.fates import short_day, tell_fate
from core.chat.guide import EXAMPLES, MEANINGS
from core.chat.latex import to_unicode
from core.chat.message import Button, Kind, Message, Span, Text, text
from core.chat.namesakes import why_lines
from core.chat.newsroom import Newsroom
from core.chat.parsing import FORMS
from core.chat.render import found_message, join_names, title_span, whole_message
from core.chat.saved import SavedList
from core.digests.silence import source_label
from core.digests.subscription import Subscription
from core.digests.topics import Topics
from core.errors import UsageError
from core.papers.library import Library
from core.papers.paper import Paper, paper_id
from core.search.hits import Found
from core.search.outside import Outside
from core.search.query import Query, named_paper, parse
from core.search.wider import search_wider
from core.settings import Settings
from core.store import Mark, Store

PAGE = 5
SIMILAR = 5
INLINE_VALUE = 60
MARKS = {"up": ("up", "👍"), "down": ("down", "👎"), "save": ("saved", "🔖")}

STAYS_HERE = "Queries are answered from paperboy's own library; nothing is sent elsewhere."
SENT_OUT = (
    "Queries are answered from paperboy's own library; where it knows too little, the words of a query are sent to "
    "Hugging Face and arXiv too, and the answer says so."
)


class Inquiries:
    """Search, today, why, similar, cite, saved, help, and what buttons do."""

    def __init__(
        self,
        *,
        store: Store,
        newsroom: Newsroom,
        settings: Settings,
        outside: Outside | None = None,
        topics: Topics | None = None,
    ) -> None:
        self._outside = outside
        self._topics = topics or Topics()
        self._saved = SavedList(library=newsroom.library, store=store)
        self._store = store
        self._newsroom = newsroom
        self._settings = settings

    @property
    def library(self) -> Library:
        """Where the papers are."""
        return self._newsroom.library

    async def search(self, command: c.Search, _request: c.Request, now: datetime, *, replaces: bool = False) -> Message:
        """Answer with one page of the best papers."""
        query = parse(command.query)
        found = await search_wider(self._newsroom.engine, self._outside, query, limit=PAGE, offset=command.offset)
        buttons = []
        if command.offset:
            buttons.append(await self._page_button("← Back", max(command.offset - PAGE, 0), command.query))
        if command.offset + PAGE < found.total:
            buttons.append(await self._page_button("More →", command.offset + PAGE, command.query))
        if found.hits:
            buttons.append(Button("Share here", "share", await self._state(command.offset, command.query)))
        message = found_message(
            found, heading=f"Search: {_short(command.query)}", offset=command.offset, buttons=buttons, now=now
        )
        return _with(_noted(message, found), replaces=replaces)

    async def today(self, _command: c.Today, request: c.Request, now: datetime) -> Message:
        """Answer with today's digest of the place."""
        return await self._newsroom.today_for(request.place, now)

    async def similar(self, command: c.Similar, _request: c.Request, now: datetime) -> Message:
        """Answer with the nearest papers in the library."""
        paper = await self._known_paper(command.paper)
        found = await self._newsroom.engine.similar(paper.id, limit=SIMILAR)
        return found_message(found, heading=f"Like: {_short(to_unicode(paper.title))}", offset=0, buttons=(), now=now)

    async def cite(self, command: c.Cite, _request: c.Request, _now: datetime) -> Message:
        """Answer with BibTeX."""
        paper = await self._known_paper(command.paper)
        return Message(Kind.ANSWER, lines=(text(Span(bibtex(paper), code=True)),))

    async def saved(self, command: c.Saved, request: c.Request, now: datetime) -> Message:
        """Answer with the papers the person marked 🔖, newest first."""
        return await self._saved.answer(command, request, now)

    async def taste(self, command: c.Taste, request: c.Request, now: datetime) -> Message:
        """Answer with what this place's marks have taught, or forget it."""
        return await self._newsroom.tastes.answer(command, request, now)

    async def help(self, _command: c.Help, _request: c.Request, _now: datetime) -> Message:
        """Answer with every command and the query language by example."""
        forms = [text(Span(form, code=True), f"  {MEANINGS[name]}") for name, form in FORMS.items()]
        examples = [text(Span(query, code=True), f"  {meaning}") for query, meaning in EXAMPLES]
        return Message(
            Kind.ANSWER,
            heading="paperboy delivers the day's papers",
            lines=(*forms, text("Interests and queries are written alike:"), *examples, *self._ready_made()),
            closing=(text(SENT_OUT if self._settings.search.ask_outside else STAYS_HERE),),
        )

    def _ready_made(self) -> list[Text]:
        names = ", ".join(topic.name for topic in self._topics)
        opening = text("Ready-made interests, as in ", Span("/papers subscribe topic:genomics", code=True))
        return [(*opening, Span(f": {names}."))] if names else []

    async def show(self, command: c.Show, _request: c.Request, now: datetime) -> Message:
        """Answer with the card of a paper; `whole` with all its authors and its whole abstract."""
        paper = await self._known_paper(command.paper)
        votes = signal_words(paper, now)
        card = replace(card_of(paper, why=why_line([votes]), now=now), buttons=())
        if not command.whole:
            return Message(Kind.ANSWER, cards=(card,))
        return whole_message(paper, card)

    async def why(self, command: c.Why, request: c.Request, now: datetime) -> Message:
        """Answer whether a paper was fetched, and what each subscription of the place made of it."""
        return await self.why_for_all(command.paper, await self._store.subscriptions(request.place), now)

    async def why_for_all(self, typed: str, subscriptions: Sequence[Subscription], now: datetime) -> Message:
        """Answer whether a paper was fetched, and what each of these subscriptions made of it."""
        paper = await self._find_paper(typed)
        if paper is None:
            identifier = paper_id(typed) or typed.strip()
            return _say(f"{identifier[:80]} was never fetched. {self._sources_words()}")
        lines: list[Text] = [text(title_span(paper)), _fetched_words(paper)]
        if not subscriptions:
            lines.append(text("There is no subscription here that could have wanted it."))
        for item in subscriptions:
            lines.append(await self._why_for(item, paper, now))
            lines += await why_lines(parse(item.interests), paper, self._newsroom.engine)
        return Message(Kind.ANSWER, lines=tuple(lines))

    async def press(self, press: c.Press, request: c.Request, now: datetime) -> Message:
        """Do what a button says."""
        if press.action in MARKS:
            return await self._mark(press, request, now)
        if press.action in {"saved", "export"}:
            return await self._saved.press(press, request, now)
        if press.action == "more":
            return await self.similar(c.Similar(press.value), request, now)
        if press.action == "why":
            return await self.why(c.Why(press.value), request, now)
        if press.action == "details":
            return await self.show(c.Show(press.value, whole=True), request, now)
        if press.action in {"page", "share"}:
            command = await self._state_of(press.value)
            answer = await self.search(command, request, now, replaces=press.action == "page")
            return answer if press.action == "page" else _with(answer, public=True)
        raise UsageError("This button is from another version of paperboy.", hint="Type /papers help for what works.")

    async def _mark(self, press: c.Press, request: c.Request, now: datetime) -> Message:
        paper = await self._known_paper(press.value)
        kind, sign = MARKS[press.action]
        is_set = await self._store.mark(Mark(request.person, request.place, paper.id, kind, now))
        if not is_set:
            return Message(Kind.ANSWER, lines=(text(f"{sign} taken back: ", title_span(paper)),))
        where = "; /papers saved lists it" if kind == "saved" else "; press again to take it back"
        return Message(Kind.ANSWER, lines=(text(f"{sign} kept{where}: ", title_span(paper)),))

    async def _why_for(self, subscription: Subscription, paper: Paper, now: datetime) -> Text:
        name = text(Span(f"#{subscription.number} ", bold=True), Span(_short(subscription.interests) or "everything"))
        fate = await tell_fate(subscription, paper, store=self._store, newsroom=self._newsroom, now=now)
        return (*name, Span(": "), *fate)

    async def _known_paper(self, typed: str) -> Paper:
        paper = await self._find_paper(typed)
        if paper is not None:
            return paper
        identifier = paper_id(typed)
        if identifier is None:
            raise UsageError(
                f"{typed[:80]!r} is not a paper's id.", hint="An id looks like 2310.01234; an address works too."
            )
        raise UsageError(f"{identifier} is not in the library.", hint=f"/papers why {identifier} tells more.")

    async def _find_paper(self, typed: str) -> Paper | None:
        """Return the paper of an id, an address or a DOI, whatever signs were copied along with it."""
        paper = await self._newsroom.library.paper(paper_id(typed) or typed.strip())
        if paper is None and (named := named_paper(typed)):
            found = await self._newsroom.engine.search(Query(typed, named), limit=1)
            paper = found.hits[0].paper if found.hits else None
        return paper

    def _sources_words(self) -> str:
        arxiv = ", ".join(self._settings.arxiv.categories)
        return (
            "paperboy reads Hugging Face's daily papers and the announcements of arXiv in "
            f"{arxiv} and the categories that subscriptions name."
        )

    async def _page_button(self, label: str, offset: int, query: str) -> Button:
        return Button(label, "page", await self._state(offset, query))

    async def _state(self, offset: int, query: str) -> str:
        """Pack the state of a search into a button's value, by a kept text where it is too long."""
        if len(query.encode()) <= INLINE_VALUE and not query.startswith("~"):
            return f"{offset} {query}"
        return f"{offset} ~{await self._store.keep_text(query)}"

    async def _state_of(self, value: str) -> c.Search:
        offset, _, query = value.partition(" ")
        if query.startswith("~"):
            query = await self._store.kept_text(query[1:]) or ""
        if not offset.isdecimal() or not query:
            raise UsageError("This button is too old.", hint="Search again with /papers search.")
        return c.Search(query, int(offset))


def _fetched_words(paper: Paper) -> Text:
    sources = join_names([source_label(name) for name in paper.sources])
    first = f" on {short_day(paper.first_seen.date())}" if paper.first_seen else ""
    listed = ", ".join(f"{source_label(item.source)} {short_day(item.day)} ({item.kind})" for item in paper.listings)
    return text(f"Fetched{first} from {sources}; " + (f"listed by {listed}." if listed else "on no day's list."))


def _short(query: str) -> str:
    return query if len(query) <= 100 else query[:99] + "…"


def _with(message: Message, *, replaces: bool = False, public: bool = False) -> Message:
    buttons = () if public else message.buttons
    return replace(message, replaces=replaces, public=public, buttons=buttons)


def _noted(message: Message, found: Found) -> Message:
    """Add below the hits how they were searched, where that was not as usual."""
    return replace(message, closing=(*message.closing, *(text(note) for note in found.notes)))


def _say(sentence: str) -> Message:
    return Message(Kind.ANSWER, lines=(text(sentence),))
