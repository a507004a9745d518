"""A person's own list: paged, exported, seen by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.discord.payload import payloads
from bots.slack.blocks import render
from core.chat import commands as c
from core.chat.message import Kind, plain
from tests.worlds import MONDAY, make_record, open_world, titles, words

RECORDS = [make_record(f"2611.000{number:02}", f"Paper Number {number}") for number in range(1, 31)]
IDS = [record.id for record in RECORDS]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


async def save(world, *ids, **fields):
    for paper in ids:
        world.now += timedelta(seconds=1)
        await world.ask(c.Press("save", paper), **fields)


async def press(world, message, label):
    pressed = next(button for button in message.buttons if button.label == label)
    return await world.ask(c.Press(pressed.action, pressed.value))


async def test_the_list_is_paged_newest_first(world):
    await save(world, *IDS[:12])
    first = await world.ask("saved")
    assert first.heading == "Saved: 12"
    assert titles(first) == [f"Paper Number {n}" for n in (12, 11, 10, 9, 8)]
    assert "1-5 of 12" in words(first)
    assert [button.label for button in first.buttons] == ["More →", "BibTeX", "RIS"]
    second = await press(world, first, "More →")
    assert second.replaces
    last = await press(world, second, "More →")
    assert titles(last) == ["Paper Number 2", "Paper Number 1"]
    assert [button.label for button in last.buttons] == ["← Back", "BibTeX", "RIS"]
    assert titles(await press(world, last, "← Back")) == titles(second)


async def test_nobody_else_sees_it_whatever_the_place(world):
    await save(world, IDS[0])
    for answer in (await world.ask("saved"), await world.ask("saved bibtex")):
        assert (answer.kind, answer.public) == (Kind.ANSWER, False)
    assert titles(await world.ask("saved", place="fake:elsewhere")) == ["Paper Number 1"]
    assert "Nothing saved yet" in words(await world.ask("saved ris", person="fake:bob"))


async def test_it_is_exported_by_word_and_by_button(world):
    await save(world, *IDS[:2])
    typed = await world.ask("saved bibtex")
    assert typed.heading == "Saved, as BibTeX: 2"
    (block,) = typed.lines
    assert block[0].code
    assert plain(block).index("Paper Number 2") < plain(block).index("Paper Number 1")
    assert plain(block).count("@misc{") == 2
    assert plain((await press(world, await world.ask("saved"), "RIS")).lines[0]).count("TY  - UNPB") == 2
    assert (await world.ask("saved RIS")).heading == "Saved, as RIS: 2"


async def test_a_long_export_goes_on_by_a_button_and_no_platform_loses_an_entry(world):
    await save(world, *IDS)
    first = await world.ask("saved ris")
    assert "1-25 of 30" in words(first)
    rest = await press(world, first, "Next 5 →")
    assert not rest.replaces
    assert rest.buttons == ()
    for payload in (render, payloads):
        parts = [*payload(first), *payload(rest)]
        sent = str([part.get("blocks") or part.get("components") for part in parts])
        assert all(f"Paper Number {number}\\" in sent for number in range(1, 31))
        assert sent.count("ER  -") == 30


async def test_what_the_library_does_not_hold_is_listed_by_its_id(world):
    await save(world, IDS[0])
    (mark,) = await world.house.store.marks()
    await world.house.store.mark(type(mark)(mark.person, mark.place, "2401.00009", "saved", MONDAY + timedelta(days=1)))
    assert titles(await world.ask("saved")) == ["2401.00009", "Paper Number 1"]
    assert "2401.00009" in words(await world.ask("saved bibtex"))


async def test_it_says_what_happened_since_a_paper_was_saved(world):
    await world.learn(make_record("2611.00001", "Paper Number 1", version=1))
    await save(world, IDS[0])
    world.now += timedelta(days=3)
    await world.learn(make_record("2611.00001", "Paper Number 1", version=2, code_url="https://github.com/a/b"))
    assert (await world.ask("saved")).cards[0].why == "has version 2, has code"


@pytest.mark.parametrize("rest", ["pdf", "bibtex ris", "2"])
async def test_another_form_is_answered_with_the_right_one(world, rest):
    answer = await world.ask(f"saved {rest}")
    assert answer.kind is Kind.ERROR
    assert "/papers saved [bibtex|ris]" in words(answer)


@pytest.mark.parametrize(("action", "value"), [("saved", "x"), ("saved", "bibtex 0"), ("export", "0"), ("export", "")])
async def test_a_button_that_cannot_be_read_says_so(world, action, value):
    await save(world, IDS[0])
    assert "too old" in words(await world.ask(c.Press(action, value)))


async def test_a_page_behind_the_end_says_so(world):
    await save(world, IDS[0])
    assert "There are no more." in words(await world.ask(c.Press("saved", "5")))
