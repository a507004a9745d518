"""Vectors that follow the library, and a search by both: over a real library, with a model that hashes words."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import correlation

import pytest

from core.errors import ModelError
from core.search.embedding import BLOCK, Reader
from core.search.engine import Engine
from core.search.hybrid import look_up_words, rank_by_both
from core.search.lexical import BM25
from core.search.meaning import NO_MODEL, NO_VECTORS, Meaning
from core.search.postings import WordLists
from core.search.query import parse, parse_words
from core.search.vectors import VectorFile, vector_path, vector_paths
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.shelves import NOON, make_record, open_library

FILE = "library.sqlite"
RECORDS = (
    make_record("2201.00001", "Grokking", abstract="Delayed generalization.", categories=("cs.LG",)),
    make_record("2201.00002", "Memorization of random labels", abstract="Networks.", categories=("stat.ML",)),
    make_record("2201.00003", "Cars in the city", abstract="Traffic.", categories=("cs.RO",)),
    make_record("2201.00004", "Wheat rust", abstract="Fungal diseases.", categories=("q-bio.PE",)),
    make_record("2201.00005", "Grokking, withdrawn", abstract="Grokking.", withdrawn=True),
    make_record("2201.00006", "Attention Is All You Need", abstract="The transformer."),
)


async def read(library, models):
    reader = Reader(library, models)
    try:
        await reader.list_words()
        return await reader.read_missing()
    finally:
        await reader.close()


@asynccontextmanager
async def open_world(folder, records=RECORDS, models=None):
    models = models or FakeModels()
    async with open_library(folder, records) as library:
        await read(library, models)
        yield library, models, Engine(library, Meaning(folder / "library.sqlite", models))


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path) as opened:
        yield opened


def ids(found):
    return [hit.paper.id for hit in found.hits]


def why(found):
    return {hit.paper.id: hit.why for hit in found.hits}


async def ask(engine, text, limit=10, offset=0):
    return await engine.search(parse(text), limit=limit, offset=offset)


async def test_a_paper_is_found_by_meaning_though_it_holds_none_of_the_words(world):
    _, _, engine = world
    found = await ask(engine, "automobile")
    assert ids(found) == ["2201.00003"]
    assert why(found) == {"2201.00003": "near in meaning"}
    assert found.notes == ()


async def test_each_hit_says_whether_words_or_meaning_or_both_brought_it(world):
    _, _, engine = world
    found = why(await ask(engine, "generalization memorization"))
    assert found["2201.00002"] == "words: memorization; near in meaning"
    assert found["2201.00001"] == "words: generalization; near in meaning"


async def test_a_reason_keeps_to_its_length_and_still_says_both(world):
    _, _, engine = world
    found = await engine.search(parse_words("memorization of random labels networks " * 6), limit=1)
    assert found.hits[0].why.endswith("; near in meaning")
    assert len(found.hits[0].why) <= 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("automobile cat:cs.LG", []),
        ("automobile -traffic", []),
        ("automobile cat:cs.*", ["2201.00003"]),
        ("memorization cat:cs.LG", ["2201.00001"]),
        ("memorization -grokking", ["2201.00002"]),
        ('memorization "delayed generalization"', ["2201.00001"]),
        ("memorization after:2030", []),
        ("memorization (cat:stat.ML OR cat:q-bio.PE)", ["2201.00002"]),
    ],
)
async def test_filters_hold_for_what_meaning_finds(world, text, expected):
    _, _, engine = world
    assert ids(await ask(engine, text)) == expected


async def test_a_narrow_filter_finds_the_one_paper_among_many_that_are_nearer(tmp_path):
    many = [make_record(f"x:{n}", f"Memorization {n}", abstract="memorization " * (n % 5)) for n in range(600)]
    far = make_record("x:far", "Grokking kernel wheat", categories=("math.NT",))
    async with open_world(tmp_path, [*many, far]) as (_, _, engine):
        assert "x:far" not in ids(await ask(engine, "memorization", limit=100))
        assert ids(await ask(engine, "memorization cat:math.NT")) == ["x:far"]


async def test_withdrawn_papers_are_not_found_by_meaning(world):
    _, _, engine = world
    assert "2201.00005" not in ids(await ask(engine, "memorization"))
    assert "2201.00005" not in ids(await engine.similar("2201.00001", limit=10))


async def test_a_page_is_whole_also_where_most_of_the_best_are_withdrawn(tmp_path):
    gone = [make_record(f"x:gone{n}", "Memorization", withdrawn=True) for n in range(40)]
    left = [make_record(f"x:{n}", f"Memorization of kernel {n}") for n in range(8)]
    async with open_world(tmp_path, [*gone, *left]) as (_, _, engine):
        found = ids(await ask(engine, "memorization", limit=6))
    assert len(found) == 6
    assert not any("gone" in paper for paper in found)


async def test_similar_papers_are_near_in_meaning_and_leave_the_paper_out(world):
    _, _, engine = world
    found = await engine.similar("2201.00002", limit=1)
    assert ids(found) == ["2201.00001"]
    assert found.hits[0].why == "like 2201.00002"


async def test_like_ranks_by_meaning_within_the_other_filters(world):
    _, _, engine = world
    assert ids(await ask(engine, "like:2201.00002"))[0] == "2201.00001"
    found = await ask(engine, "like:2201.00002 cat:q-bio.PE")
    assert ids(found) == ["2201.00004"]
    assert why(found)["2201.00004"] == "like 2201.00002; cat:q-bio.PE"


async def test_of_papers_as_near_in_meaning_those_that_hold_its_words_are_more_like_a_paper(tmp_path):
    records = [
        make_record("x:asked", "Grokking of wheat"),
        make_record("x:words", "Grokking of wheat in spring"),
        make_record("x:other", "Memorization of wheat in spring"),  # by the fake model the same
    ]
    async with open_world(tmp_path, records) as (_, _, engine):
        found = await engine.similar("x:asked", limit=5)
        assert ids(found) == ["x:words", "x:other"]
        assert found.hits[0].score == 1.0
        assert ids(await ask(engine, "like:x:asked")) == ["x:words", "x:other"]


async def test_like_an_unembedded_paper_goes_by_words(world):
    library, _, engine = world
    await library.ingest([make_record("2201.00007", "Wheat fungal rust", abstract="Fungal diseases.")], now=NOON)
    assert ids(await engine.similar("2201.00007", limit=1)) == ["2201.00004"]
    assert ids(await ask(engine, "like:2201.00007"))[0] == "2201.00004"


async def test_a_paper_that_is_not_embedded_yet_takes_the_place_that_its_words_give_it(tmp_path):
    many = [make_record(f"x:{n}", f"Memorization {n}", abstract="kernel " * (n % 3)) for n in range(30)]
    async with open_world(tmp_path, many) as (library, _, engine):
        newer = [
            make_record("x:whole", "Wheat kernel memorization"),
            make_record("x:part", "Kernels of operating systems"),
        ]
        await library.ingest(newer, now=NOON)
        found = ids(await ask(engine, "memorization kernel wheat", limit=40))
    assert found[0] == "x:whole"
    assert found.index("x:part") > 10


async def test_while_much_of_the_library_is_not_read_yet_a_search_says_so(tmp_path):
    many = [make_record(f"x:{n}", f"Memorization {n}") for n in range(500)]
    async with open_world(tmp_path, many) as (library, models, engine):
        assert (await ask(engine, "memorization")).notes == ()
        await library.ingest([make_record(f"y:{n}", "Wheat") for n in range(2_000)], now=NOON)
        told = "20% of the library is read for meaning so far; the rest is found by its words."
        assert (await ask(engine, "memorization")).notes == (told,)
        await read(library, models)
        assert (await ask(engine, "memorization")).notes == ()


async def test_the_paper_that_is_called_so_comes_first(world):
    _, _, engine = world
    found = await ask(engine, "attention is all you need")
    assert (ids(found)[0], found.hits[0].why, found.hits[0].score) == ("2201.00006", "title matches", 1.0)


async def test_pages_of_both_follow_each_other_without_a_gap_or_a_repeat(tmp_path):
    many = [make_record(f"x:{n}", f"Memorization {n}", abstract="kernel " * (n % 7)) for n in range(330)]
    async with open_world(tmp_path, many) as (_, _, engine):
        pages = [await ask(engine, "memorization", limit=10, offset=offset) for offset in range(0, 330, 10)]
    paged = [identifier for page in pages for identifier in ids(page)]
    assert len(paged) == len(set(paged)) == 330


@pytest.mark.parametrize(
    "text",
    [
        "привет мир",
        "深度学习",
        r"$\ell_1$ \mathbb{R}^n",
        "the of and",
        "x" * 4_000,
        "word " * 800,
        "def f(x): return x",
    ],
)
async def test_odd_queries_get_an_answer(world, text):
    _, _, engine = world
    for query in (parse(text), parse_words(text)):
        found = await engine.search(query, limit=5)
        assert all(hit.why for hit in found.hits)


@pytest.mark.parametrize("text", ["2201.00004", "https://arxiv.org/abs/2201.00004v2", "arXiv:2201.00004"])
async def test_an_id_or_address_gives_that_paper_alone(world, text):
    _, _, engine = world
    assert ids(await ask(engine, text)) == ["2201.00004"]


async def test_a_new_paper_is_found_by_word_at_once_and_by_meaning_once_it_is_read(world):
    library, models, engine = world
    await library.ingest([make_record("2201.00008", "Automobiles of tomorrow")], now=NOON)
    assert "2201.00008" in ids(await ask(engine, "tomorrow"))
    assert "2201.00008" not in ids(await ask(engine, "car"))
    assert await read(library, models) == 1
    assert "2201.00008" in ids(await ask(engine, "car"))


async def test_a_paper_is_read_again_only_when_its_text_changed(world):
    library, models, engine = world
    models.now.embedder.seen.clear()
    await library.ingest(
        [make_record("2201.00003", "Cars in the city", abstract="Traffic.", comment="9 pages")], now=NOON
    )
    assert await read(library, models) == 0
    assert models.now.embedder.seen == []
    await library.ingest([make_record("2201.00003", "Memorization", abstract="", version=2)], now=NOON)
    assert await read(library, models) == 1
    assert "2201.00003" in ids(await ask(engine, "grokking"))


async def test_other_processes_follow_what_the_owner_reads(tmp_path, world):
    library, models, _ = world
    reader = Meaning(tmp_path / "library.sqlite", models)
    known = reader.open()
    assert len(known.matrix) == len(RECORDS)
    await library.ingest([make_record("2201.00008", "Automobiles of tomorrow")], now=NOON)
    await read(library, models)
    assert len(reader.open().matrix) == len(RECORDS) + 1


async def test_without_a_model_search_goes_by_words_and_says_so(tmp_path):
    models = FakeModels(None)
    async with open_world(tmp_path, models=models) as (_, _, engine):
        found = await ask(engine, "memorization")
        assert ids(found) == ["2201.00002"]
        assert found.notes == (f"Searched by words alone: {NO_MODEL}.",)
        assert (await ask(engine, "cat:cs.LG")).notes == ()
        assert (await ask(engine, "2201.00001")).notes == ()
        assert "numpy" in sys.modules
        assert vector_paths(tmp_path) == []
        models.now = FakeModel(FakeEmbedder())
        assert (await ask(engine, "memorization")).notes == (f"Searched by words alone: {NO_VECTORS}.",)


async def test_a_model_that_comes_later_serves_without_a_restart(tmp_path):
    models = FakeModels(None)
    async with open_world(tmp_path, models=models) as (library, _, engine):
        await ask(engine, "automobile")
        models.now = FakeModel(FakeEmbedder())
        await read(library, models)
        assert ids(await ask(engine, "automobile")) == ["2201.00003"]


async def test_a_broken_model_leaves_search_to_the_words(world, tmp_path):
    library, models, _ = world
    models.now.broken = True
    engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
    found = await ask(engine, "memorization")
    assert ids(found) == ["2201.00002"]
    assert found.notes == ("Searched by words alone: the model or its vectors are damaged.",)
    await library.ingest([make_record("2201.00008", "More")], now=NOON)
    with pytest.raises(ModelError):
        await read(library, models)


async def test_the_old_vectors_serve_while_a_changed_model_reads_and_go_when_it_is_done(tmp_path, world):
    library, models, _ = world
    old = models.now
    gate, begun = threading.Event(), threading.Event()

    def wait(_texts):
        begun.set()
        assert gate.wait(20)

    meaning = Meaning(tmp_path / "library.sqlite", models)
    engine = Engine(library, meaning)
    await ask(engine, "automobile")
    models.former, models.now = [old], FakeModel(FakeEmbedder("newer", before=wait))
    reading = asyncio.create_task(read(library, models))
    assert await asyncio.to_thread(begun.wait, 20)
    assert ids(await ask(engine, "automobile")) == ["2201.00003"]
    fresh = Meaning(tmp_path / "library.sqlite", models)
    assert fresh.open().embedder.key == "fake"
    gate.set()
    assert await reading == len(RECORDS)
    meaning.renew()
    assert meaning.open().embedder.key == "newer"
    assert ids(await ask(engine, "automobile")) == ["2201.00003"]
    assert vector_paths(tmp_path) == [vector_path(tmp_path, "newer")]


async def test_old_vectors_without_their_model_are_of_no_use(tmp_path, world):
    library, models, _ = world
    models.now = FakeModel(FakeEmbedder("newer"))
    engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
    assert (await ask(engine, "memorization")).notes == (f"Searched by words alone: {NO_VECTORS}.",)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"SQLite format 3\0" + b"\0" * 4_000])
async def test_broken_vectors_are_made_again(tmp_path, world, content):
    library, models, _ = world
    path = vector_path(tmp_path, "fake")
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(content)
    engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
    assert ids(await ask(engine, "memorization")) == ["2201.00002"]
    assert await read(library, models) == len(RECORDS)
    assert ids(await ask(Engine(library, Meaning(tmp_path / "library.sqlite", models)), "automobile")) == ["2201.00003"]


async def test_vectors_of_an_older_version_or_another_library_are_made_again(tmp_path, world):
    library, models, _ = world
    path = vector_path(tmp_path, "fake")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    assert await read(library, models) == len(RECORDS)
    await library.set_fact("identity", "another")
    assert await read(library, models) == len(RECORDS)
    assert await read(library, models) == 0


async def test_vectors_of_another_library_answer_nothing_until_they_are_made_again(tmp_path, world):
    library, models, _ = world
    await library.set_fact("identity", "another")
    engine = Engine(library, Meaning(library.path, models))
    found = await ask(engine, "automobile")
    assert (ids(found), found.notes) == ([], (f"Searched by words alone: {NO_VECTORS}.",))
    await read(library, models)
    assert "2201.00003" in ids(await ask(engine, "automobile"))


async def test_a_library_that_went_back_in_time_is_read_anew(tmp_path, world):
    library, models, engine = world
    await library.write(lambda c: c.execute("DELETE FROM papers WHERE id = '2201.00006'"))
    assert await read(library, models) == len(RECORDS) - 1
    assert "2201.00006" not in ids(await ask(engine, "attention"))


async def test_lost_word_lists_are_made_again_and_searches_go_on_meanwhile(tmp_path, world):
    library, models, _ = world
    for folder in tmp_path.glob("postings-*"):
        for file in folder.glob("*.idx"):
            file.write_bytes(b"broken")
    engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
    assert ids(await ask(engine, "wheat"))[0] == "2201.00004"
    assert ids(await engine.similar("2201.00002", limit=1)) == ["2201.00001"]
    assert ids(await ask(engine, "like:2201.00002"))[0] == "2201.00001"
    await library.ingest([make_record("2201.00009", "Wheat again")], now=NOON)
    await read(library, models)
    assert set(ids(await ask(engine, "wheat"))) >= {"2201.00004", "2201.00009"}


async def test_the_quick_word_lists_rank_as_the_librarys_own_index_does(tmp_path):
    titles = ("Kernel methods", "Kernel kernel tricks for text", "Text as data", "Methods of data", "Unrelated")
    draw = random.Random(3)
    words = ["words", "of", "text", "and", "data", "in", "graphs", "with", "many", "methods"]
    records = [
        make_record(f"x:{n}", f"{titles[n % 5]} {n}", abstract=" ".join(draw.choices(words, k=40))) for n in range(300)
    ]
    async with open_world(tmp_path, records) as (library, _, _):
        postings = await library.read(WordLists(tmp_path).open)
        assert (postings.number, postings.change) == (300, 300)
        for asked in (["tricks"], ["kernel", "tricks"], ["kernel", "graphs", "kernel"], ["42"]):
            quick = postings.rank(asked, 300)
            expression = " OR ".join(asked)
            query = f"SELECT rowid, -{BM25} FROM words WHERE words MATCH ?"
            slow = dict(await library.read(lambda c, q=query, e=expression: c.execute(q, (e,)).fetchall()))
            assert quick.keys() == slow.keys()
            chosen = list(slow)[:50]
            assert postings.score(asked, chosen) == pytest.approx({number: quick[number] for number in chosen})
            assert rank_correlation([quick[n] for n in slow], list(slow.values())) > 0.9
        assert postings.frequencies(["kernel", "kernels", "nowhere"]) == ([120, 120, 0], 300)


async def test_a_word_with_a_hyphen_is_asked_of_the_quick_word_lists_too(tmp_path):
    records = [make_record(f"x:{n}", f"State of the art {n}" if n % 3 else f"Wheat {n}") for n in range(60)]
    async with open_world(tmp_path, records) as (library, models, _):
        known = Meaning(tmp_path / "library.sqlite", models).open()
        query = parse("state-of-the-art wheat")
        vector = known.embedder.embed_query(query.text)

        def rank(connection, postings):
            return rank_by_both(look_up_words(connection, query, {}, 50, postings), 50, known, vector)

        postings = await library.read(WordLists(tmp_path).open)
        # Without the index of the library itself, there is nobody else who could have answered.
        await library.write(lambda c: c.execute("INSERT INTO words (words) VALUES ('delete-all')"))
        quick = await library.read(lambda c: rank(c, postings))
        assert len(quick.words) == 60
        assert not (await library.read(lambda c: rank(c, None))).words


async def test_a_page_is_the_same_though_not_everybodys_words_are_counted(tmp_path):
    draw = random.Random(4)
    words = [f"word{n}" for n in range(60)]
    records = [make_record(f"x:{n}", " ".join(draw.choices(words, k=6)), abstract=f"word0 {n}") for n in range(1_500)]
    async with open_world(tmp_path, records) as (library, models, _):
        known = Meaning(tmp_path / "library.sqlite", models).open()
        postings = await library.read(WordLists(tmp_path).open)
        for text in ("word0 word1", "word0 word7 word7 word9", "word0"):
            vector = known.embedder.embed_query(text)
            looked_up = await library.read(lambda c, t=text: look_up_words(c, parse(t), {}, 60, postings))
            assert not looked_up.whole  # more hold a word than the lists ranked
            few, many = (rank_by_both(looked_up, first, known, vector) for first in (5, len(records)))
            assert list(few.scores.items())[:5] == list(many.scores.items())[:5]
            assert few.near == many.near
            assert few.scores.keys() == many.scores.keys()


async def test_where_the_model_fails_in_a_search_words_answer_and_say_so(tmp_path, world):
    library, _, _ = world

    class Failing(FakeEmbedder):
        def embed_query(self, text):
            raise ModelError("The model is broken.")

    failing = Engine(library, Meaning(tmp_path / "library.sqlite", FakeModels(FakeModel(Failing()))))
    found = await asyncio.gather(*(failing.search(parse("wheat rust"), limit=5) for _ in range(20)))
    assert {hit.paper.id for answer in found for hit in answer.hits} == {"2201.00004"}
    assert {answer.notes for answer in found} == {("Searched by words alone: the model cannot read this.",)}
    assert (await library.paper("2201.00004")).title == "Wheat rust"


async def test_a_wide_filter_asks_the_word_index_once_and_not_for_each_of_its_papers(world):
    library, _, _ = world
    query = parse("cat:cs.LG grokking")

    def plans(connection):
        asked = []
        connection.set_trace_callback(asked.append)
        look_up_words(connection, query, {}, 50, None)
        connection.set_trace_callback(None)
        words = [sql for sql in asked if "FROM words WHERE" in sql]
        return [row[3] for sql in words for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

    scans = [plan for plan in await library.read(plans) if plan.startswith("SCAN words")]
    # "M" stands for the words, "=" before it for a look-up by number (https://sqlite.org/src/file/ext/fts5/fts5_main.c)
    assert scans
    assert not [plan for plan in scans if "=" in plan]


def rank_correlation(left, right):
    if len(left) < 3:
        return 1.0
    orders = [sorted(range(len(values)), key=values.__getitem__) for values in (left, right)]
    places = [{item: place for place, item in enumerate(order)} for order in orders]
    return correlation([places[0][n] for n in range(len(left))], [places[1][n] for n in range(len(left))])


KILLED = """
import asyncio, os, sys
from pathlib import Path
from core.papers.library import Library
from core.search.embedding import Reader
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels

