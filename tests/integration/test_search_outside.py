"""A search that goes on outside: only where allowed, told, limited, remembered; the library's own answer stands."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from core.chat import commands as c
from core.chat.inquiries import Inquiries
from core.chat.message import plain
from core.errors import SourceError
from core.http import Answer
from core.papers.paper import Listing, Record
from core.papers.sources import Find, Get, Lane, Lookup, Page
from core.papers.windows import LastDays
from core.search.engine import Engine
from core.search.outside import REMEMBERED, Outside
from core.search.query import parse
from core.search.wider import FROM_OUTSIDE, search_wider
from core.settings import Search, Settings
from tests.shelves import NOON, make_record, open_library
from tests.worlds import open_world

LOCAL = tuple(make_record(f"2201.0000{n}", f"Kernel methods {n}") for n in range(6))


class FakeSource:
    """A source that can search; its answers are records by name of the source."""

    def __init__(self, name, *records, failing=""):
        self.name = name
        self.records = records
        self.failing = failing
        self.wanted = []

    def ask(self, wanted):
        self.wanted.append(wanted)
        return (Get(self.name, "search", "https://example.org", Lane(self.name), ("application/json",)),)

    def parse(self, get, body, *, now):
        if self.failing == "odd":
            raise KeyError("title")
        listings = (Listing(self.name, NOON.date(), "new"),)
        return Page(tuple(replace(record, listings=listings) for record in self.records))


class FakeHttp:
    """The client: one source may be slow, another may refuse."""

    def __init__(self, **failures):
        self.failures = failures
        self.gets = []

    async def get(self, get):
        self.gets.append(get)
        failure = self.failures.get(get.source)
        if failure == "slow":
            await asyncio.sleep(30)
        if failure:
            raise SourceError(get.source, failure)
        return Answer(get, b"{}")

    async def remember(self, answer):
        raise AssertionError("a search is not remembered")


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@asynccontextmanager
async def open_outside(folder, sources, records=LOCAL, **failures):
    async with open_library(folder, records) as library:
        clock = Clock()
        http = FakeHttp(**failures)
        outside = Outside(sources, http, library, clock, within=0.2 if "slow" in failures.values() else 20.0)
        yield Engine(library), outside, http, library, clock


def far(identifier="2305.00001", title="Quantum error correction", **fields):
    return Record(id=identifier, source=fields.pop("source", "huggingface"), title=title, **fields)


async def ask(engine, outside, text, limit=5):
    return await search_wider(engine, outside, parse(text), limit=limit)


async def test_where_the_library_knows_enough_nobody_is_asked(tmp_path):
    source = FakeSource("huggingface", far())
    async with open_outside(tmp_path, [source]) as (engine, outside, http, _, _):
        found = await ask(engine, outside, "kernel methods")
        assert (len(found.hits), found.notes, http.gets) == (5, (), [])


async def test_where_it_knows_too_little_both_are_asked_and_the_answer_says_so(tmp_path):
    sources = [FakeSource("huggingface", far()), FakeSource("arxiv", far(source="arxiv")), FakeSource("hackernews")]
    async with open_outside(tmp_path, sources) as (engine, outside, http, library, _):
        found = await ask(engine, outside, "quantum error")
        (hit,) = found.hits
        assert hit.paper.id == "2305.00001"
        assert hit.why == f"{FROM_OUTSIDE}; words: quantum, error"
        assert found.notes == ("The library knows little about this, so the words went to Hugging Face and arXiv too.",)
        assert {get.source for get in http.gets} == {"huggingface", "arxiv"}
        assert await library.paper("2305.00001") is not None


async def test_only_the_words_go_out_and_not_the_filters(tmp_path):
    source = FakeSource("arxiv")
    async with open_outside(tmp_path, [source]) as (engine, outside, _, _, _):
        await ask(engine, outside, "grokking cat:cs.LG -survey au:Nanda")
        assert source.wanted == [Find("grokking", 20)]
        await ask(engine, outside, "cat:math.GT")
        assert len(source.wanted) == 1


async def test_many_hits_that_hold_few_of_the_words_count_as_too_little(tmp_path):
    source = FakeSource("arxiv", far("2305.00002", "Kernel surgery for frogs"))
    async with open_outside(tmp_path, [source]) as (engine, outside, _, _, _):
        found = await ask(engine, outside, "kernel surgery frogs pond")
        assert len(source.wanted) == 1
        assert "2305.00002" in [hit.paper.id for hit in found.hits]


async def test_what_came_is_marked_and_on_no_days_list(tmp_path):
    async with open_outside(tmp_path, [FakeSource("arxiv", far())]) as (engine, outside, _, library, clock):
        await ask(engine, outside, "quantum error")
        assert (await library.paper("2305.00001")).listings == ()
        assert (await library.window_size(LastDays(30, clock()))).count == 0


async def test_what_does_not_meet_the_filters_is_kept_but_not_shown(tmp_path):
    records = (far("2305.00001", categories=("cs.LG",)), far("2305.00002", "Quantum errors", categories=("math.GT",)))
    async with open_outside(tmp_path, [FakeSource("arxiv", *records)]) as (engine, outside, _, library, _):
        found = await ask(engine, outside, "quantum error cat:math.GT")
        assert [hit.paper.id for hit in found.hits] == ["2305.00002"]
        assert await library.paper("2305.00001") is not None


async def test_what_holds_none_of_the_words_follows_the_librarys_own_hits(tmp_path):
    many = tuple(far(f"2305.0000{n}", f"Unlike {n}") for n in range(9))
    async with open_outside(tmp_path, [FakeSource("arxiv", *many)]) as (engine, outside, _, _, _):
        found = await ask(engine, outside, "kernel trick for frogs in ponds")
        whys = [hit.why for hit in found.hits]
        assert len(whys) == 5
        assert whys[:3] == ["words: kernel"] * 3
        assert set(whys[3:]) == {FROM_OUTSIDE}


async def test_a_paper_that_is_asked_for_by_its_id_is_looked_up(tmp_path):
    source = FakeSource("arxiv", far())
    async with open_outside(tmp_path, [source]) as (engine, outside, _, _, _):
        found = await ask(engine, outside, "https://arxiv.org/abs/2305.00001")
        assert source.wanted == [Lookup(("2305.00001",))]
        assert [hit.paper.id for hit in found.hits] == ["2305.00001"]


async def test_one_that_fails_is_told_and_the_other_stands(tmp_path):
    sources = [FakeSource("huggingface", far()), FakeSource("arxiv")]
    async with open_outside(tmp_path, sources, arxiv="has answered 429") as (engine, outside, _, _, _):
        found = await ask(engine, outside, "quantum error")
        assert [hit.paper.id for hit in found.hits] == ["2305.00001"]
        assert found.notes[1:] == ("arXiv has answered 429.",)


async def test_one_that_is_slow_is_not_waited_for(tmp_path):
    sources = [FakeSource("huggingface", far()), FakeSource("arxiv")]
    async with open_outside(tmp_path, sources, arxiv="slow") as (engine, outside, _, _, _):
        found = await ask(engine, outside, "quantum error")
        assert [hit.paper.id for hit in found.hits] == ["2305.00001"]
        assert found.notes[1:] == ("arXiv did not answer within 0.2 s.",)


async def test_when_all_fail_the_local_answer_stands_and_says_so(tmp_path):
    sources = [FakeSource("huggingface", failing="odd"), FakeSource("arxiv")]
    async with open_outside(tmp_path, sources, arxiv="could not be reached") as (engine, outside, _, _, _):
        found = await ask(engine, outside, "kernel surgery frogs pond")
        assert [hit.why for hit in found.hits] == ["words: kernel"] * 5
        assert set(found.notes[1:]) == {
            "arXiv could not be reached.",
            "Hugging Face has sent something that paperboy cannot read.",
        }


async def test_the_same_words_are_not_sent_again_within_the_hour(tmp_path):
    source = FakeSource("arxiv", far())
    async with open_outside(tmp_path, [source], records=()) as (_, outside, _, _, clock):
        first = await outside.ask("Quantum  error")
        assert await outside.ask("quantum error!") == first
        assert len(source.wanted) == 1
        clock.now += REMEMBERED + timedelta(seconds=1)
        await outside.ask("quantum error")
        assert len(source.wanted) == 2


async def test_words_that_got_no_answer_are_sent_again(tmp_path):
    source = FakeSource("arxiv")
    async with open_outside(tmp_path, [source], arxiv="has answered 503") as (_, outside, http, _, _):
        assert (await outside.ask("quantum error")).failures == ("arXiv has answered 503",)
        http.failures.clear()
        assert (await outside.ask("quantum error")).failures == ()
        assert len(source.wanted) == 2


async def test_later_pages_ask_nobody(tmp_path):
    source = FakeSource("arxiv", far())
    async with open_outside(tmp_path, [source]) as (engine, outside, _, _, _):
        await search_wider(engine, outside, parse("quantum error"), limit=5, offset=5)
        assert source.wanted == []


@pytest.mark.parametrize(
    ("allowed", "words"), [(False, "nothing is sent elsewhere"), (True, "are sent to Hugging Face and arXiv too")]
)
async def test_help_tells_the_truth_about_where_words_go(tmp_path, allowed, words):
    settings = Settings(search=Search(ask_outside=allowed))
    async with open_world(tmp_path) as world:
        inquiries = Inquiries(store=world.house.store, newsroom=world.house.newsroom, settings=settings)
        message = await inquiries.help(c.Help(), None, NOON)
    assert words in plain(message.closing[0])


async def test_by_default_nobody_is_asked():
    assert Settings().search.ask_outside is False
