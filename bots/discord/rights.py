"""What paperboy may do in a channel, from what the REST API tells of server, member and channel; pure.

The order in which permissions are reckoned: https://docs.discord.com/developers/topics/permissions#permission-overwrites
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import discord

from bots.discord.failures import MEND_PLACE

THREADS = frozenset({10, 11, 12})
FORUMS = frozenset({15, 16})
VOICES = frozenset({2, 13})
"""Voice and stage channels, whose texts only those see who may connect:
https://docs.discord.com/developers/resources/message#get-channel-messages ."""
_ROLE, _MEMBER = 0, 1


def allowed(guild: Mapping[str, Any], member: Mapping[str, Any], channel: Mapping[str, Any]) -> discord.Permissions:
    """Return what a member of a server may do in one of its channels (for a thread: the channel it belongs to)."""
    roles = {guild["id"], *member.get("roles", [])}
    base = 0
    for role in guild["roles"]:
        base |= int(role["permissions"]) if role["id"] in roles else 0
    if discord.Permissions(base).administrator or guild.get("owner_id") == member["user"]["id"]:
        return discord.Permissions.all()
    overwrites = channel.get("permission_overwrites", [])
    everyone = [item for item in overwrites if item["id"] == guild["id"]]
    of_roles = [item for item in overwrites if item["type"] == _ROLE and item["id"] in roles - {guild["id"]}]
    of_member = [item for item in overwrites if item["type"] == _MEMBER and item["id"] == member["user"]["id"]]
    for group in (everyone, of_roles, of_member):
        for item in group:
            base &= ~int(item["deny"])
        for item in group:
            base |= int(item["allow"])
    return discord.Permissions(base)


def reads(may: discord.Permissions, kind: int) -> bool:
    """Return whether who may do this reads what was posted in a channel of this type."""
    return may.view_channel and (may.connect or kind not in VOICES) and may.read_message_history


def lacking(may: discord.Permissions, kind: int, name: str) -> str:
    """Return a sentence that names what is missing to post in a channel of this type, or nothing."""
    needed = {"View Channel": may.view_channel}
    if kind in FORUMS:
        needed |= {"Create Posts": may.send_messages, "Send Messages in Posts": may.send_messages_in_threads}
    elif kind in THREADS:
        needed["Send Messages in Threads"] = may.send_messages_in_threads
    else:
        needed |= {"Connect": may.connect} if kind in VOICES else {}
        needed["Send Messages"] = may.send_messages
    missing = [right for right, has in needed.items() if not has]
    if not missing:
        return ""
    return f"paperboy may not post in #{name}; allow it {' and '.join(missing)} there {MEND_PLACE}."
