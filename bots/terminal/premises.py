"""What the doctor looks at around paperboy: folder, rights, secrets, backups, the clock, log and figures."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from bots.house import House
from bots.resealing import SEALS, closed_sentence
from bots.terminal.backup import last_backup
from bots.terminal.checks import Check
from core.keys import KEPT_IN
from core.settings import Settings

LOW_DISK = 500 * 1024**2  # bytes
BACKUP_WITHIN = timedelta(days=7)
CLOCK_WITHIN = 60.0  # seconds; Slack refuses what was signed five minutes from its own time
CONNECT_WITHIN = 2.0
OTHERS_DIFFER = "; other machines make another: set PAPERBOY_SECRET_KEY for all of them"
OURS = ("*.json", "*.journal", "*.sqlite3", "*.key")


def check_folder(settings: Settings) -> Check:
    """Tell whether the data folder can be used, and has room."""
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Check.bad("data folder", f"{home} cannot be made ({error.strerror}); PAPERBOY_HOME names another.")
    if not os.access(home, os.W_OK):
        return Check.bad("data folder", f"{home} cannot be written; PAPERBOY_HOME names another.")
    free = shutil.disk_usage(home).free
    return Check("data folder", free > LOW_DISK, f"{home.resolve()}, {free / 1024**3:.1f} GB free")


def check_rights(settings: Settings) -> Iterator[Check]:
    """Tell what anybody else on this machine could read."""
    home = settings.home
    if others_can_read(home / KEPT_IN):
        path = home / KEPT_IN
        yield Check.bad("secret", f"others can read {path}, and could make every link; chmod 600 {path}")
    files = {path.name for pattern in OURS for path in home.glob(pattern) if others_can_read(path)} - {KEPT_IN}
    if files:
        yield Check.bad("rights", f"others can read {len(files)} files in {home}, as {min(files)}; chmod -R go= {home}")
    else:
        yield Check.good("rights", "nobody but their owner can read the files")


def others_can_read(path: Path) -> bool:
    """Whether anybody but its owner may read a file in its folder, as far as their permissions say."""
    return path.exists() and bool(path.stat().st_mode & 0o044 and path.parent.stat().st_mode & 0o011)


async def check_keys(house: House) -> Check:
    """Tell where the secret is, how many from before are believed, and whether something needs those.

    Raises:
        StoreError: the secret cannot be read.
    """
    names = {name: purpose for start, purpose in SEALS.items() for name in await house.store.sealed_names(start)}
    set_here = house.settings.secrets.paperboy_secret_key is not None
    if not names and not set_here and not (house.settings.home / KEPT_IN).exists():
        made = f"none yet; it is made in {house.settings.home / KEPT_IN} when it is needed"
        return Check.good("secret key", made + (OTHERS_DIFFER if house.settings.shares_state else ""))
    keys = house.keys()
    alone = house.settings.shares_state and not set_here
    where = "PAPERBOY_SECRET_KEY" if set_here else str(house.settings.home / KEPT_IN)
    closed, needing = [], 0
    for name, purpose in names.items():
        sealed = await house.store.sealed(name)
        if sealed is not None and not keys.is_newest(purpose, sealed):
            opens = keys.opens(purpose, sealed)
            needing += opens
            closed += [] if opens else [name]
    if closed:
        return Check.bad("secret key", closed_sentence(closed))
    old = f"; {keys.old} from before believed" if keys.old else ""
    old += OTHERS_DIFFER if alone else ""
    need = f", {needing} of {len(names)} sealed texts still need them: run `paperboy migrate`" if needing else ""
    return Check.good("secret key", f"{where}{old}{need}")


def check_backup(settings: Settings, now: datetime) -> Check:
    """Tell how old the last backup is, where one is known."""
    made = last_backup(settings.home)
    if made is None:
        return Check.good("backup", "none is known of this folder; `paperboy backup FILE` makes one while it runs")
    age = now - made
    told = f"{age.days} days" if age.days else f"{age.total_seconds() / 3600:.1f} hours"
    return Check("backup", age <= BACKUP_WITHIN, f"the last was made {told} ago ({made:%Y-%m-%d %H:%M} UTC)")


def check_clock(ahead: Sequence[float]) -> Check:
    """Tell how this machine's clock stands to those of the sources.

    Args:
        ahead: seconds by which ours is before theirs, one for each that told its time.
    """
    if not ahead:
        return Check.good("clock", "no source told its time, so it was not compared")
    nearest = min(ahead, key=abs)  # one wrong clock out there must not make ours look wrong
    if abs(nearest) <= CLOCK_WITHIN:
        return Check.good("clock", f"within {max(abs(nearest), 1):.0f} s of the sources' own")
    way = "ahead of" if nearest > 0 else "behind"
    return Check.bad(
        "clock",
        f"{abs(nearest):,.0f} s {way} the sources' own; digests come at the wrong time, and Slack refuses what is "
        "signed five minutes off: set up time synchronization (timedatectl set-ntp true)",
    )


def check_log(settings: Settings) -> Check:
    """Tell what is logged, and how."""
    forms = {"auto": "text on a terminal, JSON elsewhere", "text": "text", "json": "JSON"}
    return Check.good("log", f"{settings.log.level} and above to stderr, as {forms[settings.log.format]}")


async def checks_of_figures(settings: Settings, *, running: bool) -> AsyncIterator[Check]:
    """Tell where figures for Prometheus are, and whether they can be asked for by everybody."""
    at = settings.metrics
    if not at.enabled:
        yield Check.good("metrics", "switched off ([metrics] enabled)")
        return
    url = f"http://{at.host}:{at.port or 'a free port'}/metrics"
    if running and at.port and not await can_connect(at.host, at.port):
        yield Check.bad("metrics", f"the service runs, and nothing answers at {url}")
        return
    everybody = "" if _is_loopback(at.host) else ", which other machines can reach: let nobody from outside there"
    yield Check.good("metrics", f"{url}{everybody}")


async def can_connect(host: str, port: int) -> bool:
    """Whether something listens at an address."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked of, not listened at
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            _, writer = await asyncio.open_connection(everywhere.get(host, host), port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
