"""Search over a real library: what is found, in which order, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_asyncio

from core.errors import LibraryError, QueryError
from core.search.engine import Engine
from core.search.query import parse, parse_words
from tests.shelves import NOON, make_record, make_signal, open_library


def on(year, month=1, day=1):
    return datetime(year, month, day, 18, tzinfo=UTC)


RECORDS = (
    make_record(
        "2201.02177",
        "Grokking: Generalization Beyond Overfitting on Small Algorithmic Datasets",
        abstract="We study generalization of neural networks on small algorithmically generated datasets.",
        authors=("Alethea Power", "Yuri Burda", "Harri Edwards"),
        categories=("cs.LG",),
        published=on(2022, 1, 6),
    ),
    make_record(
        "2301.05217",
        "Progress measures for grokking via mechanistic interpretability",
        abstract="Neural networks often exhibit emergent behavior. We study modular addition.",
        authors=("Neel Nanda", "Y. Bengio"),
        categories=("cs.LG", "cs.AI"),
        published=on(2023, 1, 12),
        signals=(make_signal("upvotes", 30),),
    ),
    make_record(
        "2310.16028",
        "What Algorithms Can Transformers Learn? A Study in Length Generalization",
        abstract="Large language models exhibit surprising emergent generalization properties of length.",
        authors=("Hattie Zhou",),
        categories=("cs.LG", "cs.CL"),
        published=on(2023, 10, 24),
        doi="10.1000/ABC",
    ),
    make_record(
        "2410.00001",
        "A Survey of Diffusion Models",
        abstract="We survey diffusion models for images, their length and their generalization.",
        authors=("Song Long", "Yang King"),
        categories=("cs.CV",),
        published=on(2024, 10, 1),
    ),
    make_record(
        "math.GT/0309136",
        "Knots and Self-Supervised Café Theory",
        abstract="Knots.",
        authors=("Jean-Luc Picard",),
        categories=("math.GT",),
        published=on(2003, 9, 8),
    ),
    make_record(
        "2610.00009",
        "Attention Is All You Need",
        source="huggingface",
        abstract="A transformer.",
        published=on(2026, 10, 2),
        signals=(make_signal("upvotes", 12),),
    ),
    make_record("2610.00010", "Attention Is All You Need For Knots", abstract="Attention attention all need knots."),
    make_record("2610.00011", "Grokking, Withdrawn", abstract="Grokking grokking.", withdrawn=True),
    make_record("scifact:4983", "Microstructure of White Matter", source="import"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory):
    async with open_library(tmp_path_factory.mktemp("library"), RECORDS) as library:
        yield Engine(library)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def search(engine):
    async def ask(text, limit=20, offset=0):
        return await engine.search(parse(text), limit=limit, offset=offset)

    return ask


def ids(found):
    return [hit.paper.id for hit in found.hits]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"length generalization"', {"2310.16028"}),
        ('"LENGTH, generalization"', {"2310.16028"}),
        ('"cafe theory"', {"math.GT/0309136"}),
        ('"diffusion model"', set()),
        ('"of of"', set()),
        ("grokking -interpretability", {"2201.02177"}),
        ("grokking -networks", set()),
        ("generalization -survey", {"2201.02177", "2310.16028"}),
        ('generalization -"length generalization"', {"2201.02177", "2410.00001"}),
        ("cat:cs.LG -cat:cs.AI", {"2201.02177", "2310.16028"}),
        ("cat:cs", {"2201.02177", "2301.05217", "2310.16028", "2410.00001"}),
        ("cat:math.*", {"math.GT/0309136"}),
        ("cat:MATH.gt", {"math.GT/0309136"}),
        ('au:"Alethea Power"', {"2201.02177"}),
        ('au:"A. Power"', {"2201.02177"}),
        ('au:"Yoshua Bengio"', {"2301.05217"}),
        ('au:"Jean Luc Picard"', {"math.GT/0309136"}),
        ('au:"Alethea Burda"', set()),
        ("ti:grokking", {"2201.02177", "2301.05217"}),
        ("ti:grok", {"2201.02177", "2301.05217"}),
        ("abs:grokking", set()),
        ('ti:"all you need"', {"2610.00009", "2610.00010"}),
        ('abs:"neural networks"', {"2201.02177", "2301.05217"}),
        ("ti:self-supervised", {"math.GT/0309136"}),
        ("src:hf", {"2610.00009"}),
        ("src:import", {"scifact:4983"}),
        ("min:12", {"2301.05217", "2610.00009"}),
        ("min:13", {"2301.05217"}),
        ("after:2023-10 before:2024-11", {"2310.16028", "2410.00001"}),
        ("after:2024-10-01 cat:cs", {"2410.00001"}),
        ("after:2024-10-02 cat:cs", set()),
        ("before:2003-09-08", set()),
        ("before:2003-09-09", {"math.GT/0309136"}),
        ("knots OR diffusion", {"math.GT/0309136", "2410.00001", "2610.00010"}),
        ("(modular addition) OR cat:math.GT", {"2301.05217", "math.GT/0309136"}),
        ("(modular knots) OR cat:cs.CV", {"2410.00001"}),
        ('"modular addition" OR (diffusion models)', {"2301.05217", "2410.00001"}),
        ("cat:cs.LG (ti:measures OR au:Zhou)", {"2301.05217", "2310.16028"}),
        ("-cat:cs -src:hf -cat:math attention", {"2610.00010"}),
        ("(-cat:cs au:Picard)", {"math.GT/0309136"}),
    ],
)
async def test_a_query_finds_just_the_papers_that_it_means(search, text, expected):
    found = await search(text)
    assert set(ids(found)) == expected
    assert found.total == len(expected)


async def test_a_word_shuts_out_by_title_and_abstract_and_not_by_an_authors_name(search):
    assert "2410.00001" in ids(await search("diffusion -king -song"))
    assert ids(await search("king")) == ["2410.00001"]


async def test_words_rank_and_one_of_them_is_enough(search):
    found = await search("modular arithmetic grokking")
    assert ids(found)[0] == "2301.05217"
    assert set(ids(found)) == {"2301.05217", "2201.02177"}
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert found.hits[0].score == 1


async def test_the_words_found_are_told(search):
    found = await search("the modular grokking nonsense cat:cs.LG")
    assert found.hits[0].why == "words: modular, grokking; cat:cs.LG"


@pytest.mark.parametrize(
    ("typed", "paper", "why"),
    [
        ("self-taught", "math.GT/0309136", "words: self"),
        ("self-supervised", "math.GT/0309136", "words: self-supervised"),
        ("jean-luc", "math.GT/0309136", "words: jean-luc"),
        ("need-to-know", "2610.00009", "words: need"),
        ("white-2", "scifact:4983", "words: white"),
    ],
)
async def test_of_a_word_with_a_hyphen_only_what_is_there_is_a_reason(search, typed, paper, why):
    assert {hit.paper.id: hit.why for hit in (await search(typed)).hits}[paper] == why


async def test_an_exclusion_beside_alternatives_holds_for_all_of_them(search):
    assert ids(await search("knots OR diffusion -survey -attention")) == ["math.GT/0309136"]


async def test_a_long_reason_is_shortened(search):
    found = await search(
        "progress measures grokking mechanistic interpretability neural networks exhibit emergent addition"
    )
    assert len(found.hits[0].why) == 80
    assert found.hits[0].why.endswith("…")


@pytest.mark.parametrize(
    ("title", "first"),
    [
        ("Attention is all you need", "2610.00009"),
        ("attention is all you need!", "2610.00009"),
        ("What Algorithms Can Transformers Learn? A Study in Length Generalization", "2310.16028"),
        ("What Algorithms Can Transformers Learn: A Study of Length Generalization", "2310.16028"),
        ("Grokking", "2201.02177"),
        ("grokking: generalization beyond overfitting on small algorithmic datasets", "2201.02177"),
        ("Attention Is All You Need src:hf", "2610.00009"),
    ],
)
async def test_a_paper_that_is_called_so_comes_first(search, title, first):
    found = await search(title)
    assert (found.hits[0].paper.id, found.hits[0].why, found.hits[0].score) == (first, "title matches", 1)


async def test_a_short_topic_is_no_title(search):
    assert all(hit.why != "title matches" for hit in (await search("knots theory")).hits)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("2310.16028", "2310.16028"),
        ("https://arxiv.org/abs/2310.16028v2", "2310.16028"),
        ("math.gt/0309136", "math.GT/0309136"),
        ("10.1000/abc", "2310.16028"),
        ("scifact:4983", "scifact:4983"),
    ],
)
async def test_what_names_a_paper_finds_that_paper(search, text, identifier):
    found = await search(text)
    assert ids(found) == [identifier]
    assert (found.hits[0].score, found.hits[0].why) == (1, "this is the paper")


async def test_words_with_a_colon_are_words_where_no_paper_is_called_so(search):
    assert ids(await search("grokking:measures")) == ["2301.05217"]
    assert ids(await search("9999.99999")) == []


async def test_filters_alone_give_the_newest_first_and_then_the_most_upvoted(engine, tmp_path):
    same = [
        make_record(
            f"2610.1000{n}", f"Paper {n}", published=on(2026, 10, day), signals=(make_signal("upvotes", votes),)
        )
        for n, day, votes in ((1, 1, 50), (2, 2, 3), (3, 2, 4), (4, 3, 0))
    ]
    async with open_library(tmp_path, [*same, make_record("2610.10005", "Paper undated")]) as library:
        found = await Engine(library).search(parse("src:arxiv"), limit=10)
    assert ids(found) == [f"2610.1000{n}" for n in (4, 3, 2, 1, 5)]
    assert {hit.score for hit in found.hits} == {0}


async def test_an_empty_query_is_everything_that_is_not_withdrawn(search):
    found = await search("", limit=3)
    assert found.total == len(RECORDS) - 1
    assert ids(found) == ["2610.00009", "2410.00001", "2310.16028"]


async def test_stop_words_alone_are_searched_for(search):
    assert "2610.00009" in ids(await search("is all you"))
    assert ids(await search("beyond of on"))


@pytest.mark.parametrize(
    "text", ["深度学习", "обучение", "xyzzy", "SELECT * FROM papers; --", "C++ {} [] <b>", "a" * 4000]
)
async def test_text_that_no_paper_holds_finds_nothing_and_breaks_nothing(search, text):
    found = await search(text)
    assert found.total == len(found.hits)
    assert {hit.paper.id for hit in found.hits} <= {record.id for record in RECORDS}


async def test_a_pasted_abstract_of_four_thousand_characters_finds_its_paper(search):
    text = "We study generalization of neural networks on small algorithmically generated datasets. " * 50
    assert ids(await search(text[:4000]))[0] == "2201.02177"


async def test_plain_words_are_searched_for_without_the_language(engine):
    found = await engine.search(parse_words('cat:cs.LG "modular addition" -grokking'), limit=5)
    assert found.hits[0].paper.id == "2301.05217"


async def test_pages_follow_each_other_without_a_gap_or_a_repeat(tmp_path):
    many = [make_record(f"x:{n}", f"Kernel {n} kernel", abstract="kernel " * (n % 7)) for n in range(130)]
    async with open_library(tmp_path, [*many, make_record("x:title", "Kernel")]) as library:
        engine = Engine(library)
        pages = [await engine.search(parse("kernel"), limit=7, offset=offset) for offset in range(0, 140, 7)]
    paged = [identifier for page in pages for identifier in ids(page)]
    assert len(paged) == len(set(paged)) == 131
    assert paged[0] == "x:title"
    assert {page.total for page in pages} == {131}


async def test_hits_carry_their_papers_whole(search):
    (hit,) = (await search("au:Nanda")).hits
    assert hit.paper.latest("upvotes") == 30
    assert hit.paper.categories == ("cs.LG", "cs.AI")


async def test_similar_papers_share_telling_words_and_leave_the_paper_out(engine):
    found = await engine.similar("2201.02177", limit=2)
    assert len(found.hits) <= 2
    assert "2201.02177" not in ids(found)
    assert found.hits[0].why == "like 2201.02177"
    assert all(0 < hit.score <= 1 for hit in found.hits)


async def test_like_finds_what_similar_finds(engine, search):
    similar = ids(await engine.similar("2201.02177", limit=20))
    assert ids(await search("like:2201.02177")) == similar
    assert ids(await search("like:2201.02177 -cat:cs")) == [i for i in similar if not i.startswith("2")]


async def test_like_an_unknown_paper_is_one_sentence_that_points_at_the_place(search, engine):
    with pytest.raises(QueryError, match=r"does not hold 2310\.99999") as caught:
        await search("grokking like:2310.99999")
    assert caught.value.position == len("grokking ")
    with pytest.raises(LibraryError, match=r"does not hold 2310\.99999"):
        await engine.similar("2310.99999", limit=5)


async def test_a_paper_without_words_has_nothing_similar(tmp_path):
    async with open_library(tmp_path, [make_record("x:1", "!?"), make_record("x:2", "Word")]) as library:
        assert (await Engine(library).similar("x:1", limit=5)).hits == ()


async def test_what_changes_in_the_library_is_found_at_once(tmp_path):
    async with open_library(tmp_path, [make_record(title="Grokking")]) as library:
        engine = Engine(library)
        await library.ingest([make_record(title="Memorization", version=2)], now=NOON)
        assert ids(await engine.search(parse("grokking"), limit=5)) == []
        assert ids(await engine.search(parse("memorization"), limit=5)) == ["2610.00001"]
        await library.ingest([make_record(version=3, withdrawn=True)], now=NOON)
        assert ids(await engine.search(parse("memorization"), limit=5)) == []
