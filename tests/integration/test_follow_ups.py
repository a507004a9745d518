"""What happens to a paper that somebody kept is told in one line under the next digest, once, and never as new."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.chat import commands as c
from core.chat.message import plain
from core.delivery.amending import amend_deliveries
from core.errors import DeliveryError, DeliveryFailure
from core.papers.following import AT_ONCE, note_following, plan_following
from core.papers.happenings import read_happenings
from core.papers.plan import SourceState, keep_state
from tests.worlds import ALICE, MONDAY, PLACE, make_record, open_world, titles

PAPER = "2611.00001"
AT_EIGHT = MONDAY.replace(hour=8)


def grokking(**fields):
    return make_record(PAPER, "Grokking in Small Transformers", **fields)


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, [grokking(version=1), make_record("2611.00002", "Kernel Methods")]) as opened:
        yield opened


async def next_day(world, *records, days=1):
    """A day later something new is listed, so that there is a digest, and the sources say what they say."""
    day = world.now.replace(hour=8, minute=0) + timedelta(days=days)
    world.now = day - timedelta(hours=1)
    await world.learn(make_record(f"2611.1{day:%m%d}", f"Grokking on {day:%A}", day=day.date()), *records)
    await world.tick(day)
    return world.posted()[-1]


async def follow(world, **fields):
    await world.ask("subscribe grokking in UTC daily")
    await world.tick(AT_EIGHT)
    await world.ask(c.Press("up", PAPER), **fields)


def news(message):
    return [plain(line) for line in message.closing if plain(line).startswith("Papers you")]


async def happened(world):
    found = await world.house.library.read(lambda connection: read_happenings(connection, since=MONDAY))
    return [(one.kind.value, one.detail) for one in found]


async def test_a_new_version_of_a_liked_paper_is_one_line_and_told_once(world):
    await follow(world)
    message = await next_day(world, grokking(version=2))
    assert news(message) == ["Papers you liked here: Grokking in Small Transformers has version 2"]
    assert titles(message) == ["Grokking on Tuesday"]
    assert news(await next_day(world)) == []
    assert news(await next_day(world, grokking(version=3))) == [
        "Papers you liked here: Grokking in Small Transformers has version 3"
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"withdrawn": True, "version": 2}, "was withdrawn"),
        ({"journal_ref": "JMLR 27 (2026)"}, "is published: JMLR 27 (2026)"),
        ({"doi": "10.1000/x"}, "is published: 10.1000/x"),
        ({"comment": "9 pages, accepted at NeurIPS 2026 (oral)"}, "is published: accepted at NeurIPS 2026"),
        ({"code_url": "https://github.com/a/b"}, "has code"),
    ],
)
async def test_each_kind_of_news_is_told(world, fields, told):
    await follow(world)
    assert news(await next_day(world, grokking(**fields))) == [
        f"Papers you liked here: Grokking in Small Transformers {told}"
    ]


@pytest.mark.parametrize("comment", ["12 pages", "Submitted to ICML 2026", "Under review"])
async def test_a_comment_that_says_nothing_of_the_kind_is_no_news(world, comment):
    await follow(world)
    assert news(await next_day(world, grokking(comment=comment))) == []


async def test_several_pieces_of_news_make_one_line_and_what_does_not_fit_waits(world):
    others = [make_record(f"2611.003{n:02}", f"Other {n}", day=None, version=1) for n in range(4)]
    await world.learn(*others)
    await follow(world)
    for record in others:
        await world.ask(c.Press("up", record.id))
    fresh = [make_record(record.id, record.title, day=None, version=2) for record in others]
    (line,) = news(await next_day(world, grokking(version=2), *fresh))
    assert line.count(" has version 2") == 4
    (line,) = news(await next_day(world))
    assert line.count(" has version 2") == 1
    assert news(await next_day(world)) == []


async def test_what_was_there_before_it_was_kept_is_no_news(world):
    await world.ask("subscribe grokking in UTC daily")
    await next_day(world, grokking(version=2))
    await world.ask(c.Press("up", PAPER))
    assert news(await next_day(world)) == []


async def test_what_a_second_source_adds_or_comes_in_the_first_hours_was_there_all_along(world):
    world.now = MONDAY + timedelta(hours=3)
    await world.learn(grokking(comment="Accepted at ICML 2026"))
    world.now = MONDAY + timedelta(days=3)
    await world.learn(grokking(source="huggingface", code_url="https://github.com/a/b", version=4))
    assert await happened(world) == []


async def test_a_saved_paper_is_told_to_its_person_alone(world):
    await world.ask("subscribe grokking in UTC daily")
    await world.ask("subscribe grokking in UTC daily", place=ALICE, private=True)
    await world.tick(AT_EIGHT)
    await world.ask(c.Press("save", PAPER))
    await next_day(world, grokking(version=2))
    told = {post.address: news(post.message) for post in world.platform.posts[-2:]}
    assert told == {PLACE: [], ALICE: ["Papers you kept: Grokking in Small Transformers has version 2"]}


async def test_a_mark_that_was_taken_back_or_points_down_is_not_followed(world):
    await follow(world)
    await world.ask(c.Press("up", PAPER))
    await world.ask(c.Press("down", "2611.00002"))
    message = await next_day(world, grokking(version=2), make_record("2611.00002", "Kernel Methods", version=5))
    assert news(message) == []


async def test_of_two_subscriptions_of_a_place_the_first_digest_tells(world):
    await follow(world)
    await world.ask("subscribe kernel in UTC daily")
    await next_day(world, grokking(version=2))
    assert [len(news(post.message)) for post in world.platform.posts[-2:]] == [1, 0]


async def test_a_digest_that_never_arrived_has_told_nothing(world):
    await follow(world)
    world.platform.failures.append(DeliveryError(DeliveryFailure.REJECTED, "Too strange."))
    await next_day(world, grokking(version=2))
    assert len(world.posted()) == 1
    assert len(news(await next_day(world))) == 1


async def test_a_quiet_subscription_tells_with_its_next_digest(world):
    await world.ask("subscribe kernel in UTC daily quiet")
    await world.tick(AT_EIGHT)
    await world.ask(c.Press("up", PAPER))
    await next_day(world, grokking(version=2))
    assert len(world.posted()) == 1
    message = await next_day(
        world, make_record("2611.00005", "Kernel of Truth", day=(MONDAY + timedelta(days=2)).date())
    )
    assert len(news(message)) == 1


async def test_a_completed_digest_goes_on_telling_what_it_told(world):
    await follow(world)
    await keep_state(world.house.library, SourceState("huggingface", failing_since=MONDAY, reason="has answered 503"))
    before = news(await next_day(world, grokking(version=2)))
    await keep_state(world.house.library, SourceState("huggingface", ok_at=world.now))
    await world.learn(make_record("2611.00009", "Grokking, Voted for", source="huggingface", day=world.now.date()))
    house = world.house
    assert await amend_deliveries(house.newsroom, house.store, {"fake": world.platform}, world.now) == 1
    assert news(world.posted()[-1]) == before != []
    assert news(await next_day(world)) == []


async def test_sources_are_asked_about_kept_papers_once_a_week(world):
    library, kept = world.house.library, [(PAPER, MONDAY), ("scifact:1", MONDAY), (PAPER, MONDAY)]
    lookup = await plan_following(library, kept, MONDAY)
    assert lookup.ids == (PAPER,)
    await note_following(library, lookup, MONDAY)
    assert await plan_following(library, kept, MONDAY + timedelta(days=6)) is None
    assert (await plan_following(library, kept, MONDAY + timedelta(days=7))).ids == (PAPER,)
    assert await plan_following(library, kept, MONDAY + timedelta(days=366)) is None
    many = [(f"2611.{number:05}", MONDAY) for number in range(AT_ONCE + 9)]
    assert len((await plan_following(library, many, MONDAY)).ids) == AT_ONCE
