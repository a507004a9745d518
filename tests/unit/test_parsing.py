"""What people type behind `/papers`, and typed options."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat import commands as c
from core.chat.parsing import (
    FORMS,
    days_text,
    options_from,
    parse_command,
    parse_days,
    parse_time,
    parse_timezone,
    split_options,
)
from core.digests.subscription import DAILY, WEEKDAYS, WEEKLY
from core.errors import UsageError


def mistake(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_command(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", c.Help()),
        ("   ", c.Help()),
        ("help", c.Help()),
        ("help me please", c.Help()),
        ("today", c.Today()),
        ("LIST", c.ListAll()),
        ("saved", c.Saved()),
        ("taste", c.Taste()),
        ("taste RESET", c.Taste(reset=True)),
        ("search length generalization", c.Search("length generalization")),
        ("  search   two  blanks ", c.Search("two  blanks")),
        ('search "today at 08:00"', c.Search('"today at 08:00"')),
        ("search GLM-5V: a title at 08:00 daily", c.Search("GLM-5V: a title at 08:00 daily")),
        ("unsubscribe 3", c.Unsubscribe(3)),
        ("unsubscribe #3", c.Unsubscribe(3)),
        ("unsubscribe ALL", c.Unsubscribe(None)),
        ("pause 1", c.Pause(1)),
        ("resume 12", c.Resume(12)),
        ("why 2310.01234", c.Why("2310.01234")),
        ("similar https://arxiv.org/abs/2310.01234", c.Similar("https://arxiv.org/abs/2310.01234")),
        ("cite 2310.01234v2", c.Cite("2310.01234v2")),
        ("subscribe", c.Subscribe("")),
        ("edit 2 grokking", c.Edit(2, "grokking")),
        ("edit 2 top 3", c.Edit(2, None, c.Options(top=3))),
    ],
)
def test_commands_are_read(text, command):
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("text", "interests", "options"),
    [
        (
            "language models at 08:15 in UTC daily top 3",
            "language models",
            c.Options(at=time(8, 15), timezone="UTC", days=DAILY, weekly=False, top=3),
        ),
        ("top 3 daily in utc at 8:15", "", c.Options(at=time(8, 15), timezone="UTC", days=DAILY, weekly=False, top=3)),
        ("x quiet", "x", c.Options(quiet=True)),
        ("x when ready", "x", c.Options(when_ready=True)),
        ("x when ready by 09:30", "x", c.Options(when_ready=True, by=time(9, 30))),
        ("x weekly", "x", c.Options(days=WEEKLY, weekly=True)),
        ("x mon,thu", "x", c.Options(days=(0, 3), weekly=False)),
        ("x thursday", "x", c.Options(days=(3,), weekly=False)),
        ("x in europe/berlin", "x", c.Options(timezone="Europe/Berlin")),
        ("x in America/Argentina/Buenos_Aires", "x", c.Options(timezone="America/Argentina/Buenos_Aires")),
    ],
)
def test_options_are_read_from_the_end(text, interests, options):
    assert split_options(text) == (interests, options)


@pytest.mark.parametrize(
    "interests",
    [
        "transformers in vision",
        "models at scale",
        "physics of the sun",
        "solvers for SAT",
        "what to do when ready",
        "quiet neural networks",
        "top quark decays",
        "daily weather forecasts",
        "cat:cs.LG  -survey",
        "stand by 10 to ten",
        "in context learning",
        '"in 3 weeks"',
    ],
)
def test_words_that_only_look_like_options_stay_interests(interests):
    read, options = split_options(interests + " at 09:00")
    assert options.at == time(9)
    if interests != "what to do when ready":
        assert (read, options) == (interests, c.Options(at=time(9)))
    else:
        assert (read, options.when_ready) == ("what to do", True)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("x daily weekly", "daily"),
        ("x at 08:00 top 3 at 09:00", "at 08:00"),
        ("x top 3 in UTC top 5", "top 3"),
        ("x in Europe/Berlin in UTC", "in Europe/Berlin"),
        ("x no repeats with repeats", "no repeats"),
        ("x mon,tue wed", "mon,tue"),
    ],
)
def test_two_options_that_contradict_each_other_are_told_before_one_is_taken_in_silence(text, first):
    with pytest.raises(UsageError, match=f"'{first}' contradicts what stands behind it; say it once"):
        split_options(text)


def test_what_is_said_twice_alike_is_said():
    assert split_options("x daily top 3 daily top 3") == split_options("x daily top 3")


def test_interests_keep_their_own_blanks_and_case():
    assert split_options('"Large  Language"   Models top 2')[0] == '"Large  Language"   Models'


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("serach foo", "no command 'serach'", "/papers search foo"),
        ("subscirbe x", "no command", "/papers subscribe x"),
        ("diffusion models", "no command 'diffusion'", "/papers search diffusion models"),
        ("search", "missing", FORMS["search"]),
        ("why", "id is missing", FORMS["why"]),
        ("pause", "number of the subscription is missing", FORMS["pause"]),
        ("pause one", "'one' is not the number", FORMS["pause"]),
        ("edit grokking", "'grokking' is not the number", FORMS["edit"]),
        ("unsubscribe everything", "not the number", FORMS["unsubscribe"]),
        ("list all", "takes nothing", FORMS["list"]),
        ("send", "number of the subscription is missing", FORMS["send"]),
        ("send 1 tomorrow", "'tomorrow' is not a date", ""),
        ("send 1 2026-11-23 2026-11-24", "takes a number, a date", FORMS["send"]),
        ("saved pdf", "'pdf' is no form", FORMS["saved"]),
        ("subscribe x at 25:00", "'25:00' is not a time", ""),
        ("subscribe x at 8am", "'8am' is not a time", ""),
        ("subscribe x top 0", "between 1 and 50", ""),
        ("subscribe x top 99", "between 1 and 50", ""),
        ("subscribe x in Europe/Berln", "not a time zone", "Europe/Berlin"),
        ("search " + "x" * 4000, "at most 4,000", ""),
    ],
)
def test_a_mistake_is_answered_with_the_right_form(text, sentence, hint):
    error = mistake(text)
    assert sentence in str(error)
    assert hint in error.hint


def test_a_mistake_never_echoes_a_flood():
    error = mistake("x" * 3999)
    assert len(str(error) + error.hint) < 400


def test_typed_options_mean_the_same_as_written_ones():
    typed = options_from(at="08:15", timezone="utc", days="daily", top=3, quiet=True)
    assert typed == split_options("x at 08:15 in UTC daily top 3 quiet")[1]


def test_a_typed_time_with_when_ready_is_the_latest_one():
    assert options_from(when_ready=True, at="10:00") == c.Options(when_ready=True, by=time(10))


def test_typed_options_that_were_left_out_say_nothing():
    assert options_from() == c.Options()


@pytest.mark.parametrize("bad", [{"at": "noon"}, {"timezone": "Mars/Olympus"}, {"days": "everyday"}, {"top": 51}])
def test_a_bad_typed_option_names_what_is_allowed(bad):
    with pytest.raises(UsageError) as caught:
        options_from(**bad)
    assert any(
        word in str(caught.value) + caught.value.hint for word in ("HH:MM", "Europe/Berlin", "daily", "1 and 50")
    )


@given(st.times())
def test_every_time_of_day_is_read_back(moment):
    assert parse_time(f"{moment:%H:%M}") == moment.replace(second=0, microsecond=0)


@given(st.sets(st.integers(0, 6), min_size=1), st.booleans())
def test_days_are_written_as_they_are_read(numbers, weekly):
    days = WEEKLY if weekly else tuple(sorted(numbers))
    assert parse_days(days_text(days, weekly=weekly)) == (days, weekly)


def test_weekdays_and_daily_have_their_names():
    assert (days_text(WEEKDAYS, weekly=False), days_text(DAILY, weekly=False)) == ("weekdays", "daily")


@pytest.mark.parametrize(
    ("typed", "zone"), [("europe/berlin", "Europe/Berlin"), ("America/new york", "America/New_York")]
)
def test_zones_are_read_in_any_case(typed, zone):
    assert parse_timezone(typed) == zone


def test_a_city_alone_is_answered_with_its_zone():
    with pytest.raises(UsageError) as caught:
        parse_timezone("Berlin")
    assert "Europe/Berlin" in caught.value.hint


@given(st.text(max_size=300))
def test_any_text_is_a_command_or_one_sentence(text):
    try:
        command = parse_command(text)
    except UsageError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert isinstance(command, c.Help) or text.strip()


@pytest.mark.parametrize("text", ["cats in berlin", "cats in Berlin daily", "top 3 in New_York"])
def test_a_city_alone_behind_in_is_asked_about(text):
    error = mistake(f"subscribe {text}")
    assert "is not a time zone" in str(error)
    assert "Europe/Berlin" in error.hint or "America/New_York" in error.hint
