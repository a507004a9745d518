"""Windows of candidates: which papers a digest chooses from."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.papers.windows import After, All, Between, Candidates, LastDays, Newest, OnDay
from core.search.engine import Engine
from core.search.query import parse
from tests.shelves import NOON, listed, make_record, open_library

THURSDAY = date(2026, 10, 8)
WEDNESDAY = THURSDAY - timedelta(days=1)
LAST_WEEK = THURSDAY - timedelta(days=7)

RECORDS = (
    make_record("2610.00001", listings=listed(LAST_WEEK)),
    make_record("2610.00002", listings=listed(WEDNESDAY)),
    make_record("2610.00003", listings=listed(WEDNESDAY, kind="cross")),
    make_record("2610.00004", listings=listed(WEDNESDAY), withdrawn=True),
    make_record("2610.00005", source="huggingface", listings=listed(WEDNESDAY, "huggingface", "daily")),
    make_record("2610.00006", source="huggingface", listings=listed(THURSDAY, "huggingface", "daily")),
    make_record("2610.00007", source="import"),
)


@pytest.fixture
async def library(tmp_path):
    async with open_library(tmp_path, RECORDS) as opened:
        yield opened


@pytest.mark.parametrize(
    ("window", "numbers"),
    [
        (Newest(), {2, 3, 6}),
        (After(0), {1, 2, 3, 5, 6}),
        (After(4), {5, 6}),
        (After(6), set()),
        (OnDay(WEDNESDAY), {2, 3, 5}),
        (OnDay(THURSDAY + timedelta(days=1)), set()),
        (Between(WEDNESDAY, WEDNESDAY), {2, 3, 5}),
        (Between(LAST_WEEK, THURSDAY), {1, 2, 3, 5, 6}),
        (Between(THURSDAY, WEDNESDAY), set()),
        (LastDays(1, NOON), {6}),
        (LastDays(2, NOON), {2, 3, 5, 6}),
        (LastDays(30, NOON), {1, 2, 3, 5, 6}),
        (All(), {1, 2, 3, 5, 6, 7}),
    ],
)
async def test_a_window_holds_what_was_listed_in_it_and_is_not_withdrawn(library, window, numbers):
    matches = await Engine(library).match(parse(""), window)
    assert {match.paper_id for match in matches.matches} == {f"2610.0000{number}" for number in numbers}
    size = await library.window_size(window)
    assert (size.count, size.upto) == (len(numbers), 6)
    assert (matches.considered, matches.upto) == (size.count, size.upto)


async def test_a_window_tells_its_days_by_source(library):
    assert (await library.window_size(Newest())).days_by_source == {
        "arxiv": (WEDNESDAY,),
        "huggingface": (THURSDAY,),
    }
    assert (await library.window_size(After(0))).days_by_source["arxiv"] == (LAST_WEEK, WEDNESDAY)


async def test_an_empty_library_has_empty_windows(tmp_path):
    async with open_library(tmp_path) as library:
        for window in (Newest(), After(0), All(), LastDays(7, NOON), Between(LAST_WEEK, THURSDAY)):
            assert await library.window_size(window) == Candidates(0, 0, {})


async def test_what_is_listed_later_is_behind_the_number_told_before(library):
    upto = (await library.window_size(Newest())).upto
    await library.ingest([make_record("2610.00008", listings=listed(THURSDAY))], now=NOON)
    matches = await Engine(library).match(parse(""), After(upto))
    assert [match.paper_id for match in matches.matches] == ["2610.00008"]
