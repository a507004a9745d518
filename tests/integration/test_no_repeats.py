"""No repeats across channels, for whom asks for it; and what several subscriptions of one place want is shown once."""

from __future__ import annotations

import pytest

from core.chat import commands as c
from core.chat.parsing import parse_command
from tests.worlds import ALICE, MONDAY, PLACE, make_record, open_world, titles, words

AT_EIGHT = MONDAY.replace(hour=8)
RECORDS = [make_record("2611.00001", "Grokking in Small Transformers"), make_record("2611.00002", "Grokking Again")]


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, RECORDS) as opened:
        yield opened


async def subscribe(world, words_, place, person=ALICE):
    await world.ask(f"subscribe {words_} in UTC daily", place=place, person=person, private=place == person)


def posted_to(world, address):
    return [
        title
        for post in world.platform.posts
        if (post.address, post.part) == (address, 0)
        for title in titles(post.message)
    ]


async def test_a_persons_own_digest_leaves_out_what_their_channels_showed(world):
    await subscribe(world, '"small transformers"', PLACE)
    await subscribe(world, "grokking no repeats", ALICE)
    await world.tick(AT_EIGHT)
    assert posted_to(world, PLACE) == ["Grokking in Small Transformers"]
    assert posted_to(world, ALICE) == ["Grokking Again"]


async def test_channels_in_which_others_subscribed_do_not_count(world):
    await subscribe(world, '"small transformers"', "fake:C9", person="fake:bob")
    await subscribe(world, "grokking no repeats", ALICE)
    await world.tick(AT_EIGHT)
    assert len(posted_to(world, ALICE)) == 2


async def test_without_being_asked_for_nothing_is_left_out(world):
    await subscribe(world, "grokking", PLACE)
    await subscribe(world, "grokking", ALICE)
    await world.tick(AT_EIGHT)
    assert len(posted_to(world, ALICE)) == 2


async def test_a_channel_leaves_out_what_other_channels_of_its_workspace_showed(world):
    await subscribe(world, '"small transformers"', "fake:T1/C1", person="fake:T1/bob")
    await subscribe(world, "grokking no repeats", "fake:T1/C2", person="fake:T1/eve")
    await subscribe(world, "grokking no repeats", "fake:T2/C1", person="fake:T2/eve")
    await world.tick(AT_EIGHT)
    assert posted_to(world, "fake:T1/C2") == ["Grokking Again"]
    assert len(posted_to(world, "fake:T2/C1")) == 2


async def test_what_a_person_is_shown_alone_leaves_nothing_out_of_a_channel(world):
    await subscribe(world, "grokking", "fake:T1/bob", person="fake:T1/bob")
    await subscribe(world, "grokking no repeats", "fake:T1/C2", person="fake:T1/bob")
    await world.tick(AT_EIGHT)
    assert len(posted_to(world, "fake:T1/C2")) == 2


async def test_a_silence_does_not_say_that_this_place_saw_what_another_did(world):
    await subscribe(world, "grokking", PLACE)
    await subscribe(world, "grokking no repeats", ALICE)
    await world.tick(AT_EIGHT)
    assert (
        words(world.posted()[-1])
        .strip()
        .endswith("2 new, 2 matched, and this place, or one beside it, has seen them before.")
    )


async def test_it_is_shown_in_the_list_and_taken_back_by_an_edit(world):
    await subscribe(world, "grokking no repeats quiet top 3", PLACE)
    assert "top 3, quiet, no repeats" in words(await world.ask("list"))
    assert "no repeats" not in words(await world.ask("edit 1 with repeats"))
    assert "no repeats" in words(await world.ask("edit 1 no repeats"))


async def test_a_setting_makes_it_the_default(tmp_path):
    async with open_world(tmp_path, RECORDS, digest={"no_repeats": True}) as world:
        assert "no repeats" in words(await world.ask("subscribe grokking"))
        assert "no repeats" not in words(await world.ask("subscribe kernels with repeats"))


@pytest.mark.parametrize("text", ["repeats", "no repeats in genomes", "tandem repeats", "dna with tandem repeats"])
def test_words_that_are_interests_stay_interests(text):
    command = parse_command(f"subscribe {text}")
    assert isinstance(command, c.Subscribe)
    assert (command.interests, command.options) == (text, c.Options())


async def test_a_paper_that_two_subscriptions_want_names_both_however_much_there_is_to_tell(world):
    long = " ".join(
        f'"{phrase}"' for phrase in ("grokking in small", "in small transformers", "small transformers works")
    )
    abstract = "Grokking in small transformers works. Small transformers works."
    await world.learn(make_record("2611.00001", "Grokking in Small Transformers", abstract=abstract))
    await world.ask(f"subscribe {long} in UTC daily")
    await world.ask("subscribe transformers in UTC daily")
    await world.tick(AT_EIGHT)
    first, second = world.posted()
    assert first.cards[0].why.startswith("matches grokking in small")
    assert "also for #2" in first.cards[0].why
    assert len(first.cards[0].why) <= 80
    assert titles(second) == []
    today = await world.ask("today")
    assert titles(today) == ["Grokking in Small Transformers"]
    assert today.cards[0].why.startswith("#1 matches grokking")
    assert "also for #2" in today.cards[0].why
    assert len(today.cards[0].why) <= 80
