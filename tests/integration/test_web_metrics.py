"""Figures for Prometheus."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bots.web.metrics import Meters, create_metrics_app
from core.chat import commands as c
from core.papers.plan import SourceState, keep_state
from core.store import State
from core.store.figures import read_day
from tests.fakes import make_change, make_delivery, make_subscription
from tests.worlds import MONDAY, MONDAY_DATE, make_record, open_world


@pytest.fixture
async def world(tmp_path):
    records = [make_record("2611.00001", "Grokking")]
    async with open_world(tmp_path, records, home=tmp_path, model={"enabled": False}) as world:
        yield world


async def scrape(world, meters, reasons=()):
    async def unready():
        return reasons

    transport = httpx.ASGITransport(create_metrics_app(world.house, meters, unready))
    async with httpx.AsyncClient(transport=transport, base_url="http://paperboy.test") as client:
        answer = await client.get("/metrics")
        assert (await client.get("/")).status_code == 404
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_what_is_counted_reaches_prometheus_and_the_services_own_figures(world):
    meters = Meters(world.house.store, world.house.clock)
    for what in ("due", "on_time", "on_time", "failed_retry"):
        meters.count("slack", what)
    meters.took("search", 0.03)
    meters.took("acknowledgement", 0.2)
    found = await scrape(world, meters)
    assert found["paperboy_digests_total", ("outcome", "on_time"), ("platform", "slack")] == 2
    assert found["paperboy_delivery_failures_total", ("kind", "retry"), ("platform", "slack")] == 1
    assert found["paperboy_duration_seconds_bucket", ("le", "0.05"), ("what", "search")] == 1
    assert found["paperboy_duration_seconds_bucket", ("le", "0.1"), ("what", "acknowledgement")] == 0
    await meters.flush()
    assert (await read_day(world.house.store, MONDAY_DATE)).counts["slack"]["on_time"] == 2


async def test_how_things_stand_is_read_when_it_is_asked_for(world):
    store = world.house.store
    await world.ask(c.Subscribe("grokking", c.Options()))
    await store.add_subscription(make_subscription("x9"), make_change())
    await store.enqueue(make_delivery("x9"))
    await store.enqueue(make_delivery("x9", day=MONDAY_DATE, state=State.PENDING))
    failing = SourceState("arxiv", ok_at=MONDAY - timedelta(hours=3), failing_since=MONDAY, reason="has answered 429")
    await keep_state(world.house.library, failing)
    found = await scrape(world, Meters(store, world.house.clock))
    assert found["paperboy_outbox_deliveries", ("state", "pending")] == 2
    assert found["paperboy_outbox_deliveries", ("state", "unknown")] == 0
    assert found["paperboy_subscriptions", ("platform", "slack"), ("state", "active")] == 1
    assert found["paperboy_subscriptions", ("platform", "fake"), ("state", "active")] == 1
    assert found["paperboy_source_failing_since_seconds", ("source", "arxiv")] == MONDAY.timestamp()
    assert found["paperboy_source_failing_since_seconds", ("source", "huggingface")] == 0
    assert found["paperboy_source_ok_seconds", ("source", "arxiv")] == MONDAY.timestamp() - 3 * 3600
    assert found["paperboy_library_papers",] == 1
    assert found["paperboy_index_lag_papers",] == 0
    assert found["paperboy_ready",] == 1


async def test_what_is_not_ready_is_told_as_zero(world):
    found = await scrape(world, Meters(world.house.store, world.house.clock), ["the schedule has not run"])
    assert found["paperboy_ready",] == 0
