"""What counts as the same text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.papers.tokens import token_key, tokens, tokens_beginning
from core.search.stems import is_stop_word, stem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Self-Supervised Learning", ["self", "supervised", "learning"]),
        ("GLM-5V: a title", ["glm", "5v", "a", "title"]),
        ("Erdős–Rényi", ["erdos", "renyi"]),
        ("ＧＰＴ４", ["gpt4"]),
        ("Straße", ["strasse"]),
        ("ﬁne-tuning", ["fine", "tuning"]),
        ("深度学习 GPT", ["深", "度", "学", "习", "gpt"]),
        ("snake_case", ["snake", "case"]),
        ("🙂 — …", []),
        ("x\x00y\ud800", ["x", "y"]),
        ("обучение", ["обучение"]),
    ],
)
def test_text_becomes_tokens_without_case_accents_and_punctuation(text, expected):
    assert tokens(text) == expected


@given(st.text())
def test_tokens_of_tokens_are_the_same_tokens(text):
    assert tokens(token_key(text)) == tokens(text)


@given(st.text())
def test_a_token_never_holds_what_the_word_index_would_read_as_syntax(text):
    assert not set(token_key(text)) & set("\"'*^:(){}+-,.")


@given(st.text("aAbB1 -é深", max_size=30), st.lists(st.text("ab1é", min_size=1, max_size=2), max_size=3).map(tuple))
@example("BERT-like rebert bert2", ("bert", "rt"))
def test_tokens_that_begin_so_are_found_without_the_others(text, starts):
    assert tokens_beginning(text, starts) == {token for token in tokens(text) if token.startswith(starts)}


@pytest.mark.parametrize(
    ("one", "other"), [("models", "model"), ("routing", "routed"), ("diffusion", "diffusions"), ("bert", "bert")]
)
def test_forms_of_a_word_have_one_stem(one, other):
    assert stem(one) == stem(other)


def test_a_stem_is_empty_where_the_index_sees_no_token():
    assert stem("") == ""


@pytest.mark.parametrize("word", ["the", "of", "Is", "what"])
def test_function_words_say_nothing(word):
    assert is_stop_word(word)


@pytest.mark.parametrize("word", ["theory", "5", "vitamin", "the-theory"])
def test_words_about_something_are_no_stop_words(word):
    assert not is_stop_word(word)


ENDINGS = ["", "s", "ies", "ing", "ed", "y", "ational", "ization", "ability", "ibility", "fulness", "ousness", "icate"]


@given(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.lists(st.sampled_from(ENDINGS), max_size=2))
@example("a", ["y", "s"])
def test_a_stem_is_how_its_word_begins_but_for_two_letters_at_most(root, endings):
    # What reads the reasons of a hit out of its text looks only at words that begin so.
    word = root + "".join(endings)
    found = stem(word)
    assert word.startswith(found[: max(1, len(found) - 2)])
