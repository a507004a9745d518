"""The state that must not be lost: subscriptions, deliveries, marks, small facts."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
