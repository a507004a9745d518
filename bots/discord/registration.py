"""Whether the commands that Discord knows are the ones we have; pure.

Discord answers with more than it was given (ids, versions, defaults) and leaves out what is a default, so both sides
are brought to the same form first. Without the comparison every start would count against the 200 registrations a day.
https://docs.discord.com/developers/interactions/application-commands
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_PERMISSIONS = "default_member_permissions"
_KEPT = (
    "autocomplete",
    "choices",
    "contexts",
    _PERMISSIONS,
    "description",
    "integration_types",
    "max_value",
    "min_value",
    "name",
    "nsfw",
    "options",
    "required",
    "type",
)


def same_commands(registered: Iterable[Mapping[str, Any]], ours: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether two lists of commands, as the API speaks of them, mean the same."""
    return _by_name(registered) == _by_name(ours)


def _by_name(commands: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return sorted((_canonical(command) for command in commands), key=lambda command: str(command["name"]))


def _canonical(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command or an option says, without what is not said or is a default."""
    kept = {key: _canonical_value(command[key]) for key in _KEPT if command.get(key)}
    if _PERMISSIONS in kept:
        kept[_PERMISSIONS] = str(kept[_PERMISSIONS])  # a number in what is sent, text in what comes back
    return {"type": 1, **kept}


def _canonical_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _canonical(value)
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return sorted(value)
    return [_canonical_value(item) for item in value] if isinstance(value, list) else value
