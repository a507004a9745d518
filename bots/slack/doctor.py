"""What `paperboy doctor` says about Slack."""

from __future__ import annotations

from collections.abc import Sequence

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.api import Api
from bots.slack.failures import REINSTALL, SlackError

NEEDED = {
    "commands": "take /papers",
    "chat:write": "post digests",
    "im:write": "post to a person",
    "channels:read": "tell whether it can post in a channel",
    "groups:read": "tell whether it can post in a private channel",
    "channels:history": "see whether a digest arrived after a lost connection",
    "groups:history": "see the same in a private channel",
    "im:history": "see the same in a direct message",
    "users:read": "know a person's time zone, and who runs the workspace",
}

Line = tuple[str, bool, str]


async def check_slack(api: Api) -> Sequence[Line]:
    """Ask Slack about both tokens; a line each, with the way to mend what is not well."""
    return [*await _check_bot(api), await _check_app(api)]


async def _check_bot(api: Api) -> list[Line]:
    try:
        reply = await api.call(api.client.auth_test)
    except SlackError as failure:
        return [("Slack bot token", False, str(failure))]
    who = f"{reply.get('user') or 'paperboy'} in the workspace {reply.get('team') or reply.get('team_id')}"
    return [("Slack bot token", True, who), _check_scopes(reply)]


def _check_scopes(reply: AsyncSlackResponse) -> Line:
    header = next((value for name, value in reply.headers.items() if name.lower() == "x-oauth-scopes"), "")
    granted = {scope.strip() for scope in str(header).split(",")}
    missing = [f"{scope} (to {why})" for scope, why in NEEDED.items() if scope not in granted]
    if missing:
        it = "it" if len(missing) == 1 else "each"
        return ("Slack scopes", False, f"missing: {', '.join(missing)}; {REINSTALL.replace('add it', f'add {it}')}.")
    return ("Slack scopes", True, f"all {len(NEEDED)} granted")


async def _check_app(api: Api) -> Line:
    try:
        await api.open_socket()
    except SlackError as failure:
        return ("Slack app token", False, str(failure))
    return ("Slack app token", True, "Socket Mode can be opened")
