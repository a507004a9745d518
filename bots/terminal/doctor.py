"""`doctor`: one line a check, exit 1 if any fails."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bots.embedding import PROBLEM, count_read
from bots.fetching import counted
from bots.house import House, open_house
from bots.service import make_platforms
from bots.terminal.output import write_out
from core.clock import system_clock
from core.digests.silence import failures, source_label
from core.errors import ModelError, PaperboyError, SourceError, StoreBusy, StoreError
from core.http import Http
from core.keys import KEPT_IN
from core.papers.plan import source_states
from core.papers.sources import Newest, Source, create_sources
from core.search.obtain import find_model
from core.settings import Settings

LOW_DISK = 500 * 1024**2
PLATFORM_WITHIN = 20.0
CLOCKS_AGREE = 10.0
"""Seconds; by so much a digest may be late or early when another machine sends it."""
FULL = 0.9


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, whether it is well, and what it is or how to mend it."""

    what: str
    well: bool
    details: str

    @classmethod
    def good(cls, what: str, details: str) -> Check:
        """Return a check that went well."""
        return cls(what, well=True, details=details)

    @classmethod
    def bad(cls, what: str, details: str) -> Check:
        """Return a check that failed."""
        return cls(what, well=False, details=details)


async def doctor(arguments: Namespace, settings: Settings) -> int:
    """Look at everything that has to work; returns 1 when something does not."""
    sick = False
    async for check in _checks(settings, offline=arguments.offline):
        sick = sick or not check.well
        write_out(f"{'ok  ' if check.well else 'FAIL'}  {check.what}: {check.details}")
    return 1 if sick else 0


async def _checks(settings: Settings, *, offline: bool) -> AsyncIterator[Check]:
    yield Check.good("settings", "every key is known and every value allowed")
    folder = _check_folder(settings)
    yield folder
    if not folder.well:
        return
    if others_can_read(settings.home / KEPT_IN):
        path = settings.home / KEPT_IN
        yield Check.bad("secret", f"others can read {path}, and could make every link; chmod 600 {path}")
    if settings.shares_state:
        yield await _check_database(settings)
    try:
        running = await _is_running(settings)
        yield Check.good("service", "running on this data folder" if running else "not running")
        async with open_house(settings, owner=False) as house:
            async for check in _checks_inside(house, running=running, offline=offline):
                yield check
    except PaperboyError as error:
        yield Check.bad("data", str(error))


def _check_folder(settings: Settings) -> Check:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Check.bad("data folder", f"{home} cannot be made ({error.strerror}); PAPERBOY_HOME names another.")
    if not os.access(home, os.W_OK):
        return Check.bad("data folder", f"{home} cannot be written; PAPERBOY_HOME names another.")
    free = shutil.disk_usage(home).free
    return Check("data folder", free > LOW_DISK, f"{home.resolve()}, {free / 1024**3:.1f} GB free")


def others_can_read(path: Path) -> bool:
    """Whether anybody but its owner may read a file in its folder, as far as their permissions say."""
    return path.exists() and bool(path.stat().st_mode & 0o044 and path.parent.stat().st_mode & 0o011)


async def _check_database(settings: Settings) -> Check:
    """Tell how the database is: its version, its pace, whether its clock agrees with ours, and whether it is full."""
    from core.database_health import look_at_database  # noqa: PLC0415 - without a database its client is not loaded

    url = settings.secrets.database_url
    assert url is not None
    try:
        found = await look_at_database(url.get_secret_value(), system_clock)
    except StoreError as error:
        return Check.bad("database", str(error))
    problems = [
        f"its clock and this machine's differ by {abs(found.ahead):.0f} s; set both by NTP"
        if abs(found.ahead) > CLOCKS_AGREE
        else "",
        f"its encoding is {found.encoding}; paperboy needs UTF8" if found.encoding != "UTF8" else "",
        f"{found.connections} of its {found.most} connections are taken; raise max_connections"
        if found.connections > FULL * found.most
        else "",
    ]
    told = (
        f"PostgreSQL {found.server.split()[0]}, schema {found.schema or 'none yet'}, answers in "
        f"{found.latency * 1000:.1f} ms, clocks {found.ahead:+.1f} s apart, {found.connections} of {found.most} "
        f"connections taken, {settings.database.connections} for each process at most"
    )
    return Check("database", not any(problems), "; ".join(filter(None, problems)) or told)


