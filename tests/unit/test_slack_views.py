"""Whatever stands in a form or in App Home, Slack takes it, nothing is lost on the way, and nobody is pinged."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.views import View

from bots.slack.blocks import card_blocks, render
from bots.slack.form import (
    MORE_OPTIONS,
    Draft,
    answer_view,
    form_errors,
    form_view,
    read_form,
    waiting_view,
    zone_options,
)
from bots.slack.home import HomeFacts, home_view
from core.chat.message import Card
from core.digests.subscription import Pause
from core.store import State
from tests.fakes import make_delivery, make_subscription
from tests.servers.slack import complaints, filled
from tests.servers.slack_views import view_complaints
from tests.unit.test_slack_blocks import CARDS, MESSAGES, TEXTS, WORDS

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ME = "slack:T1/U1ALICE"
INTERESTS = st.one_of(WORDS, st.text(max_size=80), st.just("word " * 800))
PLACES = st.sampled_from([ME, "slack:T1/C1", "slack:T1/G2"])
DAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0, fold=0))
DRAFTS = st.builds(
    Draft,
    person=st.just(ME),
    place=PLACES,
    interests=INTERESTS,
    at=TIMES,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia"]),
    days=DAYS,
    weekly=st.booleans(),
    top=st.integers(1, 50),
    when_ready=st.booleans(),
    quiet=st.booleans(),
    no_repeats=st.booleans(),
    number=st.one_of(st.none(), st.integers(1, 99999)),
)
SUBSCRIPTIONS = st.builds(
    lambda name, place, interests, at, days, paused: replace(
        make_subscription(f"s{name}", place, interests=interests, at=at, days=days),
        number=name,
        pause=Pause("x" * 300, NOW) if paused else None,
    ),
    st.integers(1, 99),
    PLACES,
    INTERESTS,
    TIMES,
    DAYS,
    st.booleans(),
)
FACTS = st.builds(
    HomeFacts,
    person=st.just(ME),
    own=st.lists(SUBSCRIPTIONS, max_size=26),
    channels=st.lists(SUBSCRIPTIONS, max_size=40),
    latest=st.lists(
        st.builds(
            lambda name, note: make_delivery(f"s{name}", state=State.SENT, note=note),
            st.integers(1, 99),
            st.sampled_from(["", "https://x.org/p1"]),
        ),
        max_size=8,
    ),
    saved=st.lists(CARDS, max_size=8),
    votes=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    has_taste=st.booleans(),
    steward=st.booleans(),
    base_url=st.just("https://papers.example.org"),
)
anything = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def accept(view):
    """What Slack's limits and slack_sdk's own models say to a view."""
    assert view_complaints(view) == []
    whole = json.dumps(view, ensure_ascii=False)
    assert not re.search(r"<[!@#]", whole)
    whole.encode("utf-8", "strict")
    View(**{name: value for name, value in view.items() if name != "type"}, type=view["type"]).to_dict()


@anything
@given(DRAFTS, st.lists(TEXTS, max_size=4), st.one_of(st.just(""), WORDS), st.booleans())
def test_slack_takes_every_form(draft, note, problem, choose):
    accept(form_view(replace(draft, choose=choose), note=note, problem=problem))


@anything
@given(DRAFTS)
def test_a_form_that_is_sent_untouched_says_what_it_was_drawn_from(draft):
    short = replace(draft, interests=" ".join(draft.interests.split())[:500].strip())
    read = read_form(filled(form_view(short), {}))
    assert replace(read, interests="") == replace(short, interests="")
    keep = re.compile(r"[\x00-\x1f\x7f-\x9f\u2060\s]")
    assert keep.sub("", read.interests) == keep.sub("", short.interests)


@anything
@given(FACTS)
def test_slack_takes_every_app_home(facts):
    accept(home_view(facts, NOW))


@anything
@given(MESSAGES)
def test_slack_takes_every_answer_in_a_modal(message):
    payloads = render(message)
    accept(answer_view(payloads[0].get("blocks") or [], cut=len(payloads) > 1))


@anything
@given(CARDS)
def test_slack_takes_the_card_below_every_link(card):
    assert complaints(card_blocks(card)) == []


def test_slack_takes_what_stands_there_meanwhile():
    accept(waiting_view())


def test_a_subscription_is_in_the_form_as_it_stands_and_the_command_changes_nothing_else():
    kept = replace(
        make_subscription("s1", "slack:T1/C1", interests="kernels", at=None, days=(0, 3), quiet=True),
        number=4,
        when_ready=True,
    )
    draft = Draft.of(kept, ME)
    assert read_form(filled(form_view(draft), {})) == draft
    command = draft.command
    assert (command.number, command.interests) == (4, "kernels")
    assert (command.options.when_ready, command.options.by, command.options.at) == (True, None, None)
    assert command.options.days == (0, 3)


def test_what_is_wrong_is_told_for_all_fields_at_once():
    wrong = Draft(ME, ME, interests='"open', top=0, timezone="Mars/Olympus", at=time(8))
    assert set(form_errors(wrong)) == {"interests", "top", "zone"}
    assert form_errors(Draft(ME, ME)) == {}


def test_zones_begin_with_the_city_that_was_typed_and_are_few_enough():
    assert zone_options("berlin")[0]["value"] == "Europe/Berlin"
    assert zone_options("nowhere at all") == []
    assert len(zone_options("a")) == 50


def test_the_options_of_the_form_fit_slacks_labels():
    assert all(len(words) <= 75 for words in MORE_OPTIONS.values())


def test_app_home_of_somebody_with_much_says_that_there_is_more():
    many = [replace(make_subscription(f"s{n}", ME), number=n) for n in range(1, 26)]
    shown = json.dumps(home_view(HomeFacts(ME, own=many, saved=[Card("1", "t")] * 20), NOW))
    assert "and 13 more" in shown
