"""A query's tree -> SQL: what is asked of the word index, and the functions that SQL is given."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import QueryError
from core.papers.schema import STEPS
from core.search.lexical import (
    Near,
    compile_query,
    holds_author,
    holds_phrase,
    register_functions,
    soft_words,
    words_expression,
)
from core.search.query import parse, parse_words
from core.search.tree import Word


@pytest.fixture(scope="module")
def empty_library():
    connection = sqlite3.connect(":memory:")
    connection.executescript(STEPS[0])
    register_functions(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("wanted", "name", "same"),
    [
        ("Yoshua Bengio", "Yoshua Bengio", True),
        ("Yoshua Bengio", "Bengio, Yoshua", True),
        ("Y. Bengio", "Yoshua Bengio", True),
        ("Yoshua Bengio", "Y. Bengio", True),
        ("bengio", "Yoshua Bengio", True),
        ("Yoshua Bengio", "Samy Bengio", False),
        ("S. Bengio", "Yoshua Bengio", False),
        ("Y. B.", "Yoshua Bengio", False),
        ("Jean-Luc Picard", "Jean Luc Picard", True),
        ("Li Li", "Li Wei", False),
        ("José García", "Jose Garcia", True),
        ("Yoshua Bengio", "Yoshua A. Bengio", True),
    ],
)
def test_an_author_is_known_by_spellings_of_the_name(wanted, name, same):
    assert holds_author(wanted, json.dumps([name])) is same


def test_a_name_is_looked_for_within_one_author():
    assert not holds_author("Yoshua Hinton", '["Yoshua Bengio", "Geoffrey Hinton"]')
    assert holds_author("Hinton", '["Yoshua Bengio", "Geoffrey Hinton"]')
    assert not holds_author("Hinton", "[]")


@pytest.mark.parametrize(
    ("phrase", "text", "held"),
    [
        ("length generalization", "On Length-Generalization!", True),
        ("length generalization", "length of generalization", False),
        ("length generalization", "lengths generalization", False),
        ("art", "state of the art", True),
        ("art", "particle", False),
        ("erdos", "Erdős graphs", True),
    ],
)
def test_a_phrase_is_exact_but_for_case_accents_and_punctuation(phrase, text, held):
    assert holds_phrase(phrase, text) is held


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("grokking", '"grokking"'),
        ("self-supervised", '"self supervised"'),
        ("a OR b", '("a" OR "b")'),
        ("theory of mind", '("theory" AND "mind")'),
        ("(the of)", '("the" AND "of")'),
        ("x (b OR GLM-5V)", '("x" AND ("b" OR "glm 5v"))'),
        ("x cat:cs.LG", None),
        ('x OR "y z"', None),
        ("x OR -y", None),
    ],
)
def test_words_alone_become_one_expression_of_the_index(text, expression):
    assert words_expression(parse(text).tree) == expression


def test_stop_words_do_not_count_beside_others():
    assert soft_words(parse("the theory of mind cat:cs.LG").tree) == [Word("theory"), Word("mind")]
    assert soft_words(parse("to be or not").tree) == [Word("to"), Word("be"), Word("or"), Word("not")]


def test_a_repeated_word_is_ranked_by_repeatedly():
    assert compile_query(parse("cell the cell line").tree, {}).ranking == '"cell" OR "cell" OR "line"'


def test_filters_alone_leave_nothing_to_rank_by():
    compiled = compile_query(parse("cat:cs.LG min:3 -survey after:2026").tree, {})
    assert (compiled.ranking, compiled.soft, compiled.bound) == ("", "", False)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("grokking cat:cs.LG", True),
        ('"a b"', True),
        ("mind OR model", True),
        ("a OR cat:cs.LG", False),
        ("(a cat:cs.LG) OR ti:b", True),
        ("-a", False),
        ("au:x", False),
        ("mind OR of", False),
        ("of", True),
        ("of (mind OR model)", True),
        ("mind-of OR mind", True),
    ],
)
def test_ranking_words_choose_the_candidates_only_where_they_must_be_held(text, bound):
    assert compile_query(parse(text).tree, {}).bound is bound


def test_what_people_type_never_stands_in_the_sql():
    near = {"2310.01234": Near('"secret"', {7: 1.0})}
    text = (
        'secret "secret x" ti:secret abs:"secret" au:"O\'Secret" cat:secret src:hf like:2310.01234 -secret '
        "(secret OR min:3) after:2026 before:2027"
    )
    compiled = compile_query(parse(text).tree, near)
    assert "ecret" not in compiled.filters.text
    assert compiled.filters.text.count("?") == len(compiled.filters.values)


@given(st.one_of(st.text(max_size=80), st.text(alphabet="ab\"'()-*:^{}+. ORNEAT", max_size=80)))
def test_no_text_is_read_as_syntax_of_the_word_index(empty_library, text):
    for read in (parse, parse_words):
        try:
            query = read(text)
        except QueryError:
            continue
        if query.likes:
            continue
        compiled = compile_query(query.tree, {})
        where = compiled.filters
        empty_library.execute(f"SELECT 1 FROM papers p WHERE {where.text}", where.values).fetchall()
        for expression in filter(None, (compiled.ranking, compiled.soft)):
            empty_library.execute("SELECT 1 FROM words WHERE words MATCH ?", (expression,)).fetchall()
