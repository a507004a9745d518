"""`digest`, `search` and `why`: commands that only read, and work beside a running service."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from itertools import count
from pathlib import Path

from bots.embedding import count_read
from bots.fetching import counted, current_failures
from bots.house import House, open_house, open_sample
from bots.terminal.catching_up import catch_up
from bots.terminal.output import write_out
from bots.terminal.progress import show_progress
from bots.terminal.render import to_json, to_screen
from bots.topics import read_topics
from core.chat.cards import card_of
from core.chat.message import Card, Kind, Message, text
from core.chat.render import join_names
from core.digests.subscription import Subscription
from core.errors import StoreBusy, UsageError
from core.papers.library import Library
from core.papers.paper import paper_id
from core.papers.sources import SOURCES
from core.search.hits import Found
from core.search.query import Query, parse, parse_words
from core.search.wider import search_wider
from core.settings import Settings

LOOK_AGAIN = 1.0
LONGEST_LINE = 1_000_000


async def digest(arguments: Namespace, settings: Settings) -> int:
    """Print one digest; fetches first when nothing newer is stored and no service does it."""
    arguments.interests = read_topics().expand(arguments.interests)
    parse(arguments.interests)
    if arguments.subscription or arguments.date:
        async with open_house(settings, owner=False) as house:
            if arguments.subscription:
                await _chosen(house, arguments.subscription)
            if arguments.date and await _is_over(house.library, arguments.date):
                write_out(_formatted(await _digest_message(house, arguments), arguments.format))
                return 0
    await _fetch_if_stale(settings)
    async with open_house(settings, owner=False) as house:
        failing = await current_failures(house.library, settings)
        if await house.library.count() == 0 and failing:
            print(f"paperboy: {no_source(failing)}", file=sys.stderr)
            async with open_sample(settings, house.store, house.clock) as newsroom:
                message = (await newsroom.front_page(house.clock(), interests=arguments.interests)).message
        else:
            message = await _digest_message(house, arguments)
    write_out(_formatted(message, arguments.format))
    with suppress(StoreBusy):  # then the running service reads what is new
        async with open_house(settings, owner=True) as house:
            await catch_up(house, obtain=False)
    return 0


async def _is_over(library: Library, day: date) -> bool:
    """Whether a later day than this is stored too: what came with the day itself is here, and need not be fetched."""
    query = "SELECT max(day) > ? AND EXISTS (SELECT 1 FROM listings WHERE day = ?) FROM listings"
    asked = (day.isoformat(), day.isoformat())
    return bool(await library.read(lambda connection: connection.execute(query, asked).fetchone()[0]))


async def _fetch_if_stale(settings: Settings) -> None:
    """Fetch when nothing newer is stored; a running service owns the folder and fetches by itself."""
    try:
        async with open_house(settings, owner=True) as house:
            fetcher = house.fetcher()
            if await fetcher.is_stale():
                with show_progress("Fetching") as meter:
                    await fetcher.fetch(progress=lambda source, done, total: meter.update(done, total, source))
    except StoreBusy:
        return


NEXT_TRY = re.compile(r", next try [^,]*$")


def no_source(failing: Sequence[str]) -> str:
    """Return the line that says that nothing real can be shown; what all sources have in common is said once."""
    labels = [registered.label for registered in SOURCES.values()]
    names = [label for label in labels if any(clause.startswith(f"{label} ") for clause in failing)]
    tails = {
        NEXT_TRY.sub("", clause.removeprefix(f"{name} "))
        for name in names
        for clause in failing
        if clause.startswith(f"{name} ")
    }
    told = "; ".join(failing)
    if len(names) > 1 and len(tails) == 1:
        told = f"{join_names(names)} {tails.pop().replace('has ', 'have ', 1)}"
    return f"No source could be reached ({told}). This is the bundled sample."


async def _digest_message(house: House, arguments: Namespace) -> Message:
    now = house.clock()
    if not arguments.subscription:
        return (await house.newsroom.front_page(now, interests=arguments.interests, day=arguments.date)).message
    subscription = await _chosen(house, arguments.subscription)
    edition = await (
        house.newsroom.front_page(now, interests=subscription.interests, day=arguments.date, top=subscription.top)
        if arguments.date
        else house.newsroom.edition_for(subscription, now.date(), now)
    )
    return edition.message


async def _chosen(house: House, identifier: str) -> Subscription:
    found = await house.store.subscription(identifier)
    if found is None:
        raise UsageError(f"There is no subscription {identifier!r}.", hint="paperboy subscriptions list shows all ids.")
    return found


def _formatted(message: Message, form: str) -> str:
    if form == "json":
        return to_json(message)
    if form == "html":
        from bots.web.document import render_html  # noqa: PLC0415 - a search need not load a web framework

        return render_html(message)
    return to_screen(message)


async def search(arguments: Namespace, settings: Settings) -> int:
    """Print the best papers for a query, or for each line of a file."""
    if arguments.batch is not None:
        return await _search_batch(arguments, settings)
    if not arguments.query:
        raise UsageError("What to search for is missing.", hint='Write: paperboy search QUERY ("" finds everything)')
    typed = " ".join(arguments.query)
    query = read_query(typed, words=arguments.words)
    async with _open_for_search(settings) as house:
        found = await search_wider(house.newsroom.engine, house.outside, query, limit=arguments.limit)
        if arguments.json:
            write_out(json.dumps(found_json(typed, found), ensure_ascii=False))
        elif not found.hits and not await house.library.count():
            write_out("The library is empty; paperboy fetch or paperboy import fills it.")
        else:
            _print_message(_listed(found, house.clock()))
    return 0


@asynccontextmanager
async def _open_for_search(settings: Settings) -> AsyncIterator[House]:
    """Open the folder: as its owner where searches may go outside and nobody else owns it, since that fills it."""
    async with AsyncExitStack() as stack:
        try:
            house = await stack.enter_async_context(open_house(settings, owner=settings.search.ask_outside))
        except StoreBusy:
            house = await stack.enter_async_context(open_house(settings, owner=False))
        yield house


async def _search_batch(arguments: Namespace, settings: Settings) -> int:
    if not arguments.json or arguments.query:
        raise UsageError(
            "A batch is read from its file and answered as JSON.",
            hint="Write: paperboy search --batch FILE [--words] [--limit N] --json",
        )
    failed = 0
    lines = list(read_lines(arguments.batch))
    await _wait_until_whole(settings)
    async with open_house(settings, owner=False) as house:
        for number, line in lines:
            try:
                query = read_query(line, words=arguments.words)
                answer = found_json(line, await house.newsroom.engine.search(query, limit=arguments.limit))
            except UsageError as error:
                print(f"paperboy: {arguments.batch}, line {number}: {error}", file=sys.stderr)
                failed += 1
                answer = {"query": line, "hits": [], "error": str(error)}
            write_out(json.dumps(answer, ensure_ascii=False))
    return 1 if failed else 0


async def _wait_until_whole(settings: Settings) -> None:
    """Bring the indexes up to the library, or wait until the running service has."""
    with show_progress("Waiting until all papers are read for meaning") as meter:
        while True:
            with suppress(StoreBusy):
                async with open_house(settings, owner=True) as house:
                    return await catch_up(house, obtain=True)
            async with open_house(settings, owner=False) as house:
                read, papers = await count_read(house)
            if read >= papers:
                return None
            meter.update(read, papers)
            await asyncio.sleep(LOOK_AGAIN)


def read_query(typed: str, *, words: bool) -> Query:
    """Read a query in the query language, or as plain words."""
    return parse_words(typed) if words else parse(typed)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line without blanks around it) of a text file; UsageError when it is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as lines:
            for number in count(1):
                line = lines.readline(LONGEST_LINE + 1)
                if len(line) > LONGEST_LINE:
                    raise UsageError(f"{path}, line {number} has more than {LONGEST_LINE:,} characters.")
                if not line:
                    return
                yield number, line.strip()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file in UTF-8.") from error


def found_json(query: str, found: Found) -> dict[str, object]:
    """Return what a search found, as the surface promises it."""
    hits = [
        {"id": hit.paper.id, "title": hit.paper.title, "score": round(hit.score, 6), "why": hit.why}
        for hit in found.hits
    ]
    return {"query": query, "hits": hits}


def _listed(found: Found, now: datetime) -> Message:
    cards = [card_of(hit.paper, why=hit.why, buttons=False, now=now) for hit in found.hits]
    return Message(
        Kind.ANSWER,
        lines=(text(f"{len(cards):,} of {counted(found.total, 'paper')}" if cards else "Nothing was found."),),
        cards=tuple(replace(card, summary="", facts=_facts_and_name(card)) for card in cards),
        closing=tuple(text(note) for note in found.notes),
    )


def _facts_and_name(card: Card) -> str:
    """Return a card's facts, and the paper's id where no address tells it."""
    return card.facts if card.url else " · ".join(filter(None, (card.facts, card.paper)))


async def why(arguments: Namespace, settings: Settings) -> int:
    """Print why a paper was or was not delivered, for one subscription or for all."""
    if not arguments.paper.strip():
        raise UsageError("Which paper is missing.", hint="Write: paperboy why 2310.01234")
    async with open_house(settings, owner=False) as house:
        chosen = arguments.subscription
        subscriptions = [await _chosen(house, chosen)] if chosen else await house.store.subscriptions()
        message = await house.inquiries.why_for_all(
            paper_id(arguments.paper) or arguments.paper, subscriptions, house.clock()
        )
    _print_message(message)
    return 0


def _print_message(message: Message) -> None:
    write_out(to_screen(message))
