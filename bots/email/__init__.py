"""paperboy in the mailbox."""

from bots.email.adapter import Email

__all__ = ["Email"]
