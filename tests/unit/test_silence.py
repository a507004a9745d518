"""Why there is nothing, in one clause: true at the time at which it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.digests.digest import Digest
from core.digests.silence import explain_silence, failures
from core.papers.calendar import Calendar
from core.papers.plan import SourceState
from core.search.query import parse

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)
WELL = {"arxiv": SourceState("arxiv", ok_at=NOW)}


def explain(states, *, considered=0, matched=0, seen=0, **more):
    digest = Digest((), considered, matched, seen, 1, parse("grokking"))
    return explain_silence(digest, states, Calendar(), now=NOW, timezone="UTC", **more)


def failing(**fields):
    return {"arxiv": SourceState("arxiv", reason="has answered 429", **fields)}


def test_a_next_try_that_is_over_is_not_announced():
    over, ahead = NOW - timedelta(minutes=5), NOW + timedelta(minutes=5)
    since = NOW - timedelta(hours=2)
    assert failures(failing(failing_since=since, retry_at=over), "UTC", NOW) == ["arXiv has answered 429 since 06:00"]
    assert failures(failing(failing_since=since, retry_at=ahead), "UTC", NOW)[0].endswith("06:00, next try 08:05")


def test_times_are_the_readers_and_those_of_another_day_have_their_day():
    since = failing(failing_since=NOW - timedelta(days=2))
    assert failures(since, "Asia/Kolkata", NOW) == ["arXiv has answered 429 since Thu 26 Nov 13:30"]
    assert failures(since, "Asia/Kolkata") == ["arXiv has answered 429 since 13:30"]


def test_an_outage_explains_before_the_calendar_does():
    assert explain(failing(failing_since=NOW)) == "no new papers; arXiv has answered 429 since 08:00"


def test_where_arxiv_is_not_asked_its_calendar_explains_nothing():
    assert "Fridays" in explain(WELL)
    assert explain({"huggingface": SourceState("huggingface", ok_at=NOW)}) == "no new papers since the last digest"


def test_counts_come_first_and_the_reason_after_them():
    assert explain(WELL, considered=1200).startswith("1,200 new, none matched; no announcement on arXiv today because")
    assert explain({}, considered=3, nearest="Kernels") == "3 new, none matched (nearest: Kernels)"
    assert explain({}, considered=3, matched=2, seen=2) == "3 new, 2 matched, and this place has seen them before"
