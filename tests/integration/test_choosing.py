"""What interests want by word and by meaning, what was taught, and the reason of each: through `compose`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from core.chat.render import chosen_why
from core.digests.backtest import backtest
from core.digests.digest import Order, compose
from core.digests.lessons import learned_words
from core.digests.slate import Ahead, Slates
from core.digests.taste import Taste
from core.papers.windows import OnDay
from core.search.embedding import Reader
from core.search.engine import Engine
from core.search.meaning import Meaning
from core.search.query import parse
from tests.fake_models import FakeEmbedder, FakeModel, FakeModels
from tests.shelves import open_library
from tests.worlds import MONDAY, MONDAY_DATE, make_record, upvotes

PAPERS = (
    make_record("2611.00001", "Cars on Slippery Roads", abstract="How cars brake on slippery roads in winter."),
    make_record("2611.00002", "Automobile Braking Distances", abstract="How an automobile brakes in winter on ice."),
    make_record("2611.00003", "Whales Sing at Night", abstract="Songs of whales were recorded below arctic ice."),
    make_record("2611.00004", "Whales Sing by Day", abstract="Songs of whales were recorded in warm water."),
    make_record("2611.00005", "Prime Numbers Have Gaps", abstract="A bound for gaps between prime numbers."),
    make_record("2611.00006", "Old Norse Grammar", abstract="Verbs of old texts, parsed.", signals=upvotes(41)),
    make_record("2611.00007", "Auctions for Bread", abstract="Bakers bid for flour.", categories=("econ.GN",)),
)
PAST = make_record("2610.00001", "Whale Songs", abstract="Songs of whales, recorded at night.", day=None)


@asynccontextmanager
async def reading(folder, *, records=(*PAPERS, PAST), meaning=True, before=lambda _texts: None):
    async with open_library(folder) as library:
        await library.ingest(records, now=MONDAY)
        models = FakeModels(FakeModel(FakeEmbedder(before=before)))
        reader = Reader(library, models)
        if meaning:
            await reader.read_missing()
        yield library, Engine(library, Meaning(folder / "library.sqlite", models))
        await reader.close()


@pytest.fixture
async def read(tmp_path):
    async with reading(tmp_path) as opened:
        yield opened


async def choose(read, interests, **fields):
    library, engine = read
    order = Order(parse(interests), OnDay(MONDAY_DATE), fields.pop("top", 5), **fields)
    return await compose(order, engine=engine, library=library)


def ids(digest):
    return [item.ranked.paper.id[-1] for item in digest.chosen]


def as_told(digest):
    """What a digest says, without the last digits of what it was reckoned from."""
    parts = [(one.ranked.paper.id, round(one.ranked.score, 4), one.words, one.near, one.liked) for one in digest.chosen]
    return parts, digest.considered, digest.matched, digest.seen


def whys(digest):
    return {item.ranked.paper.id[-1]: chosen_why(item, MONDAY) for item in digest.chosen}


async def test_a_paper_of_other_words_and_the_same_meaning_is_wanted_and_says_so(read):
    digest = await choose(read, "cars")
    assert sorted(ids(digest)) == ["1", "2"]
    assert whys(digest)["1"].startswith("matches cars")
    assert whys(digest)["2"] == "near in meaning"


async def test_without_a_model_words_decide_alone(tmp_path):
    async with reading(tmp_path, meaning=False) as read:
        assert ids(await choose(read, "cars")) == ["1"]


async def test_what_is_off_topic_is_dropped_however_few_are_left(read):
    digest = await choose(read, "cars", top=7)
    assert digest.matched == 2
    assert digest.considered == 7


async def test_a_part_of_the_words_is_not_enough_where_the_meaning_is_another(tmp_path):
    robots = make_record("2611.00008", "Robots Mind Gaps", abstract="robotics " * 30)
    for meaning, wanted in ((True, []), (False, ["8"])):
        async with reading(tmp_path / str(meaning), records=(*PAPERS[:4], robots), meaning=meaning) as read:
            assert [one for one in ids(await choose(read, "winter gaps")) if one == "8"] == wanted


async def test_filters_hold_strictly_whatever_the_meaning(read):
    assert ids(await choose(read, "cars -automobile")) == ["1"]
    assert ids(await choose(read, "whales cat:econ.GN")) == []


async def test_interests_without_words_go_by_trend(read):
    digest = await choose(read, "")
    assert ids(digest)[0] == "6"
    assert digest.matched == 7


@pytest.mark.parametrize("meaning", [True, False])
@pytest.mark.parametrize("interests", ['cat:cs.LG OR "prime numbers"', "cat:cs.LG OR ti:prime"])
async def test_phrases_beside_a_category_order_what_it_brings(tmp_path, interests, meaning):
    async with reading(tmp_path, meaning=meaning) as read:
        digest = await choose(read, interests, top=7)
        assert digest.matched == 6
        assert ids(digest)[0] == "5"
        assert ids(await choose(read, "cat:cs.LG", top=7))[0] == "6"


async def test_what_is_like_a_paper_comes_before_what_is_voted_for(read):
    assert set(ids(await choose(read, f"like:{PAST.id}"))[:2]) == {"3", "4"}


async def test_each_paper_of_a_digest_has_a_reason_within_80_characters(read):
    for interests in ("", "cars", "whales OR cars", "cat:cs.LG", "whales songs night arctic ice winter cars roads"):
        for why in whys(await choose(read, interests, top=7)).values():
            assert 0 < len(why) <= 80


async def test_what_was_liked_comes_first_and_the_reason_counts_the_liked_papers(read):
    before = await choose(read, "", top=7)
    digest = await choose(read, "", top=7, taste=Taste({PAST.id: 1}))
    assert set(ids(digest)[:1]) <= {"3", "4"}
    assert min(ids(digest).index(one) for one in "34") < min(ids(before).index(one) for one in "34")
    assert "like 1 paper this channel marked 👍" in whys(digest)[ids(digest)[0]]
    assert "like 1 paper you marked 👍" in str(whys(await choose(read, "", top=7, taste=Taste({PAST.id: 1}, own=True))))


async def test_what_was_disliked_goes_down(read):
    before = ids(await choose(read, "", top=7))
    after = ids(await choose(read, "", top=7, taste=Taste({}, {"2611.00006": 1})))
    assert before[0] == "6"
    assert after.index("6") > 0


async def test_of_two_papers_that_say_the_same_the_one_in_a_liked_category_comes_first(tmp_path):
    said = {"abstract": "Whales were recorded below arctic ice, and nothing else was."}
    here = make_record("2611.00010", "Whales Below Ice", categories=("q-bio.PE", "cs.SD"), **said)
    elsewhere = make_record("2611.00009", "Whales Below Ice", categories=("physics.ao-ph",), **said)
    past = make_record("2610.00002", "Birds in Trees", categories=("cs.SD",), abstract="Birds in trees.", day=None)
    async with reading(tmp_path, records=(*PAPERS, here, elsewhere, past)) as read:
        before = ids(await choose(read, "", top=9, varied=False))
        after = ids(await choose(read, "", top=9, varied=False, taste=Taste({past.id: 1})))
        assert before.index("9") < before.index("0")
        assert after.index("0") < after.index("9")


async def test_taste_never_brings_back_what_the_interests_shut_out(read):
    taste = Taste({PAST.id: 5})
    assert sorted(ids(await choose(read, "cars", top=7, taste=taste))) == ["1", "2"]
    assert "3" not in ids(await choose(read, "-arctic", top=7, taste=taste))


async def test_taste_works_by_words_where_nothing_was_read_for_meaning(tmp_path):
    async with reading(tmp_path, meaning=False) as read:
        assert ids(await choose(read, "", taste=Taste({PAST.id: 1})))[0] in {"3", "4"}


async def test_a_mark_on_a_paper_that_the_library_lost_changes_nothing(read):
    taste = Taste({"2501.99999": 1}, {"2501.88888": 1})
    assert ids(await choose(read, "", top=7, taste=taste))[0] == "6"


async def test_nearly_the_same_paper_twice_does_not_fill_a_digest(tmp_path):
    twin = make_record("2611.00008", "Cars on Slippery Roads", abstract="How cars brake on slippery roads in winter.")
    other = make_record("2611.00009", "Salt Keeps Lanes Open", abstract="Salt on slippery winter roads.")
    for meaning in (True, False):
        folder = tmp_path / str(meaning)
        async with reading(folder, records=(*PAPERS, twin, other), meaning=meaning) as read:
            found = ids(await choose(read, "slippery winter roads", top=2))
            assert len({"1", "8"} & set(found)) == 1
            assert {"1", "8"} < set(ids(await choose(read, "slippery winter roads", top=3)))


async def test_digests_that_share_what_they_look_up_are_those_made_alone(read):
    library, engine = read
    slates = Slates()
    asked = [
        ("cars", Taste()),
        ("", Taste({PAST.id: 1})),
        ("whales -day", Taste({"2611.00001": 1}, {PAST.id: 2})),
        ('"prime numbers" OR cars', Taste()),
    ]
    marked = [paper for _, taste in asked for paper in (*taste.liked, "2501.99999", *taste.disliked)]
    ahead = Slates(Ahead(marked, ["bread", *(interests for interests, _ in asked), "after:never", "cars"]))
    for interests, taste in asked * 2:
        order = Order(parse(interests), OnDay(MONDAY_DATE), 5, taste=taste)
        shared = await compose(order, engine=engine, library=library, slates=slates)
        expected = await compose(order, engine=engine, library=library, slates=ahead)
        alone = await compose(order, engine=Engine(library, engine._meaning), library=library)
        assert as_told(shared) == as_told(expected) == as_told(alone)


async def test_explaining_says_what_the_digest_did(read):
    _, engine = read
    for interests in ("cars", "whales songs", "winter ice", "bread flour", ""):
        digest = await choose(read, interests, top=7)
        for record in PAPERS:
            verdict = await engine.explain(parse(interests), record.id)
            assert verdict.matched == (record.id[-1] in ids(digest)), (interests, record.title)
    assert (await engine.explain(parse("cars"), "2611.00002")).because == "near in meaning"
    assert "not near enough in meaning" in (await engine.explain(parse("cars"), "2611.00003")).because


async def test_an_interest_is_read_once_for_all_its_digests(tmp_path):
    asked = []

    class Counting(FakeEmbedder):
        def embed_query(self, text):
            asked.append(text)
            return super().embed_query(text)

    async with open_library(tmp_path) as library:
        await library.ingest(PAPERS, now=MONDAY)
        models = FakeModels(FakeModel(Counting()))
        reader = Reader(library, models)
        await reader.read_missing()
        engine = Engine(library, Meaning(tmp_path / "library.sqlite", models))
        for _ in range(3):
            await choose((library, engine), "cars")
        await reader.close()
    assert asked == ["cars"]


async def test_a_backtest_counts_what_is_near_in_meaning_too(read):
    library, engine = read
    now = MONDAY + timedelta(hours=4)
    tried = await backtest(parse("cars"), now, days=7, top=3, engine=engine, library=library)
    assert tried.matched == 2


async def test_what_was_learned_is_told_in_words_as_the_papers_write_them(read):
    library, _ = read
    taste = Taste({PAST.id: 1, "2611.00003": 1}, {"2611.00007": 1})
    lessons = await library.read(lambda connection: learned_words(connection, taste))
    assert {"whales", "songs"} <= set(lessons.more)
    assert "bakers" in lessons.less
    assert not set(lessons.more) & set(lessons.less)
    assert lessons.categories == ("cs.LG",)
