"""What paperboy may do in a channel, from what the gateway told us; pure."""

from __future__ import annotations

from typing import TypeAlias

import discord

from bots.discord.failures import MEND_PLACE

Place: TypeAlias = discord.abc.GuildChannel | discord.Thread

NEEDED = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, read_message_history=True
)
"""What an invitation asks for."""


def missing_to_post(place: Place) -> str:
    """Return a sentence that names what paperboy lacks to post there and how to mend it, or nothing."""
    return _missing(place, place.name, threaded=isinstance(place, discord.Thread))


def missing_in_thread(parent: Place, name: str) -> str:
    """Return the same for a thread of that name, by what paperboy may do in the channel that it belongs to."""
    return _missing(parent, name, threaded=True)


def _missing(place: Place, name: str, *, threaded: bool) -> str:
    allowed = place.permissions_for(place.guild.me)
    needed = {"View Channel": allowed.view_channel}
    if isinstance(place, discord.ForumChannel) and not threaded:
        needed |= {"Create Posts": allowed.send_messages, "Send Messages in Posts": allowed.send_messages_in_threads}
    elif threaded:
        needed["Send Messages in Threads"] = allowed.send_messages_in_threads
    else:
        needed["Send Messages"] = allowed.send_messages
    lacking = [right for right, has in needed.items() if not has]
    if not lacking:
        return ""
    return f"paperboy may not post in #{name}; allow it {' and '.join(lacking)} there {MEND_PLACE}."


def may_read(place: Place) -> bool:
    """Return whether paperboy may read what was posted there."""
    allowed = place.permissions_for(place.guild.me)
    return allowed.view_channel and allowed.read_message_history


def invitation(application: str) -> str:
    """Return the address that invites paperboy to a server."""
    return discord.utils.oauth_url(application, permissions=NEEDED, scopes=("bot", "applications.commands"))
