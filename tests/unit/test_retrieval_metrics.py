from math import isclose, log2

import pytest

from tests.benchmarks.retrieval_metrics import count_found, ndcg, paired_interval, recall


def test_a_perfect_ranking_has_ndcg_1():
    assert ndcg(["a", "b", "x"], {"a": 2, "b": 1}, 10) == 1.0


def test_a_relevant_paper_in_second_place_is_discounted_by_log2_of_3():
    assert isclose(ndcg(["x", "a"], {"a": 1}, 10), 1 / log2(3))


def test_a_missing_relevant_paper_lowers_ndcg_by_what_it_would_have_gained():
    # found in places 1 and 3: 1 + 1/2; the best would be 1 + 1/log2(3) + 1/2
    assert isclose(ndcg(["a", "x", "b"], {"a": 1, "b": 1, "c": 1}, 10), 1.5 / (1.5 + 1 / log2(3)))


def test_a_better_judgement_gains_in_proportion_and_not_exponentially():
    # 1 + 3/log2(3) of 3 + 1/log2(3)
    assert isclose(ndcg(["a", "b"], {"a": 1, "b": 3}, 10), (1 + 3 / log2(3)) / (3 + 1 / log2(3)))


def test_ndcg_looks_no_deeper_than_asked_and_expects_no_more_than_fits():
    assert ndcg(["x", "a"], {"a": 1}, 1) == 0.0
    assert ndcg(["a"], {"a": 1, "b": 1, "c": 1}, 1) == 1.0


@pytest.mark.parametrize("judged", [{}, {"a": 0}])
def test_where_nothing_is_relevant_nothing_can_be_gained(judged):
    assert ndcg(["a"], judged, 10) == 0.0
    assert recall(["a"], judged, 10) == 0.0


def test_recall_is_the_share_of_the_relevant_ones_within_the_depth():
    judged = {"a": 1, "b": 2, "c": 1, "d": 1, "e": 0}
    assert recall(["a", "e", "b", "c"], judged, 3) == 0.5


def test_papers_found_are_counted_within_the_depth_each_once():
    assert count_found(["a", "a", "x", "b"], {"a", "b", "c"}, 3) == 1


def test_the_interval_of_a_constant_difference_is_that_difference():
    assert paired_interval([0.5, 0.75, 1.0], [0.25, 0.5, 0.75]) == (0.25, 0.25, 0.25)


def test_the_interval_is_the_normal_one_for_many_queries_and_the_same_each_time():
    ours, theirs = [1.0] * 600 + [0.0] * 400, [0.0] * 1000
    mean, low, high = paired_interval(ours, theirs)
    half = 1.96 * (0.6 * 0.4 / 1000) ** 0.5  # of a share of 0.6 among 1,000
    assert mean == 0.6
    assert low == pytest.approx(0.6 - half, abs=0.003)
    assert high == pytest.approx(0.6 + half, abs=0.003)
    assert paired_interval(ours, theirs) == (mean, low, high)


def test_the_interval_is_of_paired_differences_not_of_two_means():
    ours = [0.0, 1.0] * 50
    theirs = [0.0, 0.9] * 50
    _, low, high = paired_interval(ours, theirs)
    assert 0.03 < low < 0.05 < high < 0.07
