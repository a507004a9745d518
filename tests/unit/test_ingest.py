from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from core.errors import LibraryError, SourceError
from core.http import Answer
from core.papers.ingest import fetch
from core.papers.paper import Listing, Record
from core.papers.plan import SourceState, keep_state, read_state
from core.papers.sources import Backfill, Get, Lane, Lookup, Newest, Page, Wanted
from tests.fake_library import FakeLibrary

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 10, tzinfo=UTC)
MONDAY, FRIDAY = date(2026, 11, 23), date(2026, 11, 20)
NEWEST = Newest(MONDAY, FRIDAY)
GAP = Backfill(date(2026, 11, 18), MONDAY)


class FakeSource:
    """Asks for what its script names; reads `id id` as papers, `day:` puts them on a list, `>x` follows, `!` is odd."""

    def __init__(self, name="fake", asks=("a",), instead=None):
        self.name = name
        self.asks = asks
        self.replacements = instead or {}

    def ask(self, wanted: Wanted) -> Sequence[Get]:
        names = ("gap",) if isinstance(wanted, Backfill) else self.asks
        return tuple(self.get(name) for name in names)

    def get(self, name):
        return Get(self.name, name, f"https://{self.name}/{name}", Lane(self.name), ("text/plain",), conditional=True)

    def parse(self, get, body, *, now):
        if body == b"bug":
            raise ZeroDivisionError
        if body == b"broken":
            raise SourceError(self.name, "has answered with something that is not JSON")
        words = body.decode().split()
        papers = [word for word in words if word[0] not in ">!"]
        follow = tuple(self.get(word[1:]) for word in words if word[0] == ">")
        return Page(tuple(map(self.record, papers)), follow, tuple(word[1:] for word in words if word[0] == "!"))

    def record(self, word):
        identifier, _, day = word.partition("@")
        listings = (Listing(self.name, date.fromisoformat(day), "new"),) if day else ()
        return Record(identifier, self.name, title=identifier, listings=listings)

    def instead(self, get, failure):
        return tuple(self.get(name) for name in self.replacements.get((get.what, failure is not None), ()))


