"""What paperboy may do in a channel, from what the gateway told us; pure."""

from __future__ import annotations

from typing import TypeAlias

import discord

from bots.discord.rights import lacking, reads

Place: TypeAlias = discord.abc.GuildChannel | discord.Thread

NEEDED = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, read_message_history=True
)
"""What an invitation asks for."""


def missing_to_post(place: Place) -> str:
    """Return a sentence that names what paperboy lacks to post there and how to mend it, or nothing."""
    kind = discord.ChannelType.public_thread if isinstance(place, discord.Thread) else place.type
    return lacking(place.permissions_for(place.guild.me), kind.value, place.name)


def may_read(place: Place) -> bool:
    """Return whether paperboy may read what was posted there."""
    return reads(place.permissions_for(place.guild.me), place.type.value)


def invitation(application: str) -> str:
    """Return the address that invites paperboy to a server."""
    return discord.utils.oauth_url(application, permissions=NEEDED, scopes=("bot", "applications.commands"))
