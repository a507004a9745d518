from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord.markdown import escape, link, markdown, one_line, paragraphs, shorten, size
from core.chat.message import Span, text


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("a *star* and `code`", r"a \*star\* and \`code\`"),
        ("_slanted_ but snake_case stays", r"\_slanted\_ but snake_case stays"),
        ("~~struck~~ but ~100 stays", r"\~\~struck\~\~ but ~100 stays"),
        ("||hidden|| but |x| stays", r"\|\|hidden\|\| but |x| stays"),
        ("# a heading", r"\# a heading"),
        ("- a point", r"\- a point"),
        ("-# small print", r"\-# small print"),
        ("\n\n  # behind empty lines\n\t- too", "\n\n  \\# behind empty lines\n\t\\- too"),
        ("> a quote", r"\> a quote"),
        ("1. first", r"1\. first"),
        ("2310.01234 was never fetched", "2310.01234 was never fetched"),
        ("self-attention at 2.5 x", "self-attention at 2.5 x"),
        ("[words](https://example.org)", r"\[words\](https://example.org%29"),
        ("C:\\path", r"C:\\path"),
        ("<@1> <#2> <:emoji:3>", r"\<@1> \<#2> \<:emoji:3>"),
    ],
)
def test_what_was_typed_is_escaped_where_discord_would_read_it_as_a_mark(typed, sent):
    assert escape(typed) == sent


@pytest.mark.parametrize("word", ["@everyone", "@here"])
def test_a_mention_of_everybody_is_taken_apart_without_a_visible_change(word):
    sent = escape(f"Attention {word} please")
    assert word not in sent
    assert sent.replace("\u200b", "") == f"Attention {word} please"


def test_an_address_in_running_text_stays_a_link():
    assert escape("see https://example.org/a_b_c?x=*y* now") == "see https://example.org/a_b_c?x=%2Ay%2A now"


def test_marks_that_turn_the_direction_of_text_are_removed():
    assert escape("ab\u202ecd\x07") == "abcd"


def test_a_link_whose_address_holds_brackets_and_spaces_is_not_cut_short():
    assert (
        link("A (title)", "https://example.org/wiki/A_(b) c") == "[A (title)](https://example.org/wiki/A_%28b%29%20c)"
    )


def test_words_of_a_link_cannot_end_it_or_look_like_another_address():
    assert link("[x](https://evil.example)", "https://example.org") == (
        r"[\[x\](https:\//evil.example)](https://example.org)"
    )


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "ftp://example.org/x", f"https://example.org/{'x' * 600}"])
def test_an_address_that_cannot_be_a_link_leaves_the_words(url):
    assert link("A *title*", url) == r"A \*title\*"


def test_spans_get_their_looks_and_keep_the_space_around_them():
    line = text(Span("#1 ", bold=True), Span("graphs", italic=True), " at ", Span("top 5", code=True))
    assert markdown(line) == r"**\#1** *graphs* at `top 5`"


def test_a_linked_span_can_be_bold():
    assert markdown(text(Span("Paper", bold=True, url="https://example.org"))) == "**[Paper](https://example.org)**"


def test_code_of_several_lines_becomes_a_block_that_its_content_cannot_end():
    block = markdown(text(Span("@article{a,\n  title = {``` @everyone}\n}", code=True)))
    assert block.startswith("```\n@article{a,\n")
    assert block.endswith("\n```")
    assert "```" not in block[3:-3]
    assert "@everyone" not in block


def test_code_with_a_backtick_stays_one_piece_of_code():
    assert markdown(text(Span("a`b", code=True))) == "`` a`b ``"


def test_empty_spans_leave_no_marks_behind():
    assert markdown(text(Span("", bold=True), Span(" ", italic=True), Span("", code=True))) == " "


def test_shortening_cuts_behind_a_word_and_says_so():
    assert shorten("one two three", 13) == "one two three"
    assert shorten("one two three", 12) == "one two…"
    assert shorten("one two. three", 12) == "one two…"
    assert shorten("x" * 50, 10) == "x" * 9 + "…"


def test_one_line_folds_every_kind_of_white_space():
    assert one_line(" a\r\nb\t\u00a0c ") == "a b c"


def test_size_counts_what_lies_outside_the_first_plane_twice():
    assert size("a👍") == 3


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_shortened_text_is_never_longer_than_asked(typed, limit):
    assert len(shorten(typed, limit)) <= limit


@given(st.text(alphabet="a_*`~|<>@#-[]()\\1. \n", max_size=40))
def test_escaping_loses_no_character(typed):
    shown = re.sub(r"\\([^0-9A-Za-z\s])", r"\1", escape(typed)).replace("\u200b", "")
    assert shown == typed


@given(st.lists(st.builds(Span, st.text(max_size=5000), bold=st.booleans(), code=st.booleans()), max_size=4))
def test_a_long_text_goes_on_in_pieces_that_fit(spans):
    pieces = list(paragraphs(tuple(spans), 3500))
    assert all(0 < size(piece) <= 3500 for piece in pieces)


def test_a_long_text_loses_no_word_between_its_pieces():
    words = [f"word{number}" for number in range(2000)]
    pieces = list(paragraphs(text(" ".join(words)), 3500))
    assert len(pieces) > 3
    assert " ".join(pieces).split() == words
