"""The ready-made interests that ship in `config/`."""

from __future__ import annotations

from functools import cache

from core.digests.topics import FILE, Topics
from core.settings import config_file


@cache
def read_topics() -> Topics:
    """Return the ready-made interests; read once.

    Raises:
        SettingsError: their file is wrong, or not there.
    """
    return Topics.from_toml(config_file(FILE).read_bytes())
