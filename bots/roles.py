"""What a process does of all that paperboy does, as `--role` says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from core.delivery.platform import Ear, Platform
from core.errors import SettingsError
from core.settings import Settings


class Duty(StrEnum):
    """One thing that some process has to do."""

    LISTEN = "listens and answers"
    DELIVER = "composes and delivers"
    FETCH = "asks the sources"
    PAGE = "serves the page"


ROLES: Mapping[str, frozenset[Duty]] = {
    "all": frozenset(Duty),
    "bot": frozenset({Duty.LISTEN}),
    "worker": frozenset({Duty.DELIVER}),
    "fetch": frozenset({Duty.FETCH}),
    "web": frozenset({Duty.PAGE}),
}
HEARING: Mapping[Ear, Duty] = {Ear.CONNECTION: Duty.LISTEN, Ear.PAGE: Duty.PAGE, Ear.NONE: Duty.DELIVER}
"""Whose duty it is to listen to a platform, by the way in which it is heard."""


def check_role(role: str, settings: Settings) -> None:
    """Refuse a role that nobody else could complete.

    Raises:
        SettingsError: there is no store that processes could share.
    """
    if role != "all" and settings.secrets.database_url is None:
        raise SettingsError(
            f"--role {role}: roles need a database that the processes share; set DATABASE_URL, or leave the role out, "
            "and one process does everything."
        )


def hears(platform: Platform, duties: frozenset[Duty]) -> bool:
    """Whether a process with these duties is the one that listens to a platform."""
    return HEARING[platform.ear] in duties


def is_idle(role: str, platforms: Mapping[str, Platform]) -> bool:
    """Whether a process of this role has nothing to do, since it has no token of any platform."""
    return not platforms and ROLES[role] <= {Duty.LISTEN, Duty.DELIVER}


def describe(role: str) -> str:
    """Return what a role does, in words."""
    return ", ".join(duty for duty in Duty if duty in ROLES[role])
