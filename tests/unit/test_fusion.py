from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from core.search.fusion import LONG, NEARNESS, fuse, least_nearness

COMMON = [0.9, 2.4]  # "generalization theory" among 7,000 papers
RARE = [8.2]  # a name that two of them hold
CLAIM = [6.5, 3.1, 2.2, 5.8, 4.0, 7.1, 2.9, 3.6]

NUMBERS = st.integers(1, 40)
# Differences that are lost in a sum's rounding are none.
WORDS = st.dictionaries(NUMBERS, st.floats(0.01, 60).map(lambda score: round(score, 6)), max_size=20)
COSINES = st.dictionaries(NUMBERS, st.floats(-1, 1), max_size=20)
IDF = st.lists(st.floats(0.01, 14), max_size=30)


def test_near_in_meaning_comes_before_full_of_common_words():
    held_by_many = {number: 5.0 - number / 50 for number in range(1, 51)}
    cosines = dict.fromkeys(held_by_many, 0.60) | {99: 0.80}
    assert next(iter(fuse(COMMON, held_by_many, cosines))) == 99


def test_a_rare_name_comes_before_what_is_somewhat_nearer_in_meaning():
    assert list(fuse(RARE, {1: 16.0}, {1: 0.62, 2: 0.70})) == [1, 2]


def test_a_word_that_one_in_ten_thousand_holds_comes_before_what_is_spelled_like_it():
    """Cosines and BM25 as measured for `oversmoothing` among 44,000 papers; the other one is on "oversensitivity"."""
    assert list(fuse([9.0], {1: 9.1}, {1: 0.506, 2: 0.689})) == [1, 2]
    assert list(fuse([9.0, 2.5, 1.5], {1: 9.1}, {1: 0.506, 2: 0.689})) == [2, 1]  # beside others, meaning is known


def test_a_claim_whose_words_are_all_there_comes_before_what_is_somewhat_nearer_in_meaning():
    assert list(fuse(CLAIM, {1: 45.0, 2: 12.0}, {1: 0.72, 2: 0.80})) == [1, 2]


def test_a_claim_said_in_other_words_comes_before_one_that_shares_a_few():
    assert list(fuse(CLAIM, {1: 12.0}, {1: 0.62, 2: 0.80})) == [2, 1]


def test_between_papers_that_hold_the_same_words_meaning_decides():
    assert list(fuse(CLAIM, {1: 20.0, 2: 20.0}, {1: 0.70, 2: 0.71})) == [2, 1]


def test_between_papers_equally_near_in_meaning_words_decide():
    assert list(fuse(CLAIM, {1: 20.0, 2: 21.0}, {1: 0.7, 2: 0.7})) == [2, 1]


def test_the_scores_are_the_weighted_sums_as_shares_of_the_best_one():
    scores = fuse([4.0, 6.0], {1: 10.0, 2: 5.0}, {1: 0.6, 2: 0.8, 3: 0.4})
    # 2.5 * 0.6 + 10/50 = 1.7; 2.5 * 0.8 + 5/50 = 2.1; 2.5 * 0.4 = 1.0
    assert (NEARNESS, LONG) == (2.5, 40.0)
    assert list(scores) == [2, 1, 3]
    assert [round(score, 6) for score in scores.values()] == [1.0, round(1.7 / 2.1, 6), round(1.0 / 2.1, 6)]


def test_a_long_text_is_not_drowned_in_its_words():
    """A text ten times as long reaches ten times the BM25, and yet its meaning must count."""
    text = [4.0] * 100
    assert list(fuse(text, {1: 400.0, 2: 250.0}, {1: 0.65, 2: 0.85})) == [2, 1]


def test_without_any_meaning_the_order_is_that_of_the_words_and_the_scores_are_shares():
    scores = fuse(CLAIM, {1: 5.0, 2: 20.0, 3: 10.0}, {})
    assert list(scores) == [2, 3, 1]
    assert all(isclose(scores[number], share) for number, share in {2: 1.0, 3: 0.5, 1: 0.25}.items())


def test_without_any_words_the_order_is_that_of_meaning():
    assert list(fuse([], {}, {1: 0.5, 2: 0.7, 3: -0.2})) == [2, 1, 3]


def test_before_five_of_those_that_hold_words_are_embedded_words_decide():
    assert list(fuse(RARE, {1: 16.0}, {2: 0.70, 3: 0.62})) == [1, 2, 3]
    assert list(fuse(COMMON, {1: 5.0, 2: 5.5, 3: 6.0}, {4: 0.70, 5: 0.62, 1: 0.68})) == [3, 2, 1, 4, 5]


def test_a_paper_that_is_not_embedded_yet_is_taken_to_be_as_near_as_those_that_hold_as_much():
    held = {number: 2.0 * number for number in range(1, 9)}
    near = {number: 0.5 + 0.03 * number for number in held}
    scores = fuse(CLAIM, held | {99: 9.0}, near)  # between the fourth and the fifth, on their straight line
    assert list(scores) == [8, 7, 6, 5, 99, 4, 3, 2, 1]
    scores = fuse(CLAIM, held | {99: 90.0}, near)  # far beyond all: as near as the nearest, and more words
    assert next(iter(scores)) == 99


