"""What holds for any text at all."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import QueryError
from core.search.query import parse, parse_words, point_at

PIECES = st.sampled_from(
    [
        *(
            '"',
            "“",
            "(",
            ")",
            "（",
            "-",
            "--",
            " ",
            "  ",
            "\n",
            ":",
            ",",
            ".",
            "OR",
            " OR ",
            "or",
            "🙂",
            "é",
            "深",
            "\u0301",
        ),
        *(
            "cat:",
            "cat:cs.LG",
            "au:",
            'au:"A B"',
            "ti:",
            "ti:x",
            "abs:",
            "src:hf",
            "min:3",
            "min:",
            "after:2026-10",
            "like:",
        ),
        *(
            "before:2026",
            "2310.01234",
            "scifact:1",
            "10.1038/x",
            "foo:bar",
            "grokking",
            "the",
            "GLM-5V",
            "@",
            "*",
            "^",
            "{",
        ),
    ]
)
QUERIES = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map(" ".join))


@given(QUERIES)
@example("(@OR)")
@example("@cat:cs.LG")
@example("-(@x)")
@example("(foo:bar)")
@example("a\ud800b")
@example("(10.1038/x)")
def test_reading_back_what_was_written_makes_the_same_tree(text):
    try:
        query = parse(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert point_at(error).count("\n") == 1
        return
    assert parse(str(query)).tree == query.tree


@given(QUERIES)
@example("0\U0003134b")
def test_plain_words_are_read_from_any_text(text):
    try:
        query = parse_words(text)
    except QueryError:
        return
    assert parse(f"({query})" if query.tree else "").tree == query.tree


@given(st.text(alphabet='ab"()- OR:', max_size=60))
def test_brackets_and_quotes_in_any_order_are_read_or_pointed_at(text):
    try:
        parse(text)
    except QueryError as error:
        assert str(error).endswith(".")
