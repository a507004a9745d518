"""Fetching asks besides what became of papers that somebody kept, once a week."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.fetching import Fetcher
from bots.house import read_calendar
from core.papers.library import Library
from core.settings import read_settings
from tests.fakes import MemoryStore, make_mark
from tests.servers.sources import WORKS, Refusal, SourcesServer
from tests.worlds import make_record

KEPT, DISLIKED = WORKS[0].id, "2101.00009"


@pytest.fixture
async def asking(tmp_path):
    with SourcesServer() as sources:
        settings = read_settings({**sources.environment, "PAPERBOY_HOME": str(tmp_path)})
        library = await Library.open(tmp_path / "library.sqlite3")
        store = MemoryStore()
        clock = Clock(sources.day)
        await library.ingest([make_record(KEPT, "Kept", day=None)], now=clock())
        for paper, kind in ((KEPT, "saved"), (DISLIKED, "down")):
            await store.mark(make_mark(kind, paper=paper, at=clock()))
        fetcher = Fetcher(settings=settings, library=library, store=store, calendar=read_calendar(), clock=clock)
        yield fetcher, sources, clock
        await library.close()


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, day):
        self.now = make_mark().at.replace(year=day.year, month=day.month, day=day.day)

    def __call__(self):
        return self.now


def looked_up(sources):
    found = [path for path in sources.asked if "id_list" in path or "/papers/" in path]
    sources.asked.clear()
    return found


async def test_a_kept_paper_is_asked_for_once_a_week_at_both_sources(asking):
    fetcher, sources, clock = asking
    await fetcher.fetch()
    asked = looked_up(sources)
    assert len([path for path in asked if path.startswith("/api") and KEPT in path]) == 1
    assert len([path for path in asked if path.startswith(f"/hf/api/papers/{KEPT}")]) == 1
    assert not any(DISLIKED in path for path in asked)
    clock.now += timedelta(days=6)
    await fetcher.fetch()
    assert looked_up(sources) == []
    clock.now += timedelta(days=1)
    await fetcher.fetch()
    assert len(looked_up(sources)) == 2


async def test_what_was_not_answered_is_asked_again(asking):
    fetcher, sources, _ = asking
    sources.faults["/api"] = Refusal(403)
    await fetcher.fetch()
    assert looked_up(sources)
    sources.faults.clear()
    await fetcher.fetch()
    assert any(KEPT in path for path in looked_up(sources))


async def test_a_fetch_of_one_source_asks_for_nothing_besides(asking):
    fetcher, sources, _ = asking
    await fetcher.fetch(only="hackernews")
    assert looked_up(sources) == []
