"""Taste: votes pooled, weights that grow with what was taught, and places among each other."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.digests.ranking import MOST_WITH_WORDS, MOST_WITHOUT, mix, standing, taste_weight
from core.digests.taste import pool_votes
from tests.fakes import NOON, make_mark

PLACE = "slack:T1/C1"


def test_a_person_has_one_voice_for_a_paper_and_the_last_word_counts():
    marks = [make_mark("up"), make_mark("down", at=NOON + timedelta(minutes=1))]
    assert pool_votes(marks).disliked == {"2310.01234": 1}


def test_voices_of_a_channel_are_added_up_and_a_tie_says_nothing():
    ann, bob, cid = "slack:T1/U1", "slack:T1/U2", "slack:T1/U3"
    marks = [make_mark("up", person=ann), make_mark("down", person=bob), make_mark("up", person=cid)]
    assert pool_votes(marks).liked == {"2310.01234": 1}
    assert pool_votes(marks[:2]).taught == 0
    assert pool_votes(marks[::2]).liked == {"2310.01234": 2}


def test_what_is_saved_is_no_vote():
    assert pool_votes([make_mark("saved")]).taught == 0


def test_marks_from_before_a_reset_are_forgotten_and_later_ones_count():
    marks = [make_mark("up", paper="a"), make_mark("up", paper="b", at=NOON + timedelta(hours=2))]
    assert pool_votes(marks, since=NOON + timedelta(hours=1)).liked == {"b": 1}


def test_a_taste_is_a_persons_own_only_where_all_voices_are_of_the_one_whose_place_it_is():
    own = make_mark("up", person="email:a@b.org", place="email:a@b.org")
    assert pool_votes([own]).own
    assert not pool_votes([own, make_mark("up", paper="other")]).own
    assert not pool_votes([]).own


def test_taste_weighs_more_the_more_was_taught_and_less_beside_words():
    weights = [taste_weight(count, by_words=True) for count in range(200)]
    assert weights[0] == 0
    assert weights == sorted(weights)
    assert weights[-1] < MOST_WITH_WORDS < taste_weight(200, by_words=False) < MOST_WITHOUT


def test_without_marks_taste_changes_nothing():
    relevance, trend = np.array([0.9, 0.2]), np.array([0.1, 0.8])
    one = mix(relevance, trend, np.array([0.0, 1.0]), taught=0, by_words=True)
    other = mix(relevance, trend, np.array([1.0, 0.0]), taught=0, by_words=True)
    assert one.tolist() == other.tolist()


def test_interests_without_words_go_by_trend_alone():
    scores = mix(np.array([0.9, 0.2]), np.array([0.1, 0.8]), np.array([0.5, 0.5]), taught=0, by_words=False)
    assert scores.tolist() == [0.1, 0.8]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30))
def test_places_keep_the_order_and_lie_between_0_and_1(values):
    scores = np.array(values)
    found = standing(scores)
    assert ((found >= 0) & (found <= 1)).all()
    ordered = found[np.argsort(scores, kind="stable")]
    assert (np.diff(ordered) >= -1e-9).all()


def test_what_is_all_alike_stands_in_the_middle():
    assert standing(np.array([3.0, 3.0])).tolist() == pytest.approx([0.5, 0.5])
