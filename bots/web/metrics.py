"""Figures for Prometheus, at an address of their own that is not public.

Beside them stand `/healthz` and `/readyz`, for processes that serve no page.

| name | what |
|---|---|
| `paperboy_digests_total{platform,outcome}` | `due`, `on_time`, `late`, `silent`, `dead` and what else `stats` counts |
| `paperboy_delivery_failures_total{platform,kind}` | calls that a platform did not take, by what follows |
| `paperboy_duration_seconds{what}` | histogram of searches and of acknowledgements |
| `paperboy_outbox_deliveries{state}` | digests that wait, are on their way, or of which nobody knows |
| `paperboy_outbox_oldest_due_seconds` | for how long the oldest of these has been due; 0 where there is none |
| `paperboy_schedule_struck_seconds` | when the minute struck last (Unix time), so that what is due was queued |
| `paperboy_subscriptions{platform,state}` | active ones, and paused ones |
| `paperboy_source_failing_since_seconds{source}` | when a source began to fail (Unix time); 0 while it answers |
| `paperboy_source_ok_seconds{source}` | when a source last answered all (Unix time); 0 before it ever did |
| `paperboy_library_papers` | papers in the library |
| `paperboy_index_lag_papers` | of these, not yet read for meaning |
| `paperboy_ready` | 1 where /readyz says so |
| `paperboy_database_errors_total{part}` | failures of the `store` or the `library` |
| `paperboy_log_lines_total{level}` | lines of the log |
| `paperboy_backup_made_seconds` | when the last backup was made (Unix time); 0 where none is known |
| `paperboy_build_info{version,python}` | 1 |
| `paperboy_role_info{role}` | 1; what this process does (`all`, `bot`, `worker`, `fetch`, `web`) |
| `process_...` | memory, CPU time and open files of this process |

The counters begin at 0 with the service; `stats` has those of the days before.
"""

from __future__ import annotations

import logging
import platform
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots import PLATFORMS
from bots.embedding import count_read
from bots.house import House
from bots.terminal.backup import last_backup
from bots.web.health import ALL, healthz, say_readiness
from bots.web.hurry import in_a_hurry
from bots.web.troubles import Troubles
from core.clock import Clock
from core.errors import PaperboyError
from core.papers.plan import source_states
from core.store import OPEN, Store
from core.store.figures import BOUNDS, DEAD, DUE, FAILED, LATE, ON_TIME, SILENT, Figures

log = logging.getLogger(__name__)


class Meters(Figures):
    """The service's own figures, which also count for Prometheus."""

    def __init__(self, store: Store, clock: Clock, role: str = ALL) -> None:
        super().__init__(store, clock)
        self.role = role
        self.registry = CollectorRegistry()
        labels = ("platform", "outcome")
        self._digests = Counter("paperboy_digests", "What became of digests.", labels, registry=self.registry)
        self._failures = Counter(
            "paperboy_delivery_failures", "Calls not taken.", ("platform", "kind"), registry=self.registry
        )
        self._seconds = Histogram(
            "paperboy_duration_seconds", "How long it took.", ("what",), registry=self.registry, buckets=BOUNDS
        )
        self._struck = Gauge("paperboy_schedule_struck_seconds", "Unix time; 0 is never.", registry=self.registry)
        build = Gauge("paperboy_build_info", "What runs.", ("version", "python"), registry=self.registry)
        build.labels(version("paperboy"), platform.python_version()).set(1)
        what = Gauge("paperboy_role_info", "What this process does.", ("role",), registry=self.registry)
        what.labels(role).set(1)
        self.troubles = Troubles(self.registry)
        ProcessCollector(registry=self.registry)
        # What has not happened yet is 0 rather than missing, so that its first time is seen as a change.
        for name in PLATFORMS:
            for outcome in (DUE, ON_TIME, LATE, SILENT, DEAD):
                self._digests.labels(name, outcome)

    def count(self, platform: str, what: str) -> None:
        """Count something that happened on a platform."""
        super().count(platform, what)
        if what.startswith(FAILED):
            self._failures.labels(platform, what.removeprefix(FAILED)).inc()
        else:
            self._digests.labels(platform, what).inc()

    def took(self, what: str, seconds: float) -> None:
        """Note how long something took."""
        super().took(what, seconds)
        self._seconds.labels(what).observe(seconds)

    def struck(self, at: datetime) -> None:
        """Note that the minute struck, and that what was due was looked for."""
        self._struck.set(at.timestamp())


