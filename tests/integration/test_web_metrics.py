"""Figures for Prometheus."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from importlib.metadata import version
from os import utime
from pathlib import Path
from platform import python_version

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bots import PLATFORMS
from bots.terminal.backup import NOTE
from bots.web.metrics import Meters, create_metrics_app
from bots.web.troubles import LEVELS
from core.chat import commands as c
from core.errors import DeliveryFailure, LibraryBroken, LibraryError, SourceError, StoreError
from core.papers.plan import SourceState, keep_state
from core.papers.sources import SOURCES
from core.store import State
from core.store.figures import read_day
from tests.fakes import MemoryStore, make_change, make_delivery, make_subscription
from tests.worlds import MONDAY, MONDAY_DATE, make_record, open_world

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "config" / "deploy"


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


async def test_the_oldest_due_digest_tells_how_long_it_has_waited(world):
    store, clock = world.house.store, world.house.clock
    meters = Meters(store, clock)
    assert (await scrape(world, meters))["paperboy_outbox_oldest_due_seconds",] == 0
    await store.enqueue(make_delivery("x8", due_at=MONDAY - timedelta(minutes=3)))
    await store.enqueue(make_delivery("x9", due_at=MONDAY - timedelta(minutes=20)))
    assert (await scrape(world, meters))["paperboy_outbox_oldest_due_seconds",] == 1200
    await store.enqueue(make_delivery("y1", due_at=MONDAY - timedelta(days=1), state=State.SENT))
    assert (await scrape(world, meters))["paperboy_outbox_oldest_due_seconds",] == 1200, "what arrived waits no more"


async def test_what_has_not_happened_yet_is_zero_so_that_its_first_time_is_a_change(world):
    found = await scrape(world, Meters(world.house.store, world.house.clock))
    for platform in PLATFORMS:
        assert found["paperboy_digests_total", ("outcome", "late"), ("platform", platform)] == 0
    assert found["paperboy_database_errors_total", ("part", "store")] == 0
    assert found["paperboy_log_lines_total", ("level", "error")] == 0
    assert found["paperboy_schedule_struck_seconds",] == 0
    assert found["paperboy_backup_made_seconds",] == 0


async def test_what_runs_when_it_struck_and_when_it_was_backed_up_is_told(world):
    meters = Meters(world.house.store, world.house.clock)
    meters.struck(MONDAY)
    (world.house.settings.home / NOTE).touch()
    utime(world.house.settings.home / NOTE, (0, 1_700_000_000))
    found = await scrape(world, meters)
    build = ("paperboy_build_info", ("python", python_version()), ("version", version("paperboy")))
    assert found[build] == 1
    assert found["paperboy_schedule_struck_seconds",] == MONDAY.timestamp()
    assert found["paperboy_backup_made_seconds",] == 1_700_000_000
    assert found["process_resident_memory_bytes",] > 1e6


def stumble(error):
    raise error


async def test_errors_of_databases_are_counted_by_the_lines_that_tell_of_them(world):
    meters = Meters(world.house.store, world.house.clock)
    log = logging.getLogger("bots.test")
    with meters.troubles.listening():
        log.error("the outbox cannot be read: %s", StoreError("the disk is full"))
        log.warning("%(why)s", {"why": LibraryError("it is broken")})
        try:
            stumble(LibraryBroken("it is no database"))
        except LibraryBroken:
            log.exception("a page")
        log.error("a source: %s", SourceError("arxiv", "has answered 429"))
    log.error("unheard: %s", StoreError("the disk is full"))
    found = await scrape(world, meters)
    assert found["paperboy_database_errors_total", ("part", "store")] == 1
    assert found["paperboy_database_errors_total", ("part", "library")] == 2
    assert found["paperboy_log_lines_total", ("level", "error")] == 3
    assert found["paperboy_log_lines_total", ("level", "warning")] == 1


async def test_while_the_store_is_away_it_is_not_ready_and_the_counters_are_told_all_the_same(world):
    class Away(MemoryStore):
        async def open_deliveries(self):
            raise StoreError("it is away")

    object.__setattr__(world.house, "store", Away())
    meters = Meters(world.house.store, world.house.clock)
    meters.count("slack", "late")
    with meters.troubles.listening():
        found = await scrape(world, meters)
    assert found["paperboy_ready",] == 0
    assert found["paperboy_digests_total", ("outcome", "late"), ("platform", "slack")] == 1
    assert found["paperboy_database_errors_total", ("part", "store")] == 1
    assert ("paperboy_library_papers",) not in found


# What watches over it: config/deploy


def expressions_of_rules():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "paperboy.rules.yaml").read_text(encoding="utf-8"))
    (group,) = rules["groups"]
    return [(rule["alert"], rule["expr"]) for rule in group["rules"]]


def expressions_of_dashboard():
    dashboard = json.loads((DEPLOY / "grafana" / "paperboy.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))
    yield from ((variable["name"], variable["query"]) for variable in dashboard["templating"]["list"])


async def test_the_dashboard_and_the_alert_rules_name_only_what_is_exported(world):
    meters = Meters(world.house.store, world.house.clock)
    meters.took("search", 0.1)
    meters.count("slack", "failed_retry")
    await world.house.store.add_subscription(make_subscription("x9"), make_change())
    exported = {sample[0] for sample in await scrape(world, meters)}
    asked = [*expressions_of_rules(), *expressions_of_dashboard()]
    assert len(asked) > 30
    for name, expression in asked:
        for metric in re.findall(r"\b(?:paperboy|process)_[a-z_]+\b(?!=)", expression):
            assert metric in exported, (name, metric)


async def test_every_label_that_is_asked_for_by_its_value_is_one_that_is_exported(world):
    values = {"outcome": {"due", "on_time", "late", "silent", "dead"}, "what": {"search", "acknowledgement"}}
    values |= {"kind": {str(kind) for kind in DeliveryFailure}, "source": set(SOURCES), "job": {"paperboy"}}
    values |= {"level": set(LEVELS)}
    for name, expression in [*expressions_of_rules(), *expressions_of_dashboard()]:
        for label, _, wanted in re.findall(r'(\w+)(=~|!=|=)"([^"$]+)"', expression):
            assert set(wanted.split("|")) <= values[label], (name, label)


def test_each_alert_says_what_happened_and_leads_to_what_to_do():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "paperboy.rules.yaml").read_text(encoding="utf-8"))["groups"][0]
    names = [rule["alert"] for rule in rules["rules"]]
    assert len(names) == len(set(names))
    for rule in rules["rules"]:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        notes = rule["annotations"]
        assert notes["summary"]
        assert notes["description"].endswith(".")
        document, _, anchor = notes["runbook"].partition("#")
        headings = re.findall(r"(?m)^#+ (.*)$", (ROOT / document).read_text(encoding="utf-8"))
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor


def test_panels_of_the_dashboard_stand_beside_and_below_each_other():
    dashboard = json.loads((DEPLOY / "grafana" / "paperboy.json").read_text(encoding="utf-8"))
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


async def test_one_of_many_processes_tells_its_role(world):
    async def unready():
        return ()

    meters = Meters(world.house.store, world.house.clock, "worker")
    app = create_metrics_app(world.house, meters, unready)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://paperboy.test") as client:
        assert (await client.get("/readyz")).text == "ready\nrole worker"
        assert 'paperboy_role_info{role="worker"} 1.0' in (await client.get("/metrics")).text


async def test_a_process_without_a_page_tells_there_whether_it_lives_and_can_work(world):
    reasons = []

    async def unready():
        return reasons

    app = create_metrics_app(world.house, Meters(world.house.store, world.house.clock), unready)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://paperboy.test") as client:
        assert (await client.get("/healthz")).text == "ok"
        assert ((answer := await client.get("/readyz")).status_code, answer.text) == (200, "ready")
        reasons.append("the store cannot be read")
        assert ((answer := await client.get("/readyz")).status_code, answer.text) == (503, "the store cannot be read")
        assert (await client.get("/healthz")).status_code == 200, "to start it again would mend nothing"


async def test_what_is_not_ready_is_told_as_zero(world):
    found = await scrape(world, Meters(world.house.store, world.house.clock), ["the schedule has not run"])
    assert found["paperboy_ready",] == 0
