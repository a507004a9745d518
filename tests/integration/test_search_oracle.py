"""The compiled query against a slow and simple reading of the same tree, over papers made of few words."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.papers.merge import merge_records
from core.papers.rows import ingest_records
from core.papers.schema import STEPS
from core.papers.tokens import tokens
from core.search import tree as t
from core.search.lexical import compile_query, condition, register_functions
from core.search.query import parse
from core.search.ranking import rank_by_words
from core.search.stems import is_stop_word, stem
from tests.shelves import NOON, make_record, make_signal

TITLES = ("Models of the mind", "The model minds", "Learning, learned", "Of")
ABSTRACTS = ("", "A mind-model learns.", "Modèle of learning: the mind; models")
AUTHORS = ((), ("Ada Mind",), ("A. Model", "Mind Ada Of"))
CATEGORIES = (("cs.LG",), ("cs.CL", "math.GT"), ())
DATES = (None, datetime(2026, 5, 31, 23, 59, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))


def make_papers():
    shapes = product(TITLES, ABSTRACTS, AUTHORS)
    for number, (title, abstract, authors) in enumerate(shapes):
        yield make_record(
            f"x:{number}",
            title,
            source=("arxiv", "huggingface")[number % 2],
            abstract=abstract,
            authors=authors,
            categories=CATEGORIES[number % 3],
            published=DATES[number % 5 % 3],
            signals=(make_signal("upvotes", number),) if number % 4 else (),
        )


PAPERS = tuple(merge_records([record]) for record in make_papers())


@pytest.fixture(scope="module")
def shelf():
    connection = sqlite3.connect(":memory:")
    connection.executescript(STEPS[0])
    register_functions(connection)
    ingest_records(connection, tuple(make_papers()), NOON)
    yield connection
    connection.close()


def has_run(wanted, held):
    return any(held[start : start + len(wanted)] == wanted for start in range(len(held) - len(wanted) + 1))


def has_stems(text, *fields):
    wanted = [stem(token) for token in tokens(text)]
    return any(has_run(wanted, [stem(token) for token in tokens(field)]) for field in fields)


def has_exactly(text, *fields):
    return any(has_run(tokens(text), tokens(field)) for field in fields)


def has_name(name, author):
    """All of the wanted, or (of two tokens) the family name, last or first, and a given name that begins alike."""
    wanted, held = tokens(name), tokens(author)
    if all(wanted.count(token) <= held.count(token) for token in wanted):
        return True
    if len(wanted) < 2 or len(held) < 2:
        return False
    (given, family), (first, *_, last) = wanted, held
    orders = [(first, last), (held[1], first)] if min(map(len, held)) > 1 else [(first, last)]
    return any(
        family == surname and (given == forename or (1 in {len(given), len(forename)} and given[0] == forename[0]))
        for forename, surname in orders
    )


def holds(paper, node):  # noqa: C901, PLR0911, PLR0912 - one case a kind
    match node:
        case t.Word(text):
            return has_stems(text, paper.title, paper.abstract)
        case t.Phrase(text):
            return has_exactly(text, paper.title, paper.abstract, *paper.authors)
        case t.Text(column, text, exact):
            return (has_exactly if exact else has_stems)(text, getattr(paper, column))
        case t.Author(name):
            return any(has_name(name, author) for author in paper.authors)
        case t.Category(name):
            return any(category == name or category.startswith(f"{name}.") for category in paper.categories)
        case t.FromSource(name):
            return name in paper.sources
        case t.MinUpvotes(count):
            return (paper.latest("upvotes") or 0) >= count
        case t.Since(day):
            return paper.published is not None and paper.published.date() >= day
        case t.Until(day):
            return paper.published is not None and paper.published.date() < day
        case t.Not(child):
            return not holds(paper, child)
        case t.Or(children):
            return any(holds(paper, child) for child in children)
        case t.And(children):
            if all(is_wordy(child) for child in children):
                children = [c for c in children if not (isinstance(c, t.Word) and is_stop_word(c.text))] or children
            return all(holds(paper, child) for child in children)
    raise AssertionError(node)


def is_wordy(node):
    if isinstance(node, t.And | t.Or):
        return all(map(is_wordy, node.children))
    return isinstance(node, t.Word)


WORDS = st.sampled_from(["mind", "models", "learn", "of", "the", "mind-model", "absent", "modele", "Ada"])
LEAVES = st.one_of(
    WORDS.map(t.Word),
    st.lists(WORDS, min_size=1, max_size=3).map(" ".join).map(t.Phrase),
    st.builds(t.Text, st.sampled_from(["title", "abstract"]), WORDS, st.booleans()),
    st.sampled_from(["Ada Mind", "A Mind", "Mind", "A", "Ada Model", "M. Ada", "Of Mind"]).map(t.Author),
    st.sampled_from(["cs", "cs.LG", "math", "math.GT", "c"]).map(t.Category),
    st.sampled_from(["arxiv", "huggingface"]).map(t.FromSource),
    st.integers(0, 40).map(t.MinUpvotes),
    st.sampled_from([date(2026, 1, 1), date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 2)]).map(t.Since),
    st.sampled_from([date(2026, 1, 1), date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 2)]).map(t.Until),
)
TREES = st.recursive(
    LEAVES,
    lambda nodes: st.one_of(
        nodes.map(t.Not),
        st.lists(nodes, min_size=2, max_size=3).map(lambda children: t.And(tuple(children))),
        st.lists(nodes, min_size=2, max_size=3).map(lambda children: t.Or(tuple(children))),
    ),
    max_leaves=6,
)


def found_by(shelf, sql):
    rows = shelf.execute(f"SELECT p.id FROM papers p WHERE {sql.text}", sql.values)
    return {identifier for (identifier,) in rows}


@settings(max_examples=3000, deadline=None)
@given(TREES)
def test_a_condition_holds_for_just_the_papers_that_the_tree_means(shelf, tree):
    assert found_by(shelf, condition(tree, {})) == {paper.id for paper in PAPERS if holds(paper, tree)}


@settings(max_examples=120, deadline=None)
@given(TREES)
def test_a_search_counts_what_meets_the_filters_and_holds_a_word(shelf, tree):
    query = parse(t.render(tree))
    hard = [node for node in t.conjuncts(query.tree) if not isinstance(node, t.Word)]
    words = [node.text for node in t.conjuncts(query.tree) if isinstance(node, t.Word)]
    soft = [token for word in words if not is_stop_word(word) for token in tokens(word)]
    soft = soft or [token for word in words for token in tokens(word)]
    expected = {
        paper.id
        for paper in PAPERS
        if all(holds(paper, node) for node in hard)
        and (not soft or any(has_stems(token, paper.title, paper.abstract, *paper.authors) for token in soft))
    }
    ranking = rank_by_words(shelf, compile_query(query.tree, {}), depth=100)
    assert ranking.total == len(expected)
    ids = dict(shelf.execute("SELECT number, id FROM papers"))
    assert {ids[number] for number in ranking.scores} == expected
    assert all(0 <= score <= 1 for score in ranking.scores.values())


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_a_search_never_lists_more_than_it_was_asked_for(shelf, tree):
    ranking = rank_by_words(shelf, compile_query(tree, {}), depth=3)
    assert len(ranking.scores) <= 3
    assert list(ranking.scores.values()) == sorted(ranking.scores.values(), reverse=True)
