"""The platforms paperboy speaks on, one line each: the name before the colon of its addresses -> `module:Class`."""

from __future__ import annotations

from collections.abc import Mapping

PLATFORMS: Mapping[str, str] = {
    "slack": "bots.slack:Slack",
    "discord": "bots.discord:Discord",
    "email": "bots.email.adapter:Email",
}
