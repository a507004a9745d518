"""What the vectors' file knows of the texts that were embedded."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.search.vectors import Digests

numbers = st.integers(min_value=0, max_value=30)
digests = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.lists(st.tuples(numbers, digests)), st.dictionaries(numbers, digests))
def test_of_each_paper_the_digest_counts_that_came_last(kept, later):
    found = Digests(*(np.array([pair[side] for pair in kept], np.int64) for side in (0, 1)))
    expected = dict(kept)
    assert {number: found.get(number) for number in range(32)} == {n: expected.get(n) for n in range(32)}
    found.update(later)
    expected |= later
    assert {number: found.get(number) for number in range(32)} == {n: expected.get(n) for n in range(32)}
