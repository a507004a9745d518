"""A digest in the browser: for whoever holds its signed link, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bots.web.digests import PURPOSE, digest_link
from core.chat import commands as c
from core.store import State
from tests.fakes import make_change, make_delivery, make_subscription
from tests.sites import Page, open_site
from tests.worlds import ALICE, MONDAY, MONDAY_DATE, PLACE, make_record, upvotes

RECORDS = (
    make_record("2611.00001", "Grokking in secret", signals=upvotes(41)),
    make_record("2611.00002", "Knots"),
)
BASE = "http://127.0.0.1:8080"


@pytest.fixture
async def visit(tmp_path):
    async with open_site(tmp_path, RECORDS) as visit:
        yield visit


@pytest.fixture
async def delivery(visit):
    await visit.world.ask(c.Subscribe("ti:secret", c.Options()))
    await visit.world.tick(MONDAY + timedelta(days=1, hours=2))
    (subscription,) = await visit.world.house.store.subscriptions(PLACE)
    delivered = await visit.world.house.store.last_sent(subscription.id, MONDAY_DATE + timedelta(days=9))
    assert delivered is not None
    return delivered


def path_of(visit, delivery):
    link = digest_link(visit.world.house, delivery)
    assert link.startswith(f"{BASE}/digest/")
    return link.removeprefix(BASE)


async def test_a_link_shows_the_papers_that_were_delivered_with_their_reasons(visit, delivery):
    answer = await visit.get(path_of(visit, delivery))
    page = Page(answer.text)
    assert "Papers for ti:secret" in page.words
    assert "Grokking in secret" in page.words
    assert delivery.shown[0].why in page.words
    assert "Knots" not in page.words
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_day_without_papers_keeps_its_reason(visit):
    store = visit.world.house.store
    await store.add_subscription(make_subscription(), make_change())
    silent = make_delivery(shown=(), silence="212 new, none matched", state=State.SENT)
    await store.enqueue(silent)
    page = await visit.page(path_of(visit, silent))
    assert "212 new, none matched" in page.words


async def test_a_link_that_is_not_ours_ended_or_was_for_something_else_shows_nothing(visit, delivery):
    house = visit.world.house
    until = MONDAY + timedelta(days=9)
    tokens = [
        path_of(visit, delivery).removeprefix("/digest/")[:-4],
        house.keys().sign("unsubscribe", delivery.key, until=until),
        house.keys().sign(PURPOSE, delivery.key, until=MONDAY - timedelta(days=1)),
        house.keys().sign(PURPOSE, "nobody/2026-11-23", until=until),
        house.keys().sign(PURPOSE, {"odd": 1}, until=until),
        "x",
    ]
    for token in tokens:
        answer = await visit.get(f"/digest/{token}")
        assert answer.status_code == 404, token
        assert "secret" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_who_is_gone_has_no_digests_any_more(visit, delivery):
    path = path_of(visit, delivery)
    await visit.world.house.store.remove_subscriptions([delivery.subscription], make_change())
    assert (await visit.get(path)).status_code == 404


async def test_a_token_stands_in_no_log(visit, delivery, caplog):
    caplog.set_level("DEBUG", "bots")
    caplog.set_level("DEBUG", "core")
    path = path_of(visit, delivery)
    await visit.get(path)
    await visit.get(f"{path}x")
    own = [record.getMessage() for record in caplog.records if record.name.startswith(("bots", "core"))]
    assert not [line for line in own if path.removeprefix("/digest/")[:20] in line]


async def test_nothing_private_stands_on_any_public_page_or_feed(visit, delivery):
    """Interests, places and persons of a channel: a paper is public, that somebody was shown it is not."""
    await visit.world.ask(c.Press("save", "2611.00001"))
    store = visit.world.house.store
    (subscription,) = await store.subscriptions(PLACE)
    await store.replace_subscription(replace(subscription, interests="my hidden topic"), make_change())
    for path in ("/", "/paper/2611.00001", "/search?q=secret", "/archive", "/day/2026-11-23", "/feed", "/stats",
                 "/about", "/privacy", "/support", "/readyz"):  # fmt: skip
        text = (await visit.get(path)).text
        for private in ("hidden topic", "ti:secret", PLACE, ALICE, delivery.subscription + "/", "🔖 "):
            assert private not in text, (path, private)
