"""The platforms paperboy speaks on, one line each: the name before the colon of its addresses -> `module:Class`."""

from __future__ import annotations

from collections.abc import Mapping

PLATFORMS: Mapping[str, str] = {
    "slack": "bots.slack:Slack",
    "discord": "bots.discord:Discord",
    "email": "bots.email.adapter:Email",
}

ADDRESSES: Mapping[str, tuple[str, str]] = {
    "slack": (r"[A-Z0-9]{1,32}/[A-Z0-9]{1,32}", "T123/C456"),
    "discord": (r"@?[0-9]{1,20}", "789 (a person's is discord:@789)"),
    "email": (r"[^ ]{1,300}", "reader@example.org"),
}
"""What stands behind the colon of each platform's addresses, as a regular expression, and an example of it."""
