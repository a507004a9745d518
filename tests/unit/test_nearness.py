"""Nearness: a cosine made comparable between interests, papers and libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search.matrix import Matrix, pack
from core.search.nearness import HALF_AS_NEAR, NEAR, least_nearness, subject_level


def unit(*numbers):
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


SUBJECTS = np.array([unit(1, 0, 0, 0), unit(0, 1, 0, 0)])


def library(*papers):
    centre = np.zeros(4, np.float32)
    matrix = Matrix(centre)
    matrix.put(np.arange(1, len(papers) + 1, dtype=np.int64), pack(np.array(papers, np.float32), centre))
    return matrix


def test_a_paper_that_is_near_to_every_subject_has_much_to_make_up_for():
    general, special = unit(1, 1, 0, 0), unit(0, 0, 1, 0)
    levels = subject_level(np.array([general, special]), SUBJECTS)
    assert levels[0] == pytest.approx(2**-0.5, abs=1e-5)
    assert levels[1] == pytest.approx(0, abs=1e-5)


@given(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_the_level_lies_between_the_nearest_subject_and_the_mean_of_all(numbers):
    paper = unit(*numbers)
    cosines = SUBJECTS @ paper
    (level,) = subject_level(paper[None, :], SUBJECTS)
    assert cosines.mean() - 1e-4 <= level <= cosines.max() + 1e-4


def test_a_broad_interest_asks_for_the_least_and_a_narrow_one_for_half_of_what_the_library_has():
    asked = unit(0, 0, 1, 0)
    assert least_nearness(asked, library(unit(1, 0, 0, 0), unit(0, 1, 0, 0)), SUBJECTS) == NEAR
    papers = [unit(0, 0, 1, 0.1)] * 3 + [unit(1, 0, 0, 0)]
    assert least_nearness(asked, library(*papers), SUBJECTS) == pytest.approx(HALF_AS_NEAR, abs=0.02)


def test_one_odd_paper_does_not_make_an_interest_narrow():
    asked = unit(0, 0, 1, 0)
    one = least_nearness(asked, library(unit(0, 0, 1, 0), unit(1, 0, 0, 0), unit(0, 1, 0, 0)), SUBJECTS)
    three = least_nearness(asked, library(*[unit(0, 0, 1, 0.0)] * 3), SUBJECTS)
    assert one < three / 2


def test_an_empty_library_asks_for_the_least():
    assert least_nearness(unit(0, 0, 1, 0), Matrix(np.zeros(4, np.float32)), SUBJECTS) == NEAR
