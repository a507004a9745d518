"""Fields <-> modal <-> Command, and the papers in a message; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord.forms import Fields, command_of, fields_from, fields_of, form, keep, take
from bots.discord.mentioned import papers_in, words_in
from bots.discord.payload import custom_id, payloads, read_custom_id
from core.chat import commands as c
from core.chat.cards import card_of
from core.chat.message import Kind, Message
from core.digests.subscription import Subscription
from core.errors import UsageError
from core.papers.paper import Paper
from tests.servers.discord import _filled
from tests.servers.discord_limits import modal_problems

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ONE = Subscription(
    id="abcdef",
    address="discord:1",
    number=2,
    interests="grokking -survey",
    at=time(8, 5),
    timezone="Europe/Berlin",
    days=(0, 3),
    weekly=False,
    top=7,
    created_by="discord:@1",
    created_at=NOON,
    active_from=NOON,
)
FIELDS = st.builds(
    Fields,
    interests=st.text(max_size=4000),
    when=st.text(max_size=100),
    timezone=st.text(max_size=100),
    days=st.sampled_from(["", "weekdays", "daily", "mon,fri", "mon,tue,wed,thu,sun"]),
    size=st.sampled_from(["", "1", "5", "50"]),
    more=st.sampled_from([(), ("quiet",), ("no repeats",), ("quiet", "no repeats")]),
)


def filled_in(modal):
    return fields_from({"component": _filled(part["component"], {})} for part in modal["components"])


@pytest.mark.parametrize(
    "subscription",
    [
        ONE,
        replace(ONE, when_ready=True, at=None, weekly=True, days=(0,), quiet=True),
        replace(ONE, no_repeats=True),
        replace(ONE, quiet=True, no_repeats=True),
        replace(ONE, when_ready=True, at=time(23, 59), days=(0, 1, 2, 3, 4, 5, 6), interests=""),
    ],
)
def test_a_form_sent_as_it_was_shown_orders_what_the_subscription_is(subscription):
    modal = form("edit 2", fields_of(subscription), 2)["data"]
    command = command_of(filled_in(modal), 2)
    options = command.options
    assert (command.number, command.interests) == (2, subscription.interests)
    assert (options.timezone, options.days, options.weekly) == (
        subscription.timezone,
        subscription.days,
        subscription.weekly,
    )
    assert (options.top, options.quiet, options.no_repeats) == (
        subscription.top,
        subscription.quiet,
        subscription.no_repeats,
    )
    at = options.by if subscription.when_ready else options.at
    assert (bool(options.when_ready), at) == (subscription.when_ready, subscription.at)


@settings(max_examples=60, deadline=None)
@given(FIELDS, st.one_of(st.none(), st.integers(1, 99)))
def test_whatever_was_typed_discord_takes_the_form_and_gives_it_back(fields, number):
    modal = form("subscribe", take(keep(fields)), number)["data"]
    assert list(modal_problems(modal)) == []
    given_back = filled_in(modal)
    when = " in ".join(part for part in (fields.when, fields.timezone) if part)[:100]
    assert (given_back.interests, given_back.when, given_back.timezone) == (fields.interests, when, "")
    assert (given_back.days or "weekdays", given_back.more) == (fields.days or "weekdays", fields.more)


@settings(max_examples=60, deadline=None)
@given(FIELDS)
def test_whatever_was_typed_is_an_order_or_one_sentence(fields):
    try:
        assert isinstance(command_of(fields, None), c.Subscribe)
    except UsageError as error:
        assert str(error)


@pytest.mark.parametrize("when", ["noon", "8", "at 8:30 top 3", "when ready daily", "25:00", "8:30 in Berlim"])
def test_a_time_that_cannot_be_read_is_refused(when):
    with pytest.raises(UsageError):
        command_of(Fields(when=when), None)


@pytest.mark.parametrize(
    ("when", "options"),
    [
        ("", c.Options()),
        ("8:30", c.Options(at=time(8, 30))),
        ("at 08:30", c.Options(at=time(8, 30))),
        (" When  Ready ", c.Options(when_ready=True)),
        ("8:30 in Europe/Berlin", c.Options(at=time(8, 30), timezone="Europe/Berlin")),
        ("in utc", c.Options(timezone="UTC")),
        ("when ready by 9:00", c.Options(when_ready=True, by=time(9))),
    ],
)
def test_a_time_is_read_as_in_the_commands(when, options):
    assert command_of(Fields(when=when), None) == c.Subscribe("", options)


@pytest.mark.parametrize(
    ("content", "papers"),
    [
        ("look: https://arxiv.org/abs/2310.01234v3.", ("2310.01234",)),
        ("(https://huggingface.co/papers/2310.01234)", ("2310.01234",)),
        ("<https://arxiv.org/pdf/math.GT/0309136>", ("math.GT/0309136",)),
        ("2310.01234 and 2310.01234v2 and [x](https://arxiv.org/abs/2311.00001)", ("2311.00001", "2310.01234")),
        ("https://example.org/2310.01234 version 1.2310.01234 12345.678901", ()),
        ("no paper at all", ()),
    ],
)
def test_papers_are_found_in_what_a_message_says(content, papers):
    assert papers_in({"content": content}) == papers


def test_papers_are_found_in_what_a_link_unfolds_to_and_in_a_message_that_is_passed_on():
    embed = {"embeds": [{"url": "https://arxiv.org/abs/2310.01234", "title": "[2310.01234] Grokking"}]}
    assert papers_in({"content": "", "message_snapshots": [{"message": embed}]}) == ("2310.01234",)


def test_papers_of_our_own_posts_are_found_by_their_buttons_also_without_a_link():
    papers = (Paper(id="scifact:4983", title="A"), Paper(id="2310.00002", title="B"))
    digest = Message(Kind.DIGEST, heading="x", cards=tuple(card_of(paper, now=NOON) for paper in papers))
    (body,) = payloads(digest)
    assert papers_in({"components": body["components"]}) == ("scifact:4983", "2310.00002")


def test_the_words_of_a_message_come_without_its_addresses():
    assert words_in({"content": "does https://example.org/a?b=c help with grokking"}) == "does   help with grokking"


@given(st.from_regex(r"[a-z_]{1,16}", fullmatch=True), st.text(max_size=80))
def test_the_name_of_a_button_says_what_it_does(action, value):
    assert read_custom_id(custom_id(action, value)) == (action, value)