class FakeHttp:
    """Answers by name of the request; remembers what was asked and what was to be remembered."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked: list[str] = []
        self.remembered: list[str] = []

    async def get(self, get):
        self.asked.append(get.what)
        await asyncio.sleep(0)
        answer = self.answers[get.what]
        if isinstance(answer, SourceError):
            raise answer
        if answer is None:
            return Answer(get, b"", not_modified=True)
        return Answer(get, answer.encode())

    async def remember(self, answer):
        self.remembered.append(answer.get.what)


@pytest.fixture
def library():
    return FakeLibrary()


async def run(library, http, *sources, wanted=(NEWEST,), now=NOW, progress=lambda *_: None):
    plan = {source.name: wanted for source in sources}
    return await fetch(sources, plan, http=http, library=library, clock=lambda: now, progress=progress)


def failure(reason="has answered 429", status=429, retry_at=None):
    return SourceError("fake", reason, status=status, retry_at=retry_at)


async def test_papers_come_into_the_library_and_are_counted(library):
    (outcome,) = await run(library, FakeHttp(a="p1@2026-11-23 p2@2026-11-23 !strange p3"), FakeSource())
    assert set(library.records) == {"p1", "p2", "p3"}
    assert (outcome.source, outcome.seen, outcome.new, outcome.listed) == ("fake", 3, 3, 2)
    assert (outcome.failure, outcome.odd, outcome.newest_day) == (None, ["strange"], MONDAY)


async def test_one_bad_source_never_stops_the_others(library):
    good, bad = FakeSource("good", ("a",)), FakeSource("bad", ("b",))
    first, second = await run(library, FakeHttp(a="p1@2026-11-23", b=failure()), bad, good)
    assert (first.source, str(first.failure)) == ("bad", "fake: has answered 429")
    assert (second.source, second.failure, second.new) == ("good", None, 1)


async def test_papers_and_a_failure_of_one_source_stand_side_by_side(library):
    http = FakeHttp(a="p1@2026-11-23", b="broken", c="p2@2026-11-20")
    (outcome,) = await run(library, http, FakeSource(asks=("a", "b", "c")))
    assert (outcome.new, outcome.failure.reason) == (2, "has answered with something that is not JSON")


async def test_an_answer_nobody_foresaw_costs_itself_and_is_logged_whole(library, caplog):
    with caplog.at_level(logging.ERROR):
        (outcome,) = await run(library, FakeHttp(a="bug", b="p1"), FakeSource(asks=("a", "b")))
    assert outcome.failure.reason == "has sent something that paperboy cannot read"
    assert "ZeroDivisionError" in caplog.text
    assert set(library.records) == {"p1"}


async def test_a_library_that_cannot_keep_anything_is_no_sources_fault(library):
    library.full = True
    with pytest.raises(LibraryError, match="The disk is full"):
        await run(library, FakeHttp(a="p1", b="p2"), FakeSource("one"), FakeSource("two", ("b",)))
    assert library.facts == {}


async def test_pages_are_followed_to_the_end_one_after_the_other(library):
    http = FakeHttp(a="p1 >b", b="p2 >c", c="p3")
    (outcome,) = await run(library, http, FakeSource())
    assert http.asked == ["a", "b", "c"]
    assert outcome.seen == 3


async def test_progress_is_told_after_every_request_and_knows_what_is_ahead(library):
    steps = []
    http = FakeHttp(a="p1 >b >c", b="p2", c="p3")
    await run(library, http, FakeSource(), progress=lambda *step: steps.append(step))
    assert steps == [("fake", 1, 3), ("fake", 2, 3), ("fake", 3, 3)]


async def test_validators_are_remembered_when_everything_that_follows_is_safe(library):
    http = FakeHttp(a="p1 >b", b="p2")
    await run(library, http, FakeSource())
    assert http.remembered == ["a", "b"]


async def test_a_list_whose_look_ups_failed_is_read_again_next_time(library):
    http = FakeHttp(a="p1 >b", b=failure())
    await run(library, http, FakeSource())
    assert http.remembered == []


async def test_what_failed_is_asked_elsewhere_and_said_but_is_no_failure(library):
    http = FakeHttp(a=failure("has answered 500", 500), b="p1@2026-11-23")
    (outcome,) = await run(library, http, FakeSource(instead={("a", True): ("b",)}))
    assert (outcome.failure, outcome.new) == (None, 1)
    assert outcome.odd == ["it has answered 500; asking elsewhere."]


async def test_when_the_other_place_fails_too_that_is_the_failure(library):
    http = FakeHttp(a=failure("has answered 500", 500), b=failure("has answered 502", 502))
    (outcome,) = await run(library, http, FakeSource(instead={("a", True): ("b",)}))
    assert outcome.failure.reason == "has answered 502"
    assert http.remembered == []


@pytest.mark.parametrize("stale", ["", "old@2026-11-23", None])
async def test_an_empty_a_stale_and_an_unchanged_answer_are_checked_elsewhere(library, stale):
    await run(library, FakeHttp(a="old@2026-11-20"), FakeSource())
    http = FakeHttp(a=stale, b="fresh@2026-11-23")
    (outcome,) = await run(library, http, FakeSource(instead={("a", False): ("b",)}))
    assert http.asked == ["a", "b"]
    assert (outcome.new, outcome.newest_day) == (1, MONDAY)


async def test_an_answer_with_news_is_not_checked(library):
    http = FakeHttp(a="p1@2026-11-23")
    await run(library, http, FakeSource(instead={("a", False): ("b",)}))
    assert http.asked == ["a"]


async def test_a_stale_list_under_todays_date_closes_no_day(library):
    await run(library, FakeHttp(a="old@2026-11-20"), FakeSource())
    await run(library, FakeHttp(a="old@2026-11-23"), FakeSource())
    assert (await read_state(library, "fake")).newest_day == FRIDAY


async def test_an_empty_answer_is_success_but_moves_no_day(library):
    await run(library, FakeHttp(a="p1@2026-11-20"), FakeSource())
    await run(library, FakeHttp(a=""), FakeSource(), now=LATER)
    state = await read_state(library, "fake")
    assert (state.ok_at, state.newest_day, state.empty) == (LATER, FRIDAY, True)


async def test_an_unchanged_answer_is_success_and_not_emptiness(library):
    (outcome,) = await run(library, FakeHttp(a=None), FakeSource())
    assert (outcome.unchanged, outcome.seen) == (1, 0)
    assert not (await read_state(library, "fake")).empty


async def test_a_failing_source_is_remembered_since_its_first_failure(library):
    retry_at = datetime(2026, 11, 23, 10, 40, tzinfo=UTC)
    await run(library, FakeHttp(a="p1@2026-11-20"), FakeSource(), now=datetime(2026, 11, 22, tzinfo=UTC))
    await run(library, FakeHttp(a=failure()), FakeSource())
    await run(library, FakeHttp(a=failure(retry_at=retry_at)), FakeSource(), now=LATER)
    assert await read_state(library, "fake") == SourceState(
        "fake",
        ok_at=datetime(2026, 11, 22, tzinfo=UTC),
        failing_since=NOW,
        reason="has answered 429",
        retry_at=retry_at,
        newest_day=FRIDAY,
    )


async def test_a_source_that_recovers_forgets_that_it_failed(library):
    await run(library, FakeHttp(a=failure(retry_at=LATER)), FakeSource())
    await run(library, FakeHttp(a="p1@2026-11-23"), FakeSource(), now=LATER)
    assert await read_state(library, "fake") == SourceState("fake", ok_at=LATER, newest_day=MONDAY)


async def test_one_refused_question_does_not_make_a_source_ill(library):
    http = FakeHttp(a="p1@2026-11-23", b=failure("has no feed for the category cs.ZZ", 400))
    (outcome,) = await run(library, http, FakeSource(asks=("a", "b")))
    assert (outcome.failure, outcome.odd) == (None, ["it has no feed for the category cs.ZZ."])
    assert (await read_state(library, "fake")).failing_since is None


async def test_a_source_that_refuses_every_question_is_failing(library):
    (outcome,) = await run(library, FakeHttp(a=failure("has refused the request", 400)), FakeSource())
    assert outcome.failure.reason == "has refused the request"
    assert (await read_state(library, "fake")).failing_since == NOW


async def test_a_gap_that_could_not_be_filled_stays_wanted_until_it_was(library):
    http = FakeHttp(a="p1@2026-11-23", gap="p2@2026-11-19 >more", more=failure())
    await run(library, http, FakeSource(), wanted=(NEWEST, GAP))
    state = await read_state(library, "fake")
    assert (state.newest_day, state.missing_since) == (MONDAY, date(2026, 11, 18))
    await run(library, FakeHttp(a=None), FakeSource())
    assert (await read_state(library, "fake")).missing_since == date(2026, 11, 18)
    await run(library, FakeHttp(a=None, gap="p3@2026-11-18"), FakeSource(), wanted=(NEWEST, GAP))
    assert (await read_state(library, "fake")).missing_since is None


async def test_a_look_up_changes_nothing_about_how_a_source_stands(library):
    await keep_state(library, SourceState("fake", ok_at=NOW))
    (outcome,) = await run(library, FakeHttp(a=failure()), FakeSource(), wanted=(Lookup(("p1",)),), now=LATER)
    assert outcome.failure is not None
    assert await read_state(library, "fake") == SourceState("fake", ok_at=NOW)


async def test_a_source_of_which_nothing_is_wanted_is_left_alone(library):
    http = FakeHttp()
    (outcome,) = await run(library, http, FakeSource(), wanted=())
    assert (http.asked, outcome.seen, library.facts) == ([], 0, {})


async def test_the_same_oddity_is_told_once(library):
    (outcome,) = await run(library, FakeHttp(a="p1 !same", b="p2 !same"), FakeSource(asks=("a", "b")))
    assert outcome.odd == ["same"]
