from __future__ import annotations

from bots.refusals import KEPT_SECONDS, MOST_PLACES, Refusals
from core.errors import DeliveryError, DeliveryFailure


class Time:
    now = 1_000.0

    def __call__(self):
        return self.now


def refusal(words="no"):
    return DeliveryError(DeliveryFailure.FORBIDDEN, words)


def test_a_refusal_is_known_until_most_of_a_day_is_over():
    time, known = Time(), refusal()
    refusals = Refusals(time)
    refusals.remember("a", known)
    time.now += KEPT_SECONDS - 1
    assert refusals.recall("a") is known
    assert refusals.recall("b") is None
    time.now += 1
    assert refusals.recall("a") is None


def test_a_later_refusal_takes_the_place_of_an_earlier_one_and_lasts_from_then():
    time = Time()
    refusals = Refusals(time)
    refusals.remember("a", refusal("first"))
    time.now += KEPT_SECONDS - 1
    refusals.remember("a", refusal("second"))
    time.now += 2
    assert str(refusals.recall("a")) == "second"
    refusals.forget("a")
    assert refusals.recall("a") is None


def test_of_too_many_places_the_oldest_is_forgotten():
    refusals = Refusals(Time())
    for number in range(MOST_PLACES + 1):
        refusals.remember(str(number), refusal())
    assert refusals.recall("0") is None
    assert refusals.recall("1") is not None
    assert refusals.recall(str(MOST_PLACES)) is not None
