"""Trend: a disclosed formula over dated readings, each compared with those of its peers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digests.trend import UNKNOWN, growth_of, readings_of, trends
from core.papers.paper import Paper, Signal

DOCUMENT = Path(__file__).parents[2] / "docs" / "ranking.md"
TUESDAY = datetime(2026, 11, 24, 8, tzinfo=UTC)
MONDAY = TUESDAY - timedelta(days=1)
HF = "huggingface"


def make_paper(identifier, *readings, category="cs.LG", age=timedelta(days=1)):
    signals = tuple(Signal(name, value, at, HF) for name, value, at in readings)
    return Paper(
        id=identifier, title=identifier, categories=(category,), published=TUESDAY - age, signals=signals, sources=(HF,)
    )


def voted(identifier, count, **fields):
    return make_paper(identifier, ("upvotes", count, TUESDAY), **fields)


def example_row(cells):
    number = [None if cell == "–" else float(cell) for cell in cells[2:5]]
    dated = (("upvotes", number[0], MONDAY), ("upvotes", number[1], TUESDAY), ("comments", number[2], TUESDAY))
    return make_paper(cells[0], *(reading for reading in dated if reading[1] is not None), category=cells[1])


def test_the_example_of_the_document_is_true():
    rows = re.findall(r"(?m)^\| ([A-H]) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"))
    cells = [[name, *rest.split(" | ")] for name, rest in rows]
    assert len(cells) == 8
    found = trends([example_row(row) for row in cells])
    assert {row[0]: f"{found[row[0]]:.2f}" for row in cells} == {row[0]: row[5] for row in cells}


def test_a_paper_that_nobody_could_vote_on_is_not_one_without_interest():
    found = trends([*(voted(str(n), n) for n in range(5)), make_paper("silent")])
    assert found["silent"] == UNKNOWN
    assert found["0"] < found["silent"] < found["4"]


def test_a_quiet_field_has_its_own_top():
    loud = [voted(f"loud {n}", 100 + n) for n in range(10)]
    quiet = [voted(f"quiet {n}", n, category="math.NT") for n in range(4)]
    found = trends([*loud, *quiet])
    assert found["quiet 3"] > found["loud 5"]
    assert found["quiet 3"] == max(found[paper.id] for paper in quiet)


def test_old_votes_do_not_stand_against_fresh_ones():
    old = [voted(f"old {n}", 500 + n, age=timedelta(days=30)) for n in range(5)]
    fresh = [voted(f"fresh {n}", n) for n in range(5)]
    found = trends([*old, *fresh])
    assert found["fresh 4"] == pytest.approx(found["old 4"])


def test_one_paper_alone_stands_in_the_middle():
    assert trends([voted("alone", 3)])["alone"] == pytest.approx((UNKNOWN + 0.5) / 2)


def test_growth_is_reckoned_from_an_earlier_day_and_not_from_this_morning():
    signals = [Signal("upvotes", value, at, HF) for value, at in ((3, MONDAY), (9, TUESDAY), (12, TUESDAY))]
    assert growth_of(signals, "upvotes") == 9
    assert growth_of(signals[1:], "upvotes") is None


def test_readings_are_named_and_a_rank_that_is_over_is_left_out():
    paper = make_paper("one", ("trending_rank", 3, MONDAY), ("stars", 10, MONDAY), ("stars", 45, TUESDAY))
    assert readings_of(paper, TUESDAY) == {"trending": -3, "stars": 35}
    assert readings_of(paper, TUESDAY + timedelta(days=3)) == {"stars": 35}


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30))
def test_more_votes_never_mean_less_and_all_trends_lie_between_0_and_1(counts):
    papers = [voted(str(place), count) for place, count in enumerate(counts)]
    found = trends(papers)
    assert all(0 < value < 1 for value in found.values())
    by_votes = sorted(papers, key=lambda paper: paper.latest("upvotes"))
    ordered = [found[paper.id] for paper in by_votes]
    assert ordered == sorted(ordered)
