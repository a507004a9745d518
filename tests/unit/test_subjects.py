"""How like papers are by their categories: a rare one tells more, and what is not known tells nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.digests.subjects import Subjects

WINDOW = (("cs.LG", "cs.CV"), ("cs.LG",), ("math.NT",), (), ("cs.LG", "math.NT"))
CATEGORIES = st.lists(st.sampled_from(("cs.LG", "cs.CV", "math.NT", "q-bio.PE")), max_size=3, unique=True)


def test_papers_that_are_listed_alike_are_wholly_alike():
    assert np.allclose(Subjects(WINDOW).likeness([("cs.CV", "cs.LG"), ("math.NT",)])[[0, 1], [0, 2]], 1)


def test_a_rare_category_in_common_tells_more_than_a_frequent_one():
    by_common, by_rare = Subjects(WINDOW).likeness([("cs.LG",), ("cs.CV",)])[:, 0]
    assert by_rare > by_common > 0


def test_without_categories_and_in_others_than_the_window_has_nothing_is_alike():
    assert not Subjects(WINDOW).likeness([(), ("econ.GN",)]).any()
    assert not Subjects([(), ()]).likeness([("cs.LG",)]).any()


@given(st.lists(CATEGORIES, min_size=1, max_size=6))
def test_papers_of_the_window_are_as_alike_as_any_others_that_are_listed_so(listed):
    subjects = Subjects(listed)
    alike = subjects.between(np.arange(len(listed)))
    assert np.allclose(alike, alike.T, atol=1e-6)
    assert np.allclose(alike, subjects.likeness(listed), atol=1e-6)
    assert ((alike >= 0) & (alike <= 1 + 1e-6)).all()
