"""Discord: slash commands, buttons and digests."""

from bots.discord.adapter import Discord

__all__ = ["Discord"]
