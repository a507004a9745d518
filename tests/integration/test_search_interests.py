"""Interests over a real library: what a subscription wants of a day, by which words, and why not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import pytest_asyncio

from core.errors import QueryError
from core.papers.windows import All, OnDay
from core.search.engine import Engine
from core.search.interests import Verdict
from core.search.query import parse
from tests.shelves import NOON, listed, make_record, make_signal, open_library

DAY = date(2026, 10, 8)
FILLER = [
    make_record(f"x:{n}", "On models of learning", abstract="models learning data " + "theory " * (n % 2))
    for n in range(40)
]
TODAY = [
    make_record(
        "2610.00001",
        "Length Generalization in Transformers",
        abstract="Models learn theory.",
        authors=("Ada Diffusion", "Grace Hopper"),
        categories=("cs.LG",),
        listings=listed(DAY),
        signals=(make_signal("upvotes", 7),),
    ),
    make_record(
        "2610.00002",
        "Robots that Walk",
        abstract="On the length of legs, and models.",
        categories=("cs.RO",),
        listings=listed(DAY),
    ),
    make_record(
        "2610.00003",
        "Diffusion Models: A Survey",
        abstract="Diffusion of length generalization.",
        categories=("cs.CV",),
        listings=listed(DAY),
    ),
    make_record("2610.00004", "Withdrawn Diffusion", withdrawn=True, listings=listed(DAY)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory):
    async with open_library(tmp_path_factory.mktemp("library"), [*FILLER, *TODAY]) as library:
        yield Engine(library)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def wanted(engine, interests, window=None):
    return (await engine.match(parse(interests), window or OnDay(DAY))).matches


@pytest.mark.parametrize(
    ("interests", "numbers"),
    [
        ("", [1, 2, 3]),
        ("length generalization", [1, 3]),
        ("diffusion models", [3]),
        ("diffusion", [3]),
        ("the diffusion of a", [3]),
        ("quantum diffusion chromodynamics", []),
        ("length cat:cs.RO", [2]),
        ("length -survey", [1, 2]),
        ('"length generalization" -cat:cs.CV', [1]),
        ("robots OR transformers", [1, 2]),
        ("(length generalization) OR cat:cs.RO", [1, 2, 3]),
        ('au:"G. Hopper"', [1]),
        ("min:7", [1]),
        ("nothing:such", []),
        ("2610.00002", [2]),
    ],
)
async def test_interests_want_what_meets_the_filters_and_covers_the_words(engine, interests, numbers):
    found = await wanted(engine, interests)
    assert {match.paper_id for match in found} == {f"2610.0000{number}" for number in numbers}


async def test_a_common_word_may_be_missing_and_a_telling_one_may_not(engine):
    only_telling = await wanted(engine, "robots learning")
    assert [match.paper_id for match in only_telling] == ["2610.00002"]
    assert await wanted(engine, "models learning zebras") == ()


async def test_no_words_no_relevance(engine):
    assert {match.relevance for match in await wanted(engine, "")} == {0}
    assert {match.relevance for match in await wanted(engine, "cat:cs.LG")} == {0}


async def test_words_in_the_title_count_for_more(engine):
    first, second = await wanted(engine, "length generalization")
    assert (first.paper_id, second.paper_id) == ("2610.00001", "2610.00003")
    assert first.relevance == 1
    assert second.relevance == pytest.approx(0.7)


async def test_phrases_count_as_words_do(engine):
    first, second = await wanted(engine, '"length generalization"')
    assert (first.paper_id, first.relevance) == ("2610.00001", 1)
    assert (second.paper_id, second.relevance) == ("2610.00003", 0.7)


@pytest.mark.parametrize(
    ("interests", "told"),
    [
        ("the Length generalization", ("Length", "generalization")),
        ('"length generalization" cat:cs.LG', ("length generalization",)),
        ("cat:cs.LG", ("cs.LG",)),
        ('au:"Grace Hopper" -robots', ("Grace Hopper",)),
        ("transformers OR robots OR min:3", ("transformers", "min:3")),
        ("ti:length", ("length",)),
    ],
)
async def test_what_was_met_is_told_as_it_was_typed(engine, interests, told):
    (match,) = [match for match in await wanted(engine, interests) if match.paper_id == "2610.00001"]
    assert match.words == told


async def test_the_window_is_counted_whole(engine):
    matches = await engine.match(parse("robots"), OnDay(DAY))
    assert (matches.considered, matches.upto, len(matches.matches)) == (3, 4, 1)
    everything = await engine.match(parse("robots"), All())
    assert everything.considered == len(FILLER) + 3
    assert (await engine.match(parse(""), OnDay(DAY + timedelta(days=1)))).considered == 0


async def test_a_pasted_page_as_interests_is_weighed_by_its_rarest_words(engine):
    page = " ".join(f"word{number}" for number in range(700)) + " models learning"
    assert await wanted(engine, page) == ()
    assert {match.paper_id for match in await wanted(engine, "robots walk legs " + "the of and " * 200)} == {
        "2610.00002"
    }


async def test_like_wants_what_is_near(engine):
    near = await wanted(engine, "like:2610.00001")
    assert "2610.00001" not in {match.paper_id for match in near}
    assert "2610.00003" in {match.paper_id for match in near}
    assert all(0 < match.relevance <= 1 for match in near)


async def test_like_an_unknown_paper_points_at_the_place(engine):
    with pytest.raises(QueryError, match="does not hold"):
        await wanted(engine, "like:2610.99999")


@pytest.mark.parametrize(
    ("interests", "verdict"),
    [
        ("", Verdict(matched=True, because="these interests want everything")),
        ("-robots", Verdict(matched=True, because="nothing shuts it out")),
        ("length generalization", Verdict(matched=True, because="words: length, generalization")),
        ("cat:cs.LG length", Verdict(matched=True, because="words: length; cat:cs.LG")),
        ("length -theory", Verdict(matched=False, because="-theory does not hold for it", excluded_by="-theory")),
        ("min:8", Verdict(matched=False, because="min:8 does not hold for it", excluded_by="min:8")),
        (
            "length (cat:cs.CV OR robots)",
            Verdict(
                matched=False, because="cat:cs.CV OR robots does not hold for it", excluded_by="cat:cs.CV OR robots"
            ),
        ),
        (
            "zebras in Quantum length",
            Verdict(matched=False, because="too few of the words are in it; missing: zebras, Quantum"),
        ),
    ],
)
async def test_why_names_the_words_that_met_or_missed_and_the_part_that_shut_it_out(engine, interests, verdict):
    assert await engine.explain(parse(interests), "2610.00001") == verdict


async def test_why_knows_withdrawn_and_unknown_papers(engine):
    assert (await engine.explain(parse(""), "2610.00004")).because == "it was withdrawn"
    assert (await engine.explain(parse(""), "2610.99999")).because == "the library does not hold it"


@pytest.mark.parametrize(
    "interests", ["length generalization", "diffusion -survey", "models learning", "robots OR theory"]
)
async def test_why_and_match_never_disagree(engine, interests):
    query = parse(interests)
    found = {match.paper_id for match in (await engine.match(query, All())).matches}
    for record in (*TODAY, *FILLER[:4]):
        assert (await engine.explain(query, record.id)).matched is (record.id in found)


async def test_an_empty_library_matches_nothing(tmp_path):
    async with open_library(tmp_path) as library:
        engine = Engine(library)
        assert (await engine.match(parse("grokking"), All())).matches == ()
        assert (await engine.search(parse("grokking -x"), limit=5)).total == 0
        await library.ingest([make_record()], now=NOON)
        assert [match.paper_id for match in (await engine.match(parse("grokking"), All())).matches] == ["2610.00001"]
