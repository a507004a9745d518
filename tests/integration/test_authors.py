"""Following an author: every spelling, and of several people of one name the one that is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.message import Kind
from core.digests.digest import Order, choose
from core.digests.slate import Slates
from core.papers.windows import OnDay
from core.search.authors import Work, person_of, tell_apart
from core.search.engine import Engine
from core.search.query import parse
from tests.shelves import open_library
from tests.worlds import MONDAY, MONDAY_DATE, make_record, open_world, titles, words


def paper(number, *authors, categories=("cs.CV",), **fields):
    return make_record(f"2611.{number:05}", f"Paper {number}", authors=authors, categories=categories, **fields)


# Two people called Wei Wang, one of vision and one of genes, and one work of somebody nobody can tell.
VISION = [paper(1, "Wei Wang", "Li Fei"), paper(2, "Ann Bo", "W. Wang", "Li Fei"), paper(3, "Wang Wei", "Ann Bo")]
GENES = [
    paper(4, "Wei Wang", "Carl Curie", categories=("q-bio.GN",)),
    paper(5, "Carl Curie", "Wei Wang", "Dora Day", categories=("q-bio.GN", "cs.LG")),
]
UNKNOWN = [paper(6, "Wei Wang", "Eve Eck", categories=("math.CO",))]
GIVEN = ("Ann", "Bob", "Cat", "Dan", "Eli", "Fay", "Gus", "Hal", "Ian", "Joe", "Kim")
CROWD = [paper(100 + n, f"{name} Wang", categories=("econ.TH",), day=None) for n, name in enumerate(GIVEN)]
OTHERS = [*CROWD, paper(7, "Wenjia Wang", "Li Fei"), paper(8, "Bernhard Schölkopf", "Y. Bengio")]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, [*VISION, *GENES, *UNKNOWN, *OTHERS]) as opened:
        yield opened


async def found(world, query):
    return sorted(title.removeprefix("Paper ") for title in titles(await world.ask(f"search {query}")))


@pytest.mark.parametrize(
    ("query", "papers"),
    [
        ('au:"Bernhard Schoelkopf"', ["8"]),
        ('au:"Scholkopf, B."', ["8"]),
        ('au:"Yoshua Bengio"', ["8"]),
        ('au:"Wenjia Wang"', ["2", "7"]),
        ('au:"Wei Wang" cat:q-bio.GN', ["4", "5"]),
        ('au:"Wei Wang@2611.00001"', ["1", "2", "3"]),
        ('au:"Wei Wang@2611.00004"', ["4", "5"]),
        ('au:"Wang, Wei@https://arxiv.org/abs/2611.00005v2"', ["4", "5"]),
        ('au:"Wei Wang@2611.00006"', ["6"]),
        ('cat:q-bio.GN -au:"Wei Wang@2611.00001"', ["4", "5"]),
    ],
)
async def test_an_author_is_found_by_every_spelling_and_told_from_namesakes(world, query, papers):
    assert await found(world, query) == papers


async def test_a_subscription_to_one_of_several_gets_that_ones_new_papers_alone(world):
    await world.ask('subscribe au:"Wei Wang@2611.00001" in UTC daily top 9')
    await world.tick(MONDAY.replace(hour=8))
    assert sorted(titles(world.posted()[0])) == ["Paper 1", "Paper 2", "Paper 3"]
    world.now = MONDAY.replace(day=24)
    day = world.now.date()
    await world.learn(
        paper(11, "Wei Wang", "Ann Bo", day=day),
        paper(12, "Wei Wang", "Dora Day", categories=("q-bio.GN",), day=day),
        paper(13, "Wei Wang", "Fay Fox", day=day),
    )
    await world.tick(world.now.replace(hour=8))
    assert sorted(titles(world.posted()[1])) == ["Paper 11", "Paper 13"]


async def test_subscribing_says_that_there_are_several_and_how_to_follow_one(world):
    answer = words(await world.ask('subscribe au:"Wei Wang" in UTC'))
    assert "Wei Wang can be 3 people: 3 papers in cs.CV, with Ann Bo and Li Fei, as in 2611.0000" in answer
    assert "2 papers in q-bio.GN, with Carl Curie and Dora Day" in answer
    assert 'To follow one alone: au:"Wei Wang@2611.0000' in answer
    assert "can be" not in words(await world.ask('subscribe au:"Bernhard Schölkopf" in UTC'))


async def test_why_shows_which_one_it_is(world):
    await world.ask('subscribe au:"Wei Wang" in UTC')
    await world.ask('subscribe au:"Wei Wang@2611.00001" in UTC')
    answer = words(await world.ask("why 2611.00004"))
    assert "Wei Wang is here the one of 2 papers in q-bio.GN, with Carl Curie and Dora Day; 2 others have" in answer
    assert 'To follow this one alone: au:"Wei Wang@2611.0000' in answer
    assert "somebody else is followed." in answer
    assert '#2 au:"Wei Wang@2611.00001": no match, au:"Wei Wang@2611.00001" does not hold for it' in answer
    assert "the one who is followed." in words(await world.ask("why 2611.00003"))


async def test_why_of_the_only_one_of_a_name_says_so(world):
    await world.ask('subscribe au:"B. Schölkopf" in UTC')
    assert "nobody else of that name is known." in words(await world.ask("why 2611.00008"))
    assert "is here" not in words(await world.ask("why 2611.00001"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ('au:"Wei Wang@2101.99999"', "au: the library holds no 2101.99999 by Wei Wang."),
        ('au:"Wei Wang@2611.00008"', "au: the library holds no 2611.00008 by Wei Wang."),
        ('au:"Wei Wang@soon"', "au: takes a paper of the author behind the @."),
        ('au:"@2611.00008"', "au: takes a paper of the author behind the @."),
    ],
)
async def test_a_person_nobody_knows_is_one_sentence_with_the_place(world, query, sentence):
    for command in (f"search x {query}", f"subscribe x {query}"):
        answer = await world.ask(command)
        assert answer.kind is Kind.ERROR
        assert sentence in words(answer)
    assert await world.house.store.subscriptions() == []


def work(number, spelling="Wei Wang", *others, categories=("cs.CV",)):
    return Work(number, f"p{number}", spelling, tuple(others), tuple(categories))


def groups(*works):
    return sorted(sorted(one.number for one in person.works) for person in tell_apart(works))


def test_works_of_more_than_thirty_authors_link_nobody():
    crowd = [f"Person {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(40)]
    assert groups(work(1, "Wei Wang", *crowd), work(2, "Wei Wang", *crowd)) == [[1], [2]]


def test_spellings_that_contradict_each_other_are_never_one_person():
    assert groups(work(1, "Wei Wang", "A B"), work(2, "Wenjia Wang", "A B"), work(3, "W. Wang", "A B")) in (
        [[1, 3], [2]],
        [[1], [2, 3]],
    )


def test_a_lone_work_joins_the_only_people_of_its_field():
    two = [work(1, "Wei Wang", "A B"), work(2, "Wei Wang", "A B")]
    assert groups(*two, work(3)) == [[1, 2, 3]]
    assert groups(*two, work(3, categories=("math.CO",))) == [[1, 2], [3]]
    more = [work(4, "Wei Wang", "C D"), work(5, "Wei Wang", "C D")]
    assert groups(*two, *more, work(3)) == [[1, 2], [3], [4, 5]]


def test_a_rare_name_does_not_fall_into_as_many_people_as_papers():
    works = [work(1, "Philip Torr", "A B"), work(2, "Philip Torr", "C D", categories=("cs.CL",)), work(3, "P. Torr")]
    chemist = work(4, "Philip Torr", "E F", categories=("physics.chem-ph",))
    assert [sorted(one.number for one in person.works) for person in tell_apart([*works, chemist], rare=True)] == [
        [1, 2, 3],
        [4],
    ]
    assert len(tell_apart(works)) == 3


async def test_whether_a_name_is_rare_is_known_from_the_library(tmp_path):
    names = ["Ann", "Bob", "Cat", "Dan", "Eli", "Fay", "Gus", "Hal", "Ian", "Joe", "Kim"]
    crowd = [paper(50 + n, f"{name} Zhao", categories=("math.CO",)) for n, name in enumerate(names)]
    mine = [paper(20, "Ada Zhao", "L One"), paper(21, "Ada Zhao", "L Two", categories=("cs.CL",))]
    async with open_world(tmp_path, mine) as world:
        assert len(await world.house.newsroom.engine.people("Ada Zhao")) == 1
        await world.learn(*crowd)
        assert len(await world.house.newsroom.engine.people("Ada Zhao")) == 2


def test_the_links_go_on_from_one_work_to_the_next():
    chain = [work(n, "Wei Wang", f"A {n}", f"A {n + 1}", categories=(f"x.{n}",)) for n in range(1, 6)]
    assert groups(*chain) == [[1, 2, 3, 4, 5]]
    assert groups(*reversed(chain)) == [[1, 2, 3, 4, 5]]
    assert groups(chain[0], chain[4], chain[2], chain[1], chain[3]) == [[1, 2, 3, 4, 5]]


NAMES = st.sampled_from(["Wei Wang", "W. Wang", "Wenjia Wang", "Wang, Wei"])
WORKS = st.lists(
    st.tuples(NAMES, st.lists(st.sampled_from("ABCDE"), max_size=2), st.sampled_from(["cs.CV", "math.CO", ""])),
    max_size=9,
)


@given(shapes=WORKS)
def test_every_work_is_somebodys_and_nobody_has_contradicting_names(shapes):
    works = [
        work(n, name, *(f"Author {one}" for one in others), categories=(field,) if field else ())
        for n, (name, others, field) in enumerate(shapes)
    ]
    people = tell_apart(works)
    assert sorted(one.number for person in people for one in person.works) == list(range(len(works)))
    for person in people:
        spellings = {one.spelling for one in person.works}
        assert not ({"Wei Wang", "Wang, Wei"} & spellings and "Wenjia Wang" in spellings)
        assert person_of(people, person.works[0].paper) is person


async def test_digests_of_one_moment_look_an_author_up_once(tmp_path):
    asked = []
    async with open_library(tmp_path) as library:
        await library.ingest([*VISION, *GENES, *OTHERS], now=MONDAY)
        engine, slates = Engine(library), Slates()

        def choose_each(connection):
            connection.set_trace_callback(asked.append)
            found = []
            for interests in ('au:"Wei Wang@2611.00001"', 'au:"Wei Wang@2611.00001" -survey') * 3:
                order = Order(parse(interests), OnDay(MONDAY_DATE), 9)
                found.append([one.ranked.paper.id[-1] for one in choose(connection, order, engine, slates).chosen])
            connection.set_trace_callback(None)
            return found

        found = await library.read(choose_each)
    assert [sorted(one) for one in found] == [["1", "2", "3"]] * 6
    assert sum("ORDER BY p.number DESC" in statement and "holds_author" in statement for statement in asked) == 1
