"""Figures for Prometheus, at an address of their own that is not public.

| name | what |
|---|---|
| `paperboy_digests_total{platform,outcome}` | `due`, `on_time`, `late`, `silent`, `dead` and what else `stats` counts |
| `paperboy_delivery_failures_total{platform,kind}` | calls that a platform did not take, by what follows |
| `paperboy_duration_seconds{what}` | histogram of searches and of acknowledgements |
| `paperboy_outbox_deliveries{state}` | digests that wait, are on their way, or of which nobody knows |
| `paperboy_subscriptions{platform,state}` | active ones, and paused ones |
| `paperboy_source_failing_since_seconds{source}` | when a source began to fail (Unix time); 0 while it answers |
| `paperboy_source_ok_seconds{source}` | when a source last answered all (Unix time); 0 before it ever did |
| `paperboy_library_papers` | papers in the library |
| `paperboy_index_lag_papers` | of these, not yet read for meaning |
| `paperboy_ready` | 1 where /readyz says so |

The counters begin at 0 with the service; `stats` has those of the days before.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bots.embedding import count_read
from bots.house import House
from core.clock import Clock
from core.papers.plan import source_states
from core.store import OPEN, Store
from core.store.figures import BOUNDS, FAILED, Figures


class Meters(Figures):
    """The service's own figures, which also count for Prometheus."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self.registry = CollectorRegistry()
        labels = ("platform", "outcome")
        self._digests = Counter("paperboy_digests", "What became of digests.", labels, registry=self.registry)
        self._failures = Counter(
            "paperboy_delivery_failures", "Calls not taken.", ("platform", "kind"), registry=self.registry
        )
        self._seconds = Histogram(
            "paperboy_duration_seconds", "How long it took.", ("what",), registry=self.registry, buckets=BOUNDS
        )

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
        *await _of_store(house.store),
        *await _of_sources(house),
        GaugeMetricFamily("paperboy_library_papers", "Papers in the library.", value=papers),
        GaugeMetricFamily("paperboy_index_lag_papers", "Papers not yet read for meaning.", value=papers - read),
        GaugeMetricFamily("paperboy_ready", "Whether it can work.", value=ready),
    ]


async def _of_store(store: Store) -> Iterable[GaugeMetricFamily]:
    waiting = Tally(delivery.state for delivery in await store.open_deliveries())
    outbox = GaugeMetricFamily("paperboy_outbox_deliveries", "Open digests by state.", labels=["state"])
    for state in sorted(OPEN):
        outbox.add_metric([str(state)], waiting[state])
    kept = Tally(
        (item.address.partition(":")[0], "paused" if item.pause else "active") for item in await store.subscriptions()
    )
    subscriptions = GaugeMetricFamily("paperboy_subscriptions", "Subscriptions.", labels=["platform", "state"])
    for labels, count in sorted(kept.items()):
        subscriptions.add_metric(list(labels), count)
    return outbox, subscriptions


async def _of_sources(house: House) -> Iterable[GaugeMetricFamily]:
    failing = GaugeMetricFamily("paperboy_source_failing_since_seconds", "Unix time; 0 is well.", labels=["source"])
    well = GaugeMetricFamily("paperboy_source_ok_seconds", "Unix time; 0 is never.", labels=["source"])
    for name, state in (await source_states(house.library)).items():
        failing.add_metric([name], state.failing_since.timestamp() if state.failing_since else 0)
        well.add_metric([name], state.ok_at.timestamp() if state.ok_at else 0)
    return failing, well


def create_metrics_app(house: House, meters: Meters, unready: Callable[[], Awaitable[Sequence[str]]]) -> Starlette:
    """Make the application that answers at `/metrics`, and nowhere else."""

    async def metrics(_request: Request) -> Response:
        now = CollectorRegistry()
        now.register(_Read(await read_gauges(house, unready)))
        body = generate_latest(meters.registry) + generate_latest(now)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})

    return Starlette(routes=[Route("/metrics", metrics)])
