"""Which of Slack's secrets go together; every combination of the five is looked at."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from core.combinations import slack_problem
from core.errors import SettingsError
from core.settings import read_settings

BOT, APP, SIGNING = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"
ID, SECRET = "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"
ALL = (BOT, APP, SIGNING, ID, SECRET)
WORKING = [set(), {BOT, APP}, {BOT, APP, SIGNING}, {BOT, SIGNING}, {ID, SECRET, SIGNING}]
EVERY = [set(some) for some in chain.from_iterable(combinations(ALL, size) for size in range(6))]


@pytest.mark.parametrize("given", EVERY, ids=lambda given: "+".join(sorted(given)) or "none")
def test_three_ways_work_and_everything_else_is_one_sentence(given):
    problem = slack_problem(given, with_page=True)
    assert (problem is None) == (given in WORKING)
    if problem is not None:
        assert problem.endswith(".")
        assert any(name in problem for name in given)
        assert "\n" not in problem


@pytest.mark.parametrize("given", [{BOT, SIGNING}, {ID, SECRET, SIGNING}])
def test_what_comes_over_http_needs_the_page(given):
    assert slack_problem(given, with_page=False).startswith("web.enabled: ")


def test_a_socket_needs_no_page():
    assert slack_problem({BOT, APP, SIGNING}, with_page=False) is None


@pytest.mark.parametrize("given", [{ID}, {APP, ID, SECRET}, {BOT}, {SIGNING}])
def test_a_wrong_combination_stops_the_start(given):
    with pytest.raises(SettingsError) as raised:
        read_settings({"PAPERBOY_CONFIG": "/dev/null"} | dict.fromkeys(given, "x"))
    assert len(raised.value.problems) == 1