async def _is_running(settings: Settings) -> bool:
    try:
        async with open_house(settings, owner=True):
            return False
    except StoreBusy:
        return True


async def _checks_inside(house: House, *, running: bool, offline: bool) -> AsyncIterator[Check]:
    count = await house.library.count()
    yield Check.good("library", counted(count, "paper") if count else "empty until the first fetch")
    yield await _check_model(house)
    kept = await house.store.subscriptions()
    paused = [item for item in kept if item.pause is not None and not item.pause.by_hand]
    details = "; ".join(
        f"#{item.number} of {item.address} is paused: {item.pause.reason}" for item in paused if item.pause
    )
    yield Check("subscriptions", not paused, details or f"{len(kept)}")
    if warning := house.calendar.warning(house.clock()):
        yield Check.good("calendar", warning)
    if running or offline:
        async for check in _checks_of_states(house):
            yield check
    else:
        for check in await _checks_of_sources(house):
            yield check
    if not offline:
        async for check in _checks_of_platforms(house):
            yield check


async def _check_model(house: House) -> Check:
    """Tell whether papers can be found by meaning, and how many."""
    settings = house.settings.model
    if not settings.enabled:
        return Check.good("meaning", "switched off ([model] enabled); search goes by words alone")
    files = find_model(house.settings)
    if files is None:
        problem = await house.library.fact(PROBLEM)
        waits = "the model is not here yet; paperboy run, fetch and import get it"
        return Check("meaning", not problem, f"{problem or waits}; until then search goes by words alone")
    try:
        await asyncio.to_thread(files.check)
    except ModelError as error:
        return Check.bad("meaning", f"{error} Remove {files.folder}; paperboy run gets it again.")
    read, papers = await count_read(house)
    return Check.good("meaning", f"{settings.name} ({settings.licence}); {read:,} of {counted(papers, 'paper')} read")


async def _checks_of_states(house: House) -> AsyncIterator[Check]:
    """Tell how sources stand as the service saw them: asking them ourselves would break arXiv's one-at-a-time rule."""
    states = await source_states(house.library)
    for source in create_sources(house.settings):
        state = states[source.name]
        failing = failures({source.name: state}, house.settings.digest.timezone)
        asked = f"answered last at {state.ok_at:%Y-%m-%d %H:%M} UTC" if state.ok_at else "not asked yet"
        label = source_label(source.name)
        yield Check(label, not failing, failing[0].removeprefix(f"{label} ") if failing else asked)


async def _checks_of_sources(house: House) -> Sequence[Check]:
    http = Http(house.settings, house.library, clock=house.clock, random=random.SystemRandom().random)
    try:
        return await asyncio.gather(*(_check_source(source, http, house) for source in create_sources(house.settings)))
    finally:
        await http.close()


async def _check_source(source: Source, http: Http, house: House) -> Check:
    label = source_label(source.name)
    now = house.clock()
    get = source.ask(Newest(now.date(), now.date(), house.settings.arxiv.categories[:1]))[0]
    try:
        answer = await http.get(get)
        if not answer.not_modified:
            source.parse(get, answer.body, now=now)
    except SourceError as error:
        return Check.bad(label, f"{error.reason} ({get.url})")
    return Check.good(label, f"answers at {get.url}")


async def _checks_of_platforms(house: House) -> AsyncIterator[Check]:
    platforms = make_platforms(house, None)
    if not platforms:
        yield Check.good("platforms", "no token is set; digests go to the terminal and the page")
    for name, platform in platforms.items():
        try:
            async with asyncio.timeout(PLATFORM_WITHIN):
                for what, well, details in await platform.check():
                    yield Check(f"{name} {what}", well, details)
        except TimeoutError:
            yield Check.bad(name, f"did not answer within {PLATFORM_WITHIN:g} s")
        finally:
            await platform.close()
