"""What Slack sends when somebody types a command or presses a button -> Request; pure.

https://docs.slack.dev/interactivity/implementing-slash-commands
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from bots.slack.blocks import ACTION_PREFIX
from bots.slack.markup import typed
from core.chat.commands import Press, Request

Body: TypeAlias = Mapping[str, Any]

NAME = "slack"
ZONED = ("subscribe", "edit")


def slash_request(body: Body) -> Request:
    """Read a slash command."""
    team = str(body.get("team_id") or body.get("enterprise_id") or "")
    return _request(
        typed(str(body.get("text") or "")),
        team=team,
        person=str(body["user_id"]),
        channel=str(body.get("channel_id") or ""),
        channel_name=str(body.get("channel_name") or ""),
    )


def press_request(body: Body) -> Request:
    """Read a press of a button; everything it needs stands in the payload, so old messages keep working."""
    pressed = body["actions"][0]
    action = str(pressed["action_id"]).removeprefix(ACTION_PREFIX).partition(":")[0]
    channel = body.get("channel") or {}
    return _request(
        Press(action, str(pressed.get("value") or "")),
        team=str((body.get("team") or body.get("enterprise") or {}).get("id") or ""),
        person=str(body["user"]["id"]),
        channel=str(channel.get("id") or (body.get("container") or {}).get("channel_id") or ""),
        channel_name=str(channel.get("name") or ""),
    )


def _request(command: str | Press, *, team: str, person: str, channel: str, channel_name: str) -> Request:
    own = channel.startswith("D") or channel_name == "directmessage" or not channel
    who = f"{NAME}:{team}/{person}"
    return Request(
        command,
        person=who,
        place=who if own else f"{NAME}:{team}/{channel}",
        private=own,
        # Slack tells an app nothing about who manages a channel, so only the own conversation is sure.
        may_manage=True if own else None,
    )


def needs_zone(request: Request) -> bool:
    """Tell whether the answer depends on the person's time zone, which costs a call to Slack."""
    return isinstance(request.command, str) and request.command.lower().startswith(ZONED)


def split_address(address: str) -> tuple[str, str]:
    """Return (team, channel or person) of `slack:TEAM/ID`."""
    team, _, identifier = address.removeprefix(f"{NAME}:").partition("/")
    return team, identifier


def is_person(identifier: str) -> bool:
    """Tell whether an id names a person (U, or W in an Enterprise organization) rather than a conversation."""
    return identifier[:1] in {"U", "W"}


def reply_thread(body: Body) -> str:
    """Return the thread that holds the pressed button, or ""."""
    return str((body.get("container") or {}).get("thread_ts") or "")


def holds_for_asker_alone(body: Body) -> bool:
    """Tell whether only the presser sees the message with the button, so that an answer may replace it."""
    return bool((body.get("container") or {}).get("is_ephemeral"))
