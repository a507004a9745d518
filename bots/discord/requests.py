"""Interaction -> Request: who asks, and which place their words are about; pure."""

from __future__ import annotations

import discord

from bots.discord.slash import Interaction
from core.chat.commands import Command, Request

FORUMS = {discord.ChannelType.forum, discord.ChannelType.media}


def request_of(interaction: Interaction, command: Command) -> Request:
    """Return who asks what, and where.

    A post in a forum stands for the forum: commands cannot be typed anywhere else in it. Where somebody has paperboy as
    an app of their own and the server does not, their words are about their direct messages.
    """
    person = f"discord:@{interaction.user.id}"
    if interaction.guild_id is None or is_guest(interaction):
        return Request(command, person, place=person, private=True, may_manage=True)
    allowed = interaction.permissions
    may_manage = allowed.manage_channels or allowed.manage_guild or allowed.administrator
    return Request(command, person, place=f"discord:{_channel_of(interaction)}", may_manage=may_manage)


def is_guest(interaction: Interaction) -> bool:
    """Whether paperboy is there as the asker's own app alone, and not as the server's."""
    return interaction.is_user_integration() and not interaction.is_guild_integration()


def _channel_of(interaction: Interaction) -> int | None:
    channel = interaction.channel
    if isinstance(channel, discord.Thread) and isinstance(channel.parent, discord.ForumChannel):
        return channel.parent_id
    return interaction.channel_id
