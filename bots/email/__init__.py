"""paperboy in the mailbox."""
