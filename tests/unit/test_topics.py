"""Ready-made interests: those that ship can all be used, and a name means what stands under it."""

from __future__ import annotations

import pytest

from bots.discord.suggestions import LONGEST, MOST, suggest_topics
from bots.topics import read_topics
from core.chat.parsing import split_options
from core.digests.topics import Topics
from core.errors import SettingsError, UsageError
from core.papers.tokens import token_key
from core.search.query import parse

SHIPPED = list(read_topics())


def read(text):
    return Topics.from_toml(text.encode())


@pytest.mark.parametrize("topic", SHIPPED, ids=lambda topic: topic.name)
def test_each_is_a_query_that_can_be_read_and_says_what_it_is_about(topic):
    query = parse(topic.interests)
    assert not query.is_empty
    assert parse(str(query)).tree == query.tree
    assert 10 <= len(topic.about) <= 80
    assert split_options(topic.name)[0] == topic.name


def test_there_are_many_fields_in_and_far_outside_ai():
    assert len(SHIPPED) >= 20
    assert len({token_key(topic.name) for topic in SHIPPED}) == len(SHIPPED)
    archives = {category.partition(".")[0] for topic in SHIPPED for category in parse(topic.interests).categories}
    assert archives >= {"cs", "math", "stat", "econ", "q-fin", "q-bio", "cond-mat", "astro-ph", "physics", "hep-ph"}


@pytest.mark.parametrize(
    "typed", ["topic:game theory", "Topic:Game Theory", "topic: game-theory", " TOPIC:GAME_theory "]
)
def test_a_name_is_known_whatever_its_case_hyphens_and_blanks(typed):
    assert read_topics().find(typed).name == "game theory"


@pytest.mark.parametrize(
    "typed", ["game theory", '"game theory"', "(game theory)", "ti:genomics", "a topic:genomics", ""]
)
def test_what_does_not_begin_as_a_topic_is_taken_as_it_was_typed(typed):
    topics = read_topics()
    assert topics.find(typed) is None
    assert topics.expand(typed) == typed


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("topic:genomix", "Did you mean topic:genomics?"), ("topic:", ""), ("topic:genomics -survey", "")],
)
def test_a_topic_that_there_is_not_is_told_with_the_nearest(typed, hint):
    with pytest.raises(UsageError, match="There are no ready-made interests called") as caught:
        read_topics().expand(typed)
    assert hint in caught.value.hint


def test_interests_are_called_by_their_name():
    topics = read("[birds]\nabout = 'x'\ninterests = 'ornithology OR birds'")
    assert topics.call("ornithology OR birds") == "birds"
    assert topics.call("ornithology") == "ornithology"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[birds", "topics.toml: this is not TOML"),
        ("birds = 1", "'birds' is not a table"),
        ("[birds]\nabout = 'x'", r"\[birds\] needs 'interests', a text"),
        ("[birds]\nabout = ''\ninterests = 'x'", r"\[birds\] needs 'about', a text"),
        ("[birds]\nabout = 'x'\ninterests = 'x'\ntop = 3", "knows no 'top'; allowed are 'about' and 'interests'"),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence):
        read(text)


def test_the_picker_offers_names_that_begin_so_before_those_that_tell_of_it():
    assert [topic.name for topic in read_topics().suggest("quantum")][:2] == ["quantum computing", "cryptography"]
    assert [topic.name for topic in read_topics().suggest("exoplanets")] == ["stars and planets"]
    found = suggest_topics("", read_topics())
    assert len(found) == MOST
    assert all(len(shown) <= LONGEST and read_topics().find(value) for shown, value in found)
    assert suggest_topics("diffusion models -survey", read_topics()) == []
