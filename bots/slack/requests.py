"""What Slack sends when somebody types a command, presses a button or names paperboy -> Request; pure.

https://docs.slack.dev/interactivity/implementing-slash-commands
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from bots.slack.blocks import ACTION_PREFIX
from bots.slack.markup import typed
from core.chat import commands as c
from core.chat.commands import Press, Request
from core.papers.paper import arxiv_id

Body: TypeAlias = Mapping[str, Any]

NAME = "slack"
CHANGING = ("subscribe", "edit", "unsubscribe", "pause", "resume", "send")
MENTION = re.compile(r"<@[UW][A-Z0-9]+(\|[^>]*)?>")
LINK = re.compile(r"<(https?://[^|>\s]+)")
WORD = re.compile(r"[^\W_]+(?:[-'\u2019.][^\W_]+)*")
MOST_WORDS = 30


def slash_request(body: Body) -> Request:
    """Read a slash command."""
    return _request(
        typed(str(body.get("text") or "")),
        team=team_of(body),
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
        team=team_of(body),
        person=str(body["user"]["id"]),
        channel=str(channel.get("id") or (body.get("container") or {}).get("channel_id") or ""),
        channel_name=str(channel.get("name") or ""),
    )


def _request(command: str | c.Command, *, team: str, person: str, channel: str, channel_name: str) -> Request:
    own = channel.startswith("D") or channel_name == "directmessage" or not channel
    who = f"{NAME}:{team}/{person}"
    return Request(
        command,
        person=who,
        place=who if own else f"{NAME}:{team}/{channel}",
        private=own,
        # Of a channel it is known only with the person (people.py).
        may_manage=True if own else None,
    )


def mention_request(body: Body) -> Request:
    """Read a message that names paperboy, or one that was written to it: the rest of it is a command."""
    event = body["event"]
    return _request(
        typed(MENTION.sub(" ", str(event.get("text") or ""))),
        team=team_of(body),
        person=str(event["user"]),
        channel=str(event["channel"]),
        channel_name="",
    )


def shortcut_request(body: Body) -> Request:
    """Read "Find papers about this": papers near the one a message links to, else papers about its words."""
    words = str((body.get("message") or {}).get("text") or "")
    linked = next(filter(None, map(arxiv_id, LINK.findall(words))), None)
    channel = body.get("channel") or {}
    return _request(
        c.Similar(linked) if linked else c.Search(plain_words(words)),
        team=team_of(body),
        person=str(body["user"]["id"]),
        channel=str(channel.get("id") or ""),
        channel_name=str(channel.get("name") or ""),
    )


def plain_words(message: str) -> str:
    """Return the first words of a message as a query in which no sign means anything."""
    without = re.sub(r"<[^>]*>|:[a-z0-9_+-]+:", " ", message)
    return " ".join(word.lower() for word in WORD.findall(typed(without))[:MOST_WORDS])


def request_at(command: c.Command | str, *, person: str, place: str) -> Request:
    """Make the request of somebody who asks from App Home or a form."""
    own = person == place
    return Request(command, person=person, place=place, private=own, may_manage=True if own else None)


def concerns_person(command: c.Command | str) -> bool:
    """Tell whether the answer depends on who asks (zone, rights), which costs a call to Slack."""
    if isinstance(command, str):
        return command.lower().startswith(CHANGING)
    return type(command).__name__.lower() in CHANGING


def is_answered_later(body: Body) -> bool:
    """Tell whether the acknowledgement carries nothing, so that it need not wait for anybody to look at the request.

    Only forms that are sent, and selects that ask for options, get their answer with it.
    """
    return "command" in body or body.get("type") in {"block_actions", "message_action", "event_callback"}


def team_of(body: Body) -> str:
    """Return the workspace that a command, a press, a form or an event comes from."""
    team = (body.get("team") or {}).get("id") or body.get("team_id")
    return str(team or (body.get("enterprise") or {}).get("id") or body.get("enterprise_id") or "")


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
