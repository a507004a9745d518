from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bots.allowance import Allowance


def test_a_few_calls_go_at_once_and_the_rest_at_the_allowed_pace():
    allowance = Allowance(2.0, 3)
    assert [allowance.reserve(10.0) for _ in range(6)] == [0, 0, 0, 0.5, 1.0, 1.5]


def test_a_pause_makes_room_for_as_many_at_once_as_before_and_no_more():
    allowance = Allowance(1.0, 3)
    for _ in range(3):
        allowance.reserve(0.0)
    assert [allowance.reserve(1_000.0) for _ in range(4)] == [0, 0, 0, 1.0]


def test_a_clock_that_is_put_back_holds_nobody_up():
    allowance = Allowance(1.0, 1)
    allowance.reserve(5_000.0)
    assert allowance.reserve(1_000.0) == 1.0


def test_it_is_idle_when_nothing_of_it_is_used():
    allowance = Allowance(1.0, 2)
    assert allowance.idle(0.0)
    allowance.reserve(0.0)
    assert not allowance.idle(0.5)
    assert allowance.idle(1.0)


@given(
    st.integers(1, 50),
    st.integers(1, 8),
    st.lists(st.integers(0, 3_000), max_size=60).map(sorted),
)
def test_no_second_holds_more_calls_than_the_pace_and_the_burst_together(pace, burst, moments):
    allowance = Allowance(float(pace), burst)
    made = sorted(at / 1_000 + allowance.reserve(at / 1_000) for at in moments)
    for begin in made:
        assert sum(begin <= at < begin + 0.999 for at in made) <= pace + burst
