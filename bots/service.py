"""`paperboy run`: fetch, schedule, deliver, answer, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import date, timedelta
from functools import partial
from importlib import import_module
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bots import PLATFORMS
from bots.embedding import Keeper
from bots.engines import Engine, OneMachine, Rounds
from bots.fetching import current_failures, odd_lines, outcome_line
from bots.house import House, open_house
from bots.reading_room import ReadingRoom
from bots.resealing import reseal_at_start
from bots.roles import ROLES, Duty, check_role, describe, hears, is_idle
from bots.terminal.output import show
from bots.terminal.reading import no_source
from bots.terminal.render import to_screen
from bots.web.app import create_app
from bots.web.metrics import Meters, create_metrics_app
from bots.web.served import Served
from bots.web.server import serve
from bots.web.site import Site
from core.chat.message import Kind, Message, text
from core.delivery.amending import amend_deliveries
from core.delivery.carrying import Carrier
from core.delivery.outbox import due_soon
from core.delivery.platform import Platform
from core.delivery.recovery import Recovery
from core.errors import DeliveryError, PaperboyError, SettingsError, StoreError, log_level
from core.settings import Settings
from core.store.figures import DUE, Day, read_days

log = logging.getLogger(__name__)

REACHABLE_WITHIN = 2.0
SWITCH_EVERY = 0.0005
CATCH_UP_WITHIN = 180.0
FIGURES_EVERY = 60.0
FETCH_BEFORE = timedelta(minutes=3)
FETCH_AGAIN = timedelta(minutes=15)
WEB = "web"
READ = "read to see whether it can be"
STATS_DAYS = 14


async def run(arguments: Namespace, settings: Settings) -> int:
    """Run the service until it is told to stop; returns 0 then."""
    check_role(arguments.role, settings)
    wanted = chosen_names(arguments.only)
    # Keeping new papers must not make a search wait: by default a thread keeps the interpreter for 5 ms.
    sys.setswitchinterval(SWITCH_EVERY)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(settings, owner=True))
        await reseal_at_start(house)
        platforms = make_platforms(house, wanted)
        service = Service(house, platforms, role=arguments.role)
        await service.run(stop, with_page=settings.web.enabled and (wanted is None or WEB in wanted))
    log.info("stopped")
    return 0


def chosen_names(only: str | None) -> frozenset[str] | None:
    """Return the names behind `--only`, or None where it was not given; SettingsError for unknown ones."""
    if only is None:
        return None
    names = frozenset(part.strip() for part in only.split(",") if part.strip())
    known = {*PLATFORMS, WEB}
    if not names or names - known:
        unknown = ", ".join(sorted(names - known)) or "nothing"
        raise SettingsError(f"--only: {unknown} is not known; allowed are {', '.join(sorted(known))}.")
    return names


def make_platforms(house: House, wanted: frozenset[str] | None) -> Mapping[str, Platform]:
    """Make the platforms whose tokens are set, of those that are wanted."""
    made: dict[str, Platform] = {}
    for name, place in PLATFORMS.items():
        module, _, class_name = place.partition(":")
        if wanted is not None and name not in wanted:
            continue
        platform_class = getattr(import_module(module), class_name)
        if platform_class.is_configured(house.settings):
            made[name] = platform_class.from_settings(house.settings, house.clock, house.store)
        elif wanted is not None:
            raise SettingsError(f"--only {name}: its token is not set, or another setting it needs; README says which.")
    return made


class Service:
    """The running whole: a few loops, each of which survives the failures of the others."""

    def __init__(self, house: House, platforms: Mapping[str, Platform], *, role: str = "all") -> None:
        self._house = house
        self._platforms = platforms
        self._role = role
        self._duties = ROLES[role]
        self._fetcher = house.fetcher()
        self._room = ReadingRoom(house, tried=self._has_tried, edition=lambda: self._fetcher.runs)
        self._fetching = asyncio.Lock()
        self._caught_up = asyncio.Event()
        self._struck_at = house.clock()
        self._recovery = Recovery(store=house.store, newsroom=house.newsroom, platforms=platforms)
        self._figures = Meters(house.store, house.clock, role)
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        house, count = self._house, self._figures.count
        carrier = Carrier(
            store=house.store,
            platforms=self._platforms,
            clock=house.clock,
            jitter=random.SystemRandom().random,
            count=count,
        )
        rounds = Rounds(self.tick, self.care, self.fetch, self.complete, self.tidy)
        if house.database is None:

            def lately_fetched() -> bool:
                return not self._fetcher.is_older_than(FETCH_AGAIN)

            return OneMachine(house, carrier, rounds, count=count, lately_fetched=lately_fetched)
        from bots.many_machines import ManyMachines  # noqa: PLC0415 - one machine loads no job queue

        return ManyMachines(house, house.database, carrier, rounds, duties=self._duties, count=count)

    async def run(self, stop: asyncio.Event, *, with_page: bool) -> None:
        """Run until `stop` is set, then end everything in order."""
        loops = [*self._engine.loops(), self._first_round(), Keeper(self._house).run(), self._keep_figures()]
        loops += self._listening()
        loops += self._serving(with_page=with_page)
        log.info("role %s: %s", self._role, describe(self._role))
        if is_idle(self._role, self._platforms):
            log.warning("no platform is set up here, so nothing is heard or delivered; README names the tokens")
        tasks = [asyncio.create_task(loop) for loop in loops]
        stopped = asyncio.create_task(stop.wait())
        try:
            await self._watch(stopped, tasks)
        finally:
            for task in [stopped, *tasks]:
                task.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)
            await self._room.close()
            for platform in self._platforms.values():
                with suppress(TimeoutError):
                    await asyncio.wait_for(platform.close(), 5)

    def _listening(self) -> list[Coroutine[Any, Any, None]]:
        answer = self._house.desk(self.reachable, self._figures.took, self._queued).answer
        attended = []
        for platform in self._platforms.values():
            if hears(platform, self._duties):
                attended.append(self._attend(platform, partial(platform.listen, answer)))
            elif Duty.DELIVER in self._duties:
                attended.append(self._attend(platform, platform.stand_by))
        return attended

    def _serving(self, *, with_page: bool) -> list[Coroutine[Any, Any, None]]:
        served = []
        if Duty.PAGE in self._duties and with_page:
            served.append(self._serve_page())
        elif Duty.PAGE in self._duties and self._house.settings.web.enabled and (routes := self._routes()):
            # `--only` leaves the page out, not what calls us.
            served.append(self._serve(Starlette(routes=routes), "what platforms call is"))
        if self._house.settings.metrics.enabled:
            served.append(self._serve_metrics())
        return served

    def _queued(self, platform: str, what: str) -> None:
        """Count what somebody asked for, and have it delivered now."""
        self._figures.count(platform, what)
        if what == DUE:
            self._engine.wake()

    async def _watch(self, stopped: asyncio.Task[bool], tasks: list[asyncio.Task[None]]) -> None:
        """Wait for the end; a loop that fails for good ends the service with its sentence."""
        waiting = {stopped, *tasks}
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()

    async def unready(self) -> Sequence[str]:
        """Return what cannot be used right now, a line each without details, which the log has."""
        house, reasons = self._house, []
        for name, read in (("library", house.library.count), ("store", lambda: house.store.fact(READ))):
            try:
                await read()
            except PaperboyError as error:
                log.log(min(log_level(error), logging.WARNING), "not ready: %s", error)
                reasons.append(f"the {name} cannot be read")
        if problem := self._engine.problem(self._struck_at, house.clock()):
            reasons.append(problem)
        return reasons

    async def tick(self) -> None:
        """Queue what is due; nothing slow may stand here, for the next minute's digests wait behind it."""
        self._struck_at = self._house.clock()
        if not self._caught_up.is_set():
            return
        try:
            await self._engine.queue_due(self._house.clock())
            self._figures.struck(self._house.clock())
        except PaperboyError as error:
            log.log(log_level(error), "digests could not be queued: %s", error)

    async def care(self) -> None:
        """Look after places that could not be posted to, and fetch when digests are due soon."""
        house = self._house
        now = house.clock()
        try:
            await self._recovery.round(now)
            self._engine.wake()
            if await due_soon(house.store, now, within=FETCH_BEFORE):
                await self._engine.want_fetch(now)
        except PaperboyError as error:
            log.log(log_level(error), "this minute's care could not be taken: %s", error)

    async def fetch(self) -> None:
        """Ask all sources, then complete what lacked them; failures are kept and told, never raised."""
        house = self._house
        async with self._fetching:
            try:
                outcomes = await self._fetcher.fetch()
                await self._engine.fetched()
            except PaperboyError as error:
                log.log(log_level(error), "fetching failed: %s", error)
                return
        # Where the first round finds nothing at all, the line above the sample tells it, once.
        nothing = not self._platforms and all(outcome.failure for outcome in outcomes)
        level = logging.DEBUG if nothing and not self._caught_up.is_set() else logging.INFO
        for outcome in outcomes:
            for line in (*odd_lines(outcome), outcome_line(outcome, house.settings)):
                log.log(level, "%s", line)

    async def complete(self) -> None:
        """Complete digests that lacked a source which answers again."""
        house = self._house
        try:
            await amend_deliveries(house.newsroom, house.store, self._platforms, house.clock())
        except PaperboyError as error:
            log.error("digests could not be completed: %s", error)

    async def _keep_figures(self) -> None:
        """Add this process's figures to the day's, each minute."""
        while True:
            await asyncio.sleep(FIGURES_EVERY)
            try:
                await self._figures.flush()
            except StoreError as error:
                log.error("the figures of this minute are kept later: %s", error)

    async def tidy(self) -> None:
        """Forget deliveries that are older than what is promised to be kept; warn when the calendar has ended."""
        if warning := self._house.calendar.warning(self._house.clock()):
            log.warning("%s", warning)
        before = self._house.clock() - timedelta(days=self._house.settings.keep.deliveries_days)
        try:
            await self._house.store.prune(before)
        except PaperboyError as error:
            log.log(log_level(error), "old deliveries could not be pruned: %s", error)

    async def reachable(self, address: str) -> str | None:
        """Tell why an address cannot be posted to, or None; also None when nobody can tell, or not in time."""
        platform = self._platforms.get(address.partition(":")[0])
        if platform is None:
            return None
        try:
            return await asyncio.wait_for(platform.reachable(address), REACHABLE_WITHIN)
        except (TimeoutError, DeliveryError):
            return None

    async def _attend(self, platform: Platform, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DeliveryError as error:
            # One platform with a bad token must not silence the others; doctor and the log say which.
            log.error("%s is not served: %s", platform.name, error)

    async def _first_round(self) -> None:
        """Fetch, then catch up with what was due, and show the digest where nobody else will.

        A digest that was missed while paperboy was not running would be composed of old papers before the first fetch
        has ended; so it waits for that, but not for ever.
        """
        if Duty.DELIVER not in self._duties:
            return  # others do
        if await self._fetcher.is_stale():
            fetching = asyncio.create_task(self._engine.first_fetch(self._fetcher.is_stale))
            try:
                await asyncio.wait([fetching], timeout=CATCH_UP_WITHIN)
                self._caught_up.set()
                await self.tick()
                await fetching
            finally:  # the service may end before
                fetching.cancel()
                await asyncio.gather(fetching, return_exceptions=True)
        self._caught_up.set()
        await self.tick()
        if not self._platforms and self._role == "all":
            message = await self.page()
            told = f"{no_source(await self._failing())}\n" if message.sample else ""
            show(told + to_screen(message))

    async def page(self) -> Message:
        """Return today's digest for everybody; the bundled sample while nothing real could be fetched."""
        shelf = await self._room.shelf()
        if shelf.waiting:
            return Message(Kind.DIGEST, lines=(text("The first papers are being fetched; look again in a minute."),))
        now = self._house.clock()
        edition = await self._room.once("page", lambda: shelf.newsroom.front_page(now), kept_for=timedelta(days=1))
        return edition.message

    async def _has_tried(self) -> bool:
        return bool(self._fetcher.runs or await self._failing())

    async def _failing(self) -> Sequence[str]:
        return await current_failures(self._house.library, self._house.settings)

    async def figures(self) -> Mapping[date, Day]:
        """Return the service's own figures of the last days, those of this minute included."""
        await self._figures.flush()
        return await read_days(self._house.store, self._house.clock().date(), STATS_DAYS)

    def _routes(self) -> list[BaseRoute]:
        """Return the addresses of platforms that are reached over the web address."""
        served = [platform for platform in self._platforms.values() if isinstance(platform, Served)]
        return [route for platform in served for route in platform.routes(self._house)]

    async def _serve_page(self) -> None:
        site = Site(self._house, self._room, self.figures, self.unready, self._figures.took, role=self._role)
        await self._serve(create_app(site, routes=self._routes()))

    async def _serve(self, app: ASGIApp, what: str = "the page is") -> None:
        web = self._house.settings.web

        def bound(host: str, port: int) -> None:
            log.info("%s at http://%s:%s (links lead to %s)", what, host, port, web.base_url)

        await serve(app, web.host, web.port, bound, proxies=web.proxies)

    async def _serve_metrics(self) -> None:
        at = self._house.settings.metrics

        def bound(host: str, port: int) -> None:
            log.info("figures for Prometheus are at http://%s:%s/metrics", host, port)

        app = create_metrics_app(self._house, self._figures, self.unready)
        with self._figures.troubles.listening():
            await serve(app, at.host, at.port, bound, setting="metrics")
