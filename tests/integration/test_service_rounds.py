"""The service's own loops over a real library and store: what each survives, what is composed once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bots.house import open_house
from bots.service import Service, chosen_names, make_platforms
from core.chat.message import plain
from core.errors import DeliveryError, DeliveryFailure, PaperboyError, SettingsError
from core.papers.plan import keep_state, source_states
from core.settings import Settings
from core.store import State
from tests.fake_platform import FakePlatform
from tests.fakes import make_change, make_delivery, make_subscription
from tests.servers.sources import NOWHERE
from tests.worlds import MONDAY, make_record, titles

PAPERS = [make_record("2611.00001", "Grokking in Small Transformers"), make_record("2611.00002", "Kernel Methods")]
SETTINGS = {
    "huggingface": {"enabled": False},
    "hackernews": {"enabled": False},
    "arxiv": {
        **dict.fromkeys(("api_url", "rss_url", "oai_url", "list_url"), NOWHERE),
        "min_interval": 0,
        "categories": ["cs.LG"],
    },
    "model": {"enabled": False},
    "web": {"port": 0},
}


class Listening(FakePlatform):
    """A platform that listens until it is told to fail or to end."""

    failure: DeliveryError | None = None

    def __init__(self, name):
        super().__init__(name=name)
        self.listened = asyncio.Event()
        self.closed = False

    async def listen(self, answer):
        self.answer = answer
        self.listened.set()
        if self.failure is not None:
            raise self.failure
        await asyncio.Event().wait()

    async def close(self):
        self.closed = True


@asynccontextmanager
async def open_service(folder, records=PAPERS, platforms=None, **settings):
    """A service whose sources answered just now, and cannot be reached any more."""
    now = [MONDAY]
    whole = Settings.model_validate({**SETTINGS, "home": folder, **settings})
    async with open_house(whole, owner=True, clock=lambda: now[0]) as house:
        await house.library.ingest(records, now=MONDAY)
        for state in (await source_states(house.library)).values():
            await keep_state(house.library, replace(state, ok_at=MONDAY))
        service = Service(house, platforms or {})
        service.now, service.house = now, house
        yield service


@asynccontextmanager
async def running(service):
    """Let it run while the block does."""
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop, with_page=False))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 30)


async def test_the_page_is_composed_once_however_many_ask_at_once(tmp_path):
    async with open_service(tmp_path) as service:
        pages = await asyncio.gather(*(service.page() for _ in range(50)))
        assert titles(pages[0])
        assert all(page is pages[0] for page in pages)


async def test_the_page_is_composed_anew_after_a_fetch_and_on_another_day(tmp_path):
    async with open_service(tmp_path, digest={"timezone": "Asia/Tokyo"}) as service:
        first = await service.page()
        await service.house.library.ingest([make_record("2611.00003", "Hot off the Press")], now=MONDAY)
        assert await service.page() is first
        await service.fetch()
        second = await service.page()
        assert "Hot off the Press" in titles(second)
        service.now[0] += timedelta(hours=7, minutes=59)
        assert await service.page() is second
        service.now[0] += timedelta(minutes=1)
        assert await service.page() is not second


async def test_an_empty_library_promises_papers_before_the_first_fetch_and_shows_the_sample_after_it(tmp_path):
    async with open_service(tmp_path, records=[]) as service:
        assert "are being fetched" in plain((await service.page()).lines[0])
        await service.fetch()
        assert (await service.page()).sample


async def test_a_platform_that_is_refused_leaves_the_others_running_and_all_are_closed(tmp_path, caplog):
    refused, well = Listening(name="refused"), Listening(name="well")
    refused.failure = DeliveryError(DeliveryFailure.REVOKED, "the token was revoked")
    async with open_service(tmp_path, platforms={"refused": refused, "well": well}) as service:
        async with running(service) as task:
            await asyncio.wait_for(well.listened.wait(), 20)
            await asyncio.wait_for(refused.listened.wait(), 20)
            await asyncio.sleep(0)
            assert not task.done()
        assert task.exception() is None
    assert (refused.closed, well.closed) == (True, True)
    assert "refused is not served: the token was revoked" in caplog.text


async def test_what_is_due_at_the_start_is_delivered(tmp_path):
    platform = Listening(name="fake")
    async with open_service(tmp_path, platforms={"fake": platform}) as service:
        due = make_subscription(address="fake:C1", interests="grokking", timezone="UTC", at=MONDAY.time())
        due = replace(due, active_from=MONDAY - timedelta(days=1), created_at=MONDAY - timedelta(days=1))
        await service.house.store.add_subscription(due, make_change(address="fake:C1"))
        async with running(service):
            async with asyncio.timeout(20):
                while not platform.posts:
                    await asyncio.sleep(0.01)
        assert [post.message.cards[0].title for post in platform.posts] == ["Grokking in Small Transformers"]


async def test_fetching_that_fails_is_logged_and_told_never_raised(tmp_path, caplog):
    caplog.set_level("DEBUG")  # before the first round ends, its own line tells readers
    async with open_service(tmp_path) as service:
        await service.fetch()
    assert "arXiv" in caplog.text
    assert "reached" in caplog.text


async def test_tidying_forgets_what_is_older_than_promised(tmp_path):
    async with open_service(tmp_path, keep={"deliveries_days": 30}) as service:
        store = service.house.store
        old = MONDAY - timedelta(days=31)
        for days, number in ((31, 1), (29, 2)):
            at = MONDAY - timedelta(days=days)
            sent = make_delivery(f"s{number}", at.date(), composed_at=at, due_at=at, changed_at=at)
            await store.enqueue(sent)
            await store.move(replace(sent, state=State.SENT), expected=sent.state)
        await service.tidy()
        assert await store.delivery("s1", old.date()) is None
        assert await store.delivery("s2", (MONDAY - timedelta(days=29)).date()) is not None


async def test_nobody_waits_for_a_platform_that_does_not_say_whether_it_can_post(tmp_path):
    class Slow(FakePlatform):
        async def reachable(self, address):
            await asyncio.Event().wait()

    class Unsure(FakePlatform):
        async def reachable(self, address):
            raise DeliveryError(DeliveryFailure.RETRY, "away")

    platforms = {"slow": Slow(name="slow"), "unsure": Unsure(name="unsure"), "fake": FakePlatform()}
    platforms["fake"].unreachable["fake:C1"] = "/invite @paperboy"
    async with open_service(tmp_path, platforms=platforms) as service:
        answers = [await service.reachable(place) for place in ("slow:1", "unsure:1", "fake:C1", "mail:a@b.org")]
    assert answers == [None, None, "/invite @paperboy", None]


async def test_a_loop_that_cannot_go_on_ends_the_service_with_its_sentence(tmp_path):
    class Broken(Listening):
        async def listen(self, answer):
            raise PaperboyError("This can never work.")

    async with open_service(tmp_path, platforms={"broken": Broken(name="broken")}) as service:
        with pytest.raises(PaperboyError, match=r"This can never work\."):
            await asyncio.wait_for(service.run(asyncio.Event(), with_page=False), 30)


def test_only_names_that_are_known_are_served():
    assert chosen_names(None) is None
    assert chosen_names(" slack, web ,") == {"slack", "web"}
    for wrong in ("", ",", "slack,fax"):
        with pytest.raises(SettingsError, match="allowed are discord, email, slack, web"):
            chosen_names(wrong)


async def test_platforms_are_those_whose_tokens_are_set_of_those_that_are_wanted(tmp_path):
    secrets = {"secrets": {"discord_token": "t"}}
    async with open_service(tmp_path, **secrets) as service:
        assert list(make_platforms(service.house, None)) == ["discord"]
        assert list(make_platforms(service.house, frozenset({"web"}))) == []
        with pytest.raises(SettingsError, match="--only slack: its token is not set"):
            make_platforms(service.house, frozenset({"slack"}))
