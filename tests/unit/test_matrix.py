"""Vectors in memory: the bytes are near enough, and what is nearest is what a plain product says."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from core.search import matrix as m


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def make_vectors(count, seed=0, dimensions=48):
    """Vectors with two numbers that are large in all of them, as real ones have."""
    draw = np.random.default_rng(seed)
    common = np.zeros(dimensions)
    common[:2] = (3.0, -2.0)
    return unit(draw.normal(size=(count, dimensions)) * 0.5 + common)


CENTRE = make_vectors(200, seed=9).mean(axis=0)


def fill(vectors, numbers=None):
    matrix = m.Matrix(CENTRE)
    matrix.put(np.arange(1, len(vectors) + 1) if numbers is None else numbers, m.pack(vectors, CENTRE))
    return matrix


@pytest.mark.parametrize("count", [1, 7, 500, m.FEW + 500, 2 * m.SEGMENT + 1_000])
def test_the_nearest_are_those_of_the_plain_product(count):
    vectors, query = make_vectors(count), make_vectors(1, seed=3)[0]
    found = fill(vectors).nearest(query, 20)
    exact = vectors @ query
    best = np.argsort(-exact)[:20]
    assert len(found) == min(20, count)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for number, cosine in found.items():
        assert cosine == pytest.approx(exact[number - 1], abs=3e-3)
        assert exact[number - 1] >= exact[best[-1]] - 3e-3
    assert next(iter(found)) - 1 in set(best[:3])


@pytest.mark.parametrize("few", [True, False])
def test_a_filter_holds_inside_the_choice(few):
    vectors, query = make_vectors(m.FEW * 3), make_vectors(1, seed=3)[0]
    among = np.arange(2, len(vectors) + 1, 2)[: 50 if few else None]
    found = fill(vectors).nearest(query, 10, among=among)
    expected = sorted(among.tolist(), key=lambda number: -float(vectors[number - 1] @ query))[:10]
    assert set(found) <= set(among.tolist())
    assert len(set(found) & set(expected)) >= 9


def test_numbers_that_are_asked_for_besides_are_told_though_far_or_filtered():
    vectors, query = make_vectors(300), make_vectors(1, seed=3)[0]
    farthest = int(np.argmin(vectors @ query)) + 1
    for among in (None, np.array([1, 2, 3])):
        found = fill(vectors).nearest(query, 2, among=among, besides=[farthest, 9_999, -4])
        assert found[farthest] == pytest.approx(float(vectors[farthest - 1] @ query), abs=3e-3)
        assert 9_999 not in found
        assert len(found) == 3


def test_a_filter_that_nothing_meets_finds_nothing():
    assert fill(make_vectors(10)).nearest(CENTRE, 5, among=np.zeros(0, np.int64)) == {}


def test_an_empty_matrix_finds_nothing():
    matrix = m.Matrix(CENTRE)
    assert len(matrix) == 0
    assert matrix.nearest(CENTRE, 5, besides=[1]) == {}
    assert matrix.vector(1) is None


def test_a_later_vector_of_a_paper_takes_the_place_of_the_earlier():
    vectors = make_vectors(10)
    matrix = fill(vectors)
    other = make_vectors(1, seed=5)
    matrix.put(np.array([4]), m.pack(other, CENTRE))
    assert len(matrix) == 10
    assert matrix.vector(4) == pytest.approx(other[0], abs=2e-3)
    assert next(iter(matrix.nearest(other[0], 1))) == 4


def test_papers_come_in_any_order_with_gaps_between_their_numbers():
    vectors = make_vectors(5)
    matrix = fill(vectors, np.array([90_000, 3, 77, 5_000_000, 1]))
    assert next(iter(matrix.nearest(vectors[3], 1))) == 5_000_000
    matrix.put(np.array([2]), m.pack(make_vectors(1, seed=8), CENTRE))
    assert len(matrix) == 6


def test_a_vector_comes_back_nearly_as_it_was():
    vectors = make_vectors(40)
    matrix = fill(vectors)
    for number in range(1, 41):
        assert matrix.vector(number) == pytest.approx(vectors[number - 1], abs=2e-3)
    assert matrix.vector(41) is None
    assert matrix.vector(10**9) is None


def test_vectors_of_several_papers_come_as_those_of_each_and_zeros_for_those_that_there_are_not():
    matrix = fill(make_vectors(40))
    numbers = np.array([7, 10**9, 40, -1, 41, 7])
    found, there = matrix.vectors(numbers)
    assert there.tolist() == [True, False, True, False, False, True]
    for number, vector, known in zip(numbers.tolist(), found, there.tolist(), strict=True):
        assert vector.tolist() == (matrix.vector(number) if known else np.zeros(len(vector))).tolist()


def test_taking_off_the_centre_makes_the_bytes_several_times_as_exact():
    vectors, query = make_vectors(2_000), make_vectors(1, seed=3)[0]
    exact = vectors @ query

    def error(centre):
        packed = m.pack(vectors, centre)
        return float(np.abs(packed.rows * packed.scales[:, None] @ query + centre @ query - exact).std())

    assert error(CENTRE.astype(np.float32)) < error(np.zeros_like(CENTRE, np.float32)) / 1.5


def test_equal_scores_are_all_counted():
    vectors = np.repeat(make_vectors(1), 30_000, axis=0)
    assert len(fill(vectors).nearest(vectors[0], 40)) == 40


def test_a_search_leaves_no_reference_behind_or_takes_one_away():
    matrix, query = fill(make_vectors(10)), make_vectors(1, seed=3)[0]
    matrix.nearest(query, 3)
    before = sys.getrefcount(None)
    for _ in range(5_000):
        matrix.nearest(query, 3)
    # One at each call would be 5,000; what else runs in this process takes and gives about a hundred.
    assert abs(sys.getrefcount(None) - before) < 1_000
