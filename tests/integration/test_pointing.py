"""Papers that somebody points at: in a message, or with the first letters of a title."""

from __future__ import annotations

import pytest

from core.chat import commands as c
from core.chat.message import Kind
from tests.worlds import make_record, open_world, titles, words

RECORDS = (
    make_record("2310.00001", "Grokking in small transformers"),
    make_record("2310.00002", "Neural scaling laws"),
    make_record("2311.00003", 'Scaling "up" neural retrieval'),
    make_record("scifact:4983", "Microstructural development of the brain"),
)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


async def suggested(world, typed):
    return [card.paper for card in (await world.ask(c.Suggest(typed))).cards]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("grok", ["2310.00001"]),
        ("Neural sca", ["2311.00003", "2310.00002"]),
        ("brain develop", ["scifact:4983"]),
        ("2310", ["2310.00001", "2310.00002"]),
        ("https://arxiv.org/abs/2311.00003v2", ["2311.00003"]),
        ("scifact:4983", ["scifact:4983"]),
        ("", ["scifact:4983", "2311.00003", "2310.00002", "2310.00001"]),
        ("x", []),
        ('" OR title : *', []),
        ("no such thing", []),
    ],
)
async def test_papers_are_suggested_by_the_beginning_of_a_title_or_an_id(world, typed, found):
    assert await suggested(world, typed) == found


async def test_a_message_about_one_paper_is_answered_at_once(world):
    like = await world.ask(c.About(("2310.00002",)))
    assert "2310.00002" not in [card.paper for card in like.cards]
    assert "Neural scaling laws" in like.heading
    why = await world.ask(c.About(("2310.00002",), action="why"))
    assert "Fetched" in words(why)


@pytest.mark.parametrize("action", ["more", "why"])
async def test_of_several_papers_in_a_message_the_asker_chooses_one(world, action):
    choice = await world.ask(c.About(("2311.00003", "1901.00001", "2310.00001"), action=action))
    assert titles(choice) == ['Scaling "up" neural retrieval', "Grokking in small transformers"]
    (button,) = choice.cards[1].buttons
    assert (button.action, button.value) == (action, "2310.00001")
    chosen = await world.ask(c.Press(button.action, button.value))
    assert chosen.kind is Kind.ANSWER
    assert "Grokking in small transformers" in words(chosen)


async def test_a_message_without_a_paper_is_searched_for_by_its_words(world):
    found = await world.ask(c.About((), words="Has anybody read about grokking (OR -neural)?"))
    assert titles(found)[0] == "Grokking in small transformers"


async def test_why_needs_a_paper_and_says_so(world):
    answer = await world.ask(c.About((), words="grokking", action="why"))
    assert answer.kind is Kind.ERROR
    assert "no paper in this message" in words(answer)
    assert "no paper in this message" in words(await world.ask(c.About((), words=" …")))


async def test_a_paper_that_paperboy_never_saw_is_named(world):
    assert "1901.00001" in words(await world.ask(c.About(("1901.00001",))))
    assert "never fetched" in words(await world.ask(c.About(("1901.00001",), action="why")))
