"""`doctor`: one line a check, exit 1 if any fails."""

from __future__ import annotations

import asyncio
import random
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Sequence

from bots.embedding import PROBLEM, check_vectors, count_read
from bots.fetching import counted
from bots.house import House, open_house
from bots.roles import ROLES, Duty, check_role, hears
from bots.service import make_platforms
from bots.terminal.checks import Check
from bots.terminal.output import write_out
from bots.terminal.premises import (
    check_backup,
    check_clock,
    check_folder,
    check_keys,
    check_log,
    check_rights,
    checks_of_figures,
)
from core.allowed import hide_passwords
from core.clock import system_clock
from core.digests.silence import failures, source_label
from core.errors import LibraryError, ModelError, PaperboyError, SourceError, StoreBusy, StoreError
from core.http import Http
from core.papers.plan import source_states
from core.papers.sources import Newest, Source, create_sources
from core.search.obtain import find_model
from core.settings import Settings
from core.store.folder import FolderLock

PLATFORM_WITHIN = 20.0
CLOCKS_AGREE = 10.0
"""Seconds; by so much a digest may be late or early when another machine sends it."""
FULL = 0.9


async def doctor(arguments: Namespace, settings: Settings) -> int:
    """Look at everything that has to work; returns 1 when something does not."""
    sick = False
    check_role(arguments.role, settings)
    async for check in _checks(settings, ROLES[arguments.role], offline=arguments.offline):
        sick = sick or not check.well
        write_out(f"{'ok  ' if check.well else 'FAIL'}  {check.what}: {hide_passwords(check.details)}")
    return 1 if sick else 0


async def _checks(settings: Settings, duties: frozenset[Duty], *, offline: bool) -> AsyncIterator[Check]:
    yield Check.good("settings", "every key is known and every value allowed")
    yield check_log(settings)
    folder = check_folder(settings)
    yield folder
    if not folder.well:
        return
    for check in check_rights(settings):
        yield check
    if settings.shares_state:
        yield await _check_database(settings)
    try:
        running = await _is_running(settings)
        yield Check.good("service", "running on this data folder" if running else "not running")
        async for check in checks_of_figures(settings, running=running):
            yield check
        async with open_house(settings, owner=False) as house:
            async for check in _checks_inside(house, duties, running=running, offline=offline):
                yield check
    except PaperboyError as error:
        yield Check.bad("data", str(error))


async def _check_database(settings: Settings) -> Check:
    """Tell how the database is: its version, its pace, whether its clock agrees with ours, and whether it is full."""
    from core.database import no_schema  # noqa: PLC0415 - without a database its client is not loaded
    from core.database_health import look_at_database  # noqa: PLC0415

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
    if found.schema is None:
        problems.insert(0, no_schema(url.get_secret_value()).rstrip("."))
    told = (
        f"PostgreSQL {found.server.split()[0]}, schema {found.schema}, answers in "
        f"{found.latency * 1000:.1f} ms, clocks {found.ahead:+.1f} s apart, {found.connections} of {found.most} "
        f"connections taken, {settings.database.connections} for each process at most"
    )
    return Check("database", not any(problems), "; ".join(filter(None, problems)) or told)


async def _is_running(settings: Settings) -> bool:
    try:
        if settings.shares_state:  # what is opened as the service does would be changed as it does
            FolderLock(settings.home).release()
            return False
        async with open_house(settings, owner=True):
            return False
    except StoreBusy:
        return True


async def _checks_inside(
    house: House, duties: frozenset[Duty], *, running: bool, offline: bool
) -> AsyncIterator[Check]:
    yield await check_keys(house)
    yield check_backup(house.settings, house.clock())
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
    if Duty.FETCH not in duties:
        pass  # another process asks the sources, and answers for that
    elif running or offline:
        async for check in _checks_of_states(house):
            yield check
    else:
        for check in await _checks_of_sources(house):
            yield check
    if not offline:
        async for check in _checks_of_platforms(house, duties):
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
    try:
        await asyncio.to_thread(files.open, threads=1)
    except ModelError as error:
        return Check.bad("meaning", f"{error} Search goes by words alone, until [model] names another one.")
    try:
        await asyncio.to_thread(check_vectors, house.library.path.parent, files)
    except LibraryError as error:
        return Check.bad("meaning", f"{error} Until then search goes by words alone.")
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
    ahead: list[float] = []
    try:
        asked = [_check_source(source, http, house, ahead.append) for source in create_sources(house.settings)]
        return [*await asyncio.gather(*asked), check_clock(ahead)]
    finally:
        await http.close()


async def _check_source(source: Source, http: Http, house: House, tell_ahead: Callable[[float], None]) -> Check:
    label = source_label(source.name)
    now = house.clock()
    get = source.ask(Newest(now.date(), now.date(), house.settings.arxiv.categories[:1]))[0]
    try:
        answer = await http.get(get)
        if answer.ahead is not None:
            tell_ahead(answer.ahead)
        if not answer.not_modified:
            source.parse(get, answer.body, now=now)
    except SourceError as error:
        return Check.bad(label, f"{error.reason} ({get.url})")
    return Check.good(label, f"answers at {get.url}")


async def _checks_of_platforms(house: House, duties: frozenset[Duty]) -> AsyncIterator[Check]:
    platforms = make_platforms(house, None)
    if not platforms:
        yield Check.good("platforms", "no token is set; digests go to the terminal and the page")
    for name, platform in platforms.items():
        if not (hears(platform, duties) or Duty.DELIVER in duties):
            await platform.close()
            continue
        try:
            async with asyncio.timeout(PLATFORM_WITHIN):
                for what, well, details in await platform.check():
                    yield Check(f"{name} {what}", well, details)
        except TimeoutError:
            yield Check.bad(name, f"did not answer within {PLATFORM_WITHIN:g} s")
        finally:
            await platform.close()