class _Read:
    """Gauges that were read just now, as the library for metrics wants to be given them."""

    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


async def read_gauges(house: House, unready: Callable[[], Awaitable[Sequence[str]]]) -> Sequence[GaugeMetricFamily]:
    """Read how things stand.

    Raises:
        PaperboyError: library or store cannot be read.
    """
    read, papers = await count_read(house)
    ready = 0 if await unready() else 1
    return [
        *await _of_store(house.store, house.clock()),
        *await _of_sources(house),
        GaugeMetricFamily("paperboy_library_papers", "Papers in the library.", value=papers),
        GaugeMetricFamily("paperboy_index_lag_papers", "Papers not yet read for meaning.", value=papers - read),
        GaugeMetricFamily("paperboy_ready", "Whether it can work.", value=ready),
        _of_backup(house),
    ]


def _of_backup(house: House) -> GaugeMetricFamily:
    made = last_backup(house.settings.home)
    at = made.timestamp() if made else 0
    return GaugeMetricFamily("paperboy_backup_made_seconds", "Unix time; 0 is not known.", value=at)


async def _of_store(store: Store, now: datetime) -> Iterable[GaugeMetricFamily]:
    deliveries = await store.open_deliveries()
    waiting = Tally(delivery.state for delivery in deliveries)
    due = min((delivery.due_at for delivery in deliveries), default=now)
    oldest = GaugeMetricFamily(
        "paperboy_outbox_oldest_due_seconds", "0 is none.", value=max((now - due).total_seconds(), 0)
    )
    outbox = GaugeMetricFamily("paperboy_outbox_deliveries", "Open digests by state.", labels=["state"])
    for state in sorted(OPEN):
        outbox.add_metric([str(state)], waiting[state])
    kept = Tally(
        (item.address.partition(":")[0], "paused" if item.pause else "active") for item in await store.subscriptions()
    )
    subscriptions = GaugeMetricFamily("paperboy_subscriptions", "Subscriptions.", labels=["platform", "state"])
    for labels, count in sorted(kept.items()):
        subscriptions.add_metric(list(labels), count)
    return outbox, oldest, subscriptions


async def _of_sources(house: House) -> Iterable[GaugeMetricFamily]:
    failing = GaugeMetricFamily("paperboy_source_failing_since_seconds", "Unix time; 0 is well.", labels=["source"])
    well = GaugeMetricFamily("paperboy_source_ok_seconds", "Unix time; 0 is never.", labels=["source"])
    for name, state in (await source_states(house.library)).items():
        failing.add_metric([name], state.failing_since.timestamp() if state.failing_since else 0)
        well.add_metric([name], state.ok_at.timestamp() if state.ok_at else 0)
    return failing, well


async def _gauges_or_zero(house: House, unready: Callable[[], Awaitable[Sequence[str]]]) -> Sequence[GaugeMetricFamily]:
    """Read how things stand; where that cannot be read it is not ready, and the counters are told all the same."""
    try:
        return await read_gauges(house, unready)
    except PaperboyError as error:
        log.error("figures cannot be read: %s", error)
        return [GaugeMetricFamily("paperboy_ready", "Whether it can work.", value=0)]


def create_metrics_app(house: House, meters: Meters, unready: Callable[[], Awaitable[Sequence[str]]]) -> Starlette:
    """Make the application that answers at `/metrics`, and to whatever watches over this process."""

    async def metrics(_request: Request) -> Response:
        now = CollectorRegistry()
        now.register(_Read(await _gauges_or_zero(house, unready)))
        body = generate_latest(meters.registry) + generate_latest(now)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    async def readyz(_request: Request) -> Response:
        return say_readiness(await unready(), meters.role)

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    return Starlette(routes=[in_a_hurry(route) for route in routes])