def test_a_paper_that_is_not_embedded_yet_is_given_the_benefit_of_the_doubt():
    """Those that are wanted are nearer than most that hold as much, and nobody knows which they are."""
    near = {1: 0.5, 2: 0.7, 3: 0.5, 4: 0.7, 5: 0.5, 6: 0.7}
    order = list(fuse(COMMON, dict.fromkeys([*near, 99], 5.0), near))
    assert order == [6, 4, 2, 99, 5, 3, 1]
    half_way = sum(near.values()) / len(near)
    assert order == list(fuse(COMMON, dict.fromkeys([*near, 99], 5.0), near | {99: half_way + 0.05}))


@given(IDF, WORDS, COSINES)
def test_of_papers_that_are_not_embedded_yet_who_holds_more_comes_first(idf, lexical, semantic):
    unread = [number for number in fuse(idf, lexical, semantic) if number not in semantic]
    assert [lexical[number] for number in unread] == sorted((lexical[number] for number in unread), reverse=True)


def test_between_papers_as_near_to_another_the_share_of_its_words_decides():
    assert list(fuse([], {}, {1: 0.8, 2: 0.8}, {1: 0.5, 2: 0.2})) == [1, 2]
    assert list(fuse([], {}, {1: 0.8, 2: 0.9}, {1: 0.5, 2: 0.2})) == [2, 1]  # 2.5 * 0.1 weighs more than 0.4 * 0.3


def test_nothing_found_is_nothing():
    assert fuse(CLAIM, {}, {}) == {}


def test_what_is_opposite_in_meaning_scores_nothing_rather_than_less():
    assert fuse([], {}, {1: -0.3}) == {1: 0.0}
    assert fuse([], {}, {1: -0.3, 2: 0.5}) == {2: 1.0, 1: 0.0}


def test_equal_scores_are_ordered_the_same_way_whoever_comes_first():
    assert list(fuse([], {}, {1: 0.5, 2: 0.5})) == list(fuse([], {}, {2: 0.5, 1: 0.5})) == [2, 1]


def _embedded(lexical, semantic):
    return {number: score for number, score in lexical.items() if number in semantic}


@given(IDF, WORDS, COSINES)
def test_every_candidate_is_scored_once_from_0_to_1_best_first(idf, lexical, semantic):
    scores = fuse(idf, lexical, semantic)
    assert scores.keys() == lexical.keys() | semantic.keys()
    values = list(scores.values())
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)
    assert not any(values) or values[0] == 1.0


@given(IDF, WORDS, COSINES, st.data())
def test_holding_more_words_or_being_nearer_never_costs_a_place(idf, lexical, semantic, data):
    if not semantic:
        return
    paper = data.draw(st.sampled_from(sorted(semantic)))
    embedded = _embedded(lexical, semantic)  # others' places follow from what holding words goes with
    before = list(fuse(idf, embedded, semantic)).index(paper)
    richer = embedded | {paper: embedded.get(paper, 0.0) + 5.0}
    assert list(fuse(idf, richer, semantic)).index(paper) <= before
    nearer = semantic | {paper: max(semantic[paper], 0.0) + 0.1}
    assert list(fuse(idf, embedded, nearer)).index(paper) <= before


@given(IDF, WORDS, COSINES, st.integers(1, 8), st.data())
def test_nobody_below_the_least_nearness_comes_first_by_words_that_were_not_counted(idf, held, cosines, first, data):
    all_words = _embedded(held, cosines)
    counted = {number: score for number, score in all_words.items() if data.draw(st.booleans())}
    uncounted = all_words.keys() - counted.keys()
    most = max((all_words[number] for number in uncounted), default=0.0)
    least = least_nearness(idf, counted, cosines, first, most)
    enough = counted | {number: all_words[number] for number in uncounted if cosines[number] >= least - 1e-9}
    scores = list(fuse(idf, all_words, cosines).values())[:first]
    assert list(fuse(idf, enough, cosines).values())[:first] == scores


def test_who_is_farther_than_the_last_place_by_more_than_words_can_give_is_not_counted():
    cosines, text = {1: 0.9, 2: 0.8, 3: 0.3}, [LONG / 10] * 10
    assert least_nearness(text, {}, cosines, 2, most=0.0) == 0.8
    assert isclose(least_nearness(text, {}, cosines, 2, most=2 * LONG * NEARNESS * 0.1), 0.7)
    assert least_nearness(text, {}, cosines, 4, most=0.0) == -1.0


@given(st.integers(0, 6))
def test_a_narrow_filter_does_not_change_which_of_two_papers_comes_first(others):
    """Scores are not stretched to the hits at hand, so what else is found does not turn an order round."""
    lexical = {1: 9.0, 2: 3.0} | {10 + n: 30.0 for n in range(others)}
    semantic = {1: 0.66, 2: 0.71} | {10 + n: 0.9 - n / 20 for n in range(others)}
    order = [number for number in fuse(CLAIM, lexical, semantic) if number < 10]
    assert order == list(fuse(CLAIM, {1: 9.0, 2: 3.0}, {1: 0.66, 2: 0.71}))