def before(texts):
    print(len(texts), flush=True)
    sys.stdin.readline()

async def main():
    library = await Library.open(Path(sys.argv[1]))
    reader = Reader(library, FakeModels(FakeModel(FakeEmbedder(before=before))))
    await reader.list_words()
    await reader.read_missing()

asyncio.run(main())
"""


async def test_a_kill_in_the_middle_costs_one_block_and_needs_no_repair(tmp_path):
    records = [make_record(f"x:{n}", f"Kernel {n}") for n in range(3 * BLOCK)]
    async with open_library(tmp_path, records):
        pass
    process = subprocess.Popen(  # noqa: ASYNC220 - it is spoken to line by line
        [sys.executable, "-c", KILLED, str(tmp_path / FILE)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(2):  # the model's centre, the first block
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.stdout.readline() == f"{BLOCK}\n"  # the second block is under way
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    models = FakeModels()
    async with open_library(tmp_path) as library:
        assert VectorFile.open(vector_path(tmp_path, "fake")).upto == BLOCK
        assert await read(library, models) == 2 * BLOCK
        assert len(Meaning(tmp_path / "library.sqlite", models).open().matrix) == 3 * BLOCK


async def test_a_stop_comes_after_the_papers_at_hand(tmp_path):
    records = [make_record(f"x:{n}", f"Kernel {n}") for n in range(3 * BLOCK)]
    async with open_library(tmp_path, records) as library:
        begun, gate = threading.Event(), threading.Event()

        def wait(texts):
            if len(texts) == BLOCK:
                begun.set()
                assert gate.wait(20)

        reader = Reader(library, FakeModels(FakeModel(FakeEmbedder(before=wait))))
        reading = asyncio.create_task(reader.read_missing())
        assert await asyncio.to_thread(begun.wait, 20)
        closing = asyncio.create_task(reader.close())
        await asyncio.sleep(0.05)
        gate.set()
        await closing
        assert await reading == BLOCK
        assert not VectorFile.open(vector_path(tmp_path, "fake")).is_whole


async def test_searches_during_the_reading_see_what_is_there_already(tmp_path):
    records = [make_record(f"x:{n}", f"Cars {n}") for n in range(2 * BLOCK)]
    async with open_library(tmp_path, records) as library:
        begun, gate = threading.Event(), threading.Event()
        seen = []

        def wait(texts):
            seen.append(len(texts))
            if seen.count(BLOCK) == 2:
                begun.set()
                assert gate.wait(20)

        models = FakeModels(FakeModel(FakeEmbedder(before=wait)))
        reading = asyncio.create_task(read(library, models))
        assert await asyncio.to_thread(begun.wait, 20)
        engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
        assert len(ids(await ask(engine, "automobile", limit=500))) == BLOCK
        gate.set()
        await reading
        assert len(ids(await ask(engine, "automobile", limit=500))) == 2 * BLOCK


async def test_progress_is_told_up_to_the_last_paper(tmp_path):
    records = [make_record(f"x:{n}", f"Cars {n}") for n in range(BLOCK + 5)]
    told = []
    async with open_library(tmp_path, records) as library:
        reader = Reader(library, FakeModels())
        await reader.read_missing(lambda done, total: told.append((done, total)))
        await reader.close()
    assert told == [(BLOCK, BLOCK + 5), (BLOCK + 5, BLOCK + 5)]


async def test_the_least_cosine_keeps_out_what_has_nothing_to_do_with_a_query(world, tmp_path):
    library, models, _ = world
    strict = FakeModels(FakeModel(replace(models.now.embedder, least_cosine=0.99)))
    engine = Engine(library, Meaning(tmp_path / "library.sqlite", strict))
    assert ids(await ask(engine, "automobile")) == []
    assert ids(await ask(engine, "memorization")) == ["2201.00002"]
