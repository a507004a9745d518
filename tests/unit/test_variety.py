"""Variety: papers that are alike keep each other away, at a price that stays small."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.digests.variety import PENALTY, vary


def alike(size, *pairs):
    matrix = np.eye(size)
    for one, other, value in pairs:
        matrix[one, other] = matrix[other, one] = value
    return matrix


def order(scores, matrix, **how):
    return [place for place, _ in vary(np.array(scores), matrix, **how)]


def test_papers_that_have_nothing_in_common_stay_in_the_order_of_their_scores():
    assert order([0.9, 0.8, 0.7], alike(3)) == [0, 1, 2]


def test_a_second_paper_of_the_same_idea_gives_way_to_one_that_is_nearly_as_good():
    assert order([0.9, 0.89, 0.86], alike(3, (0, 1, 0.7))) == [0, 2, 1]


def test_a_much_better_paper_does_not_give_way():
    assert order([0.9, 0.89, 0.5], alike(3, (0, 1, 0.7))) == [0, 1, 2]


def test_nearly_the_same_paper_comes_behind_all_others():
    assert order([0.9, 0.89, 0.1, 0.05], alike(4, (0, 1, 0.97))) == [0, 2, 3, 1]


def test_five_papers_of_one_idea_do_not_fill_a_digest():
    crowd = [(one, other, 0.8) for one in range(5) for other in range(one)]
    assert set(order([0.9, 0.89, 0.88, 0.87, 0.86, 0.855, 0.85], alike(7, *crowd))[:3]) == {0, 5, 6}


def test_papers_that_stand_already_stay_first_and_count_as_chosen():
    assert order([0.1, 0.9, 0.88], alike(3, (0, 1, 0.8)), chosen=1) == [0, 2, 1]


@st.composite
def crowds(draw):
    size = draw(st.integers(1, 12))
    scores = sorted(draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)), reverse=True)
    values = draw(st.lists(st.floats(-1, 0.89), min_size=size * size, max_size=size * size))
    matrix = np.array(values).reshape(size, size)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return np.array(scores), matrix


@given(crowds())
def test_all_are_kept_once_the_kept_scores_fall_and_none_loses_more_than_the_penalty(crowd):
    scores, matrix = crowd
    found = vary(scores, matrix)
    assert sorted(place for place, _ in found) == list(range(len(scores)))
    kept = [score for _, score in found]
    assert kept == sorted(kept, reverse=True)
    assert all(scores[place] - score <= PENALTY + 1e-9 for place, score in found)


@given(crowds(), st.integers(1, 6))
def test_a_shorter_digest_is_the_beginning_of_a_longer_one(crowd, top):
    scores, matrix = crowd
    assert vary(scores, matrix, top=top)[:top] == vary(scores, matrix)[:top]
