"""`paperboy backtest` and `paperboy saved` as processes."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import make_mark


def test_interests_are_tried_on_the_library(stocked):
    done = stocked.run("backtest", "--interests", "grokking")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("In the last 7 days ")
    assert "papers matched" in done.out
    assert "• " in done.out


def test_the_same_as_one_json_document(stocked):
    done = stocked.run("backtest", "--interests", "grokking", "--days", "30", "--json")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    document = done.json
    assert document["interests"] == "grokking"
    assert document["days"] == 30
    assert 0 < document["matched"] <= document["considered"]
    assert document["verdict"] in {"fine", "broad", "narrow"}
    assert document["papers"][0]["title"]


def test_nothing_is_kept_of_a_trial(stocked):
    before = stocked.run("subscriptions", "list").out
    stocked.run("backtest", "--interests", "kernels")
    assert stocked.run("subscriptions", "list").out == before


def test_an_empty_library_says_so(shell):
    done = shell.run("backtest", "--interests", "grokking")
    assert (done.code, done.out) == (
        0,
        "No papers were listed in the last days, so there is nothing to show as an example yet.\n",
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "the following arguments are required: --interests"),
        (("--interests", '"unclosed'), "This quote is unclosed"),
        (("--interests", "x", "--days", "0"), "allowed is a whole number from 1"),
        (("--interests", "like:2101.99999"), "the library does not hold 2101.99999"),
    ],
)
def test_what_cannot_be_tried_is_wrong_usage(shell, words, sentence):
    done = shell.run("backtest", *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


def test_a_ready_made_interest_is_tried_and_subscribed_by_its_name(stocked):
    document = stocked.run("backtest", "--interests", "topic:Game-Theory", "--json").json
    assert document["interests"].startswith("cat:cs.GT OR")
    added = stocked.run("subscriptions", "add", "slack:T1/C2", "topic:game", "theory", "daily")
    assert (added.code, added.err) == (0, "")
    assert "Subscribed as #1 to game theory (cat:cs.GT OR" in added.out


def save(shell, *papers):
    async def keep():
        async with shell.house(owner=True) as house:
            for paper in papers:
                await house.store.mark(make_mark("saved", person="slack:T1/U1", paper=paper))

    asyncio.run(keep())


def test_what_a_person_saved_is_written_for_a_reference_manager(stocked):
    paper = stocked.run("search", "grokking", "--json").json["hits"][0]["id"]
    assert stocked.run("saved", "slack:T1/U1").out == "Nothing is saved by slack:T1/U1.\n"
    save(stocked, paper)
    entries = stocked.run("saved", "slack:T1/U1")
    assert (entries.code, entries.err) == (0, "")
    assert entries.out.startswith("@misc{")
    assert paper in entries.out
    record = stocked.run("saved", "slack:T1/U1", "--format", "ris").out
    assert record.startswith("TY  - UNPB\n")
    assert record.rstrip().endswith("ER  -")
    assert stocked.run("saved", "slack:T1/U2").out == "Nothing is saved by slack:T1/U2.\n"


def test_saved_by_nobody_we_can_know_is_wrong_usage(shell):
    done = shell.run("saved", "alice")
    assert (done.code, done.out) == (2, "")
    assert "'alice' is not an address" in done.err
