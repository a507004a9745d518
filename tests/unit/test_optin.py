"""Confirmed opt-in by its rules, without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery.optin import VOUCHED, ask, block, confirm, find_wish, name_of, tidy, vouch
from core.errors import LinkError
from core.store.correspondents import Correspondent, Wish

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ADDRESS = "email:a@b.org"
NAME = name_of(ADDRESS, b"k" * 32)


def wish(identifier="w1", at=NOW):
    return Wish(identifier, "grokking", "08:00", "UTC", "daily", 5, at, "192.0.2.7")


def asked(known=None, item=None, *, mails_a_day=3):
    return ask(known, NAME, ADDRESS, item or wish(), mails_a_day=mails_a_day)


def test_the_name_of_an_address_needs_the_key_and_does_not_mind_capitals():
    assert name_of("email:A@B.org", b"k" * 32) == NAME
    assert name_of(ADDRESS, b"l" * 32) != NAME
    assert "a@b" not in NAME


def test_a_blocked_address_is_not_asked():
    assert asked(block(NAME, NOW)) is None


@given(hours=st.lists(st.integers(0, 71), max_size=20), most=st.integers(1, 5))
def test_there_are_never_more_mails_in_a_day_than_allowed_nor_more_than_three_wishes(hours, most):
    known, moments = None, []
    for number, hour in enumerate(sorted(hours)):
        moment = NOW + timedelta(hours=hour)
        after = asked(known, wish(f"w{number}", moment), mails_a_day=most)
        if after is not None:
            known = after
            moments.append(moment)
            assert len(known.wishes) <= 3
    for moment in moments:
        assert sum(moment - timedelta(days=1) < other <= moment for other in moments) <= most


def test_a_wish_is_confirmed_once_and_within_seven_days():
    known = asked()
    found = find_wish(known, "w1", NOW + timedelta(days=7))
    with pytest.raises(LinkError):
        find_wish(known, "w1", NOW + timedelta(days=7, seconds=1))
    after = confirm(known, found, given_from="192.0.2.8", now=NOW)
    assert after.consents[0].given_from == "192.0.2.8"
    with pytest.raises(LinkError, match="used already"):
        find_wish(after, "w1", NOW)
    with pytest.raises(LinkError):
        find_wish(None, "w1", NOW)


def test_what_is_forgotten_and_when():
    known = asked()
    assert tidy(known, subscribed=False, now=NOW) is not None
    assert tidy(known, subscribed=False, now=NOW + timedelta(days=8)) is None
    member = confirm(known, known.wishes[0], given_from="x", now=NOW)
    assert tidy(member, subscribed=True, now=NOW + timedelta(days=900)).consents == member.consents
    left = tidy(member, subscribed=False, now=NOW)
    assert left.left_at == NOW
    assert tidy(left, subscribed=False, now=NOW + timedelta(days=30)) == replace(left, asked=())
    assert tidy(left, subscribed=False, now=NOW + timedelta(days=30, seconds=1)) is None
    assert tidy(left, subscribed=True, now=NOW).left_at is None
    blocked = block(NAME, NOW)
    assert tidy(blocked, subscribed=False, now=NOW + timedelta(days=9_000)) == blocked


def test_the_operators_word_is_kept_as_that():
    known = vouch(None, NAME, ADDRESS, "s1", NOW)
    assert (known.address, known.consents[0].wording, known.consents[0].given_from) == (ADDRESS, VOUCHED, "shell")
    assert Correspondent(NAME).address == ""
