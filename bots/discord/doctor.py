"""What `paperboy doctor` asks of Discord."""

from __future__ import annotations

from collections.abc import Sequence

from bots.discord.failures import DiscordError
from bots.discord.looks import Looker
from bots.discord.permissions import invitation
from bots.discord.registration import same_commands
from bots.discord.rest import Rest
from core.delivery.platform import Payload
from core.errors import DeliveryError

Finding = tuple[str, bool, str]
_PRIVILEGED = {"Presence Intent": 0b11 << 12, "Server Members Intent": 0b11 << 14, "Message Content Intent": 0b11 << 18}


async def check(rest: Rest, ours: Sequence[Payload], channels: Sequence[str] = ()) -> list[Finding]:
    """Return (what, whether it is well, details or how to mend it) a check, up to the first that fails whole.

    `channels` are the ids of the channels that are subscribed.
    """
    findings: list[Finding] = []
    try:
        await rest.sign_in()
        findings.append(("Discord token", True, f"signed in as {rest.me.get('username')}"))
        application = await rest.call("GET", "/applications/@me")
        findings.append(_check_endpoint(application.get("interactions_endpoint_url")))
        findings.append(await _check_commands(rest, application["id"], ours))
        findings.append(_check_intents(int(application.get("flags") or 0)))
        findings.append(await _check_gateway(rest))
        findings.append(await _check_servers(rest, application["id"]))
        if channels:
            findings.append(await _check_channels(rest, channels))
    except DeliveryError as error:
        findings.append(("Discord" if findings else "Discord token", False, str(error)))
    return findings


def _check_endpoint(url: str | None) -> Finding:
    if url:
        mend = "clear Interactions Endpoint URL (developer portal, General Information)"
        return ("Discord interactions", False, f"Discord sends commands to {url} instead of paperboy; {mend}")
    return ("Discord interactions", True, "commands come to paperboy")


async def _check_commands(rest: Rest, application: str, ours: Sequence[Payload]) -> Finding:
    registered = await rest.call("GET", "/applications/{application_id}/commands", application_id=application)
    if same_commands(registered, ours):
        return ("Discord commands", True, "/papers is registered and current")
    return ("Discord commands", True, "paperboy run will register /papers when it starts")


async def _check_gateway(rest: Rest) -> Finding:
    limit = (await rest.call("GET", "/gateway/bot"))["session_start_limit"]
    words = f"{limit['remaining']} of {limit['total']} connections left today"
    return ("Discord gateway", limit["remaining"] > 0, words)


async def _check_servers(rest: Rest, application: str) -> Finding:
    servers = await rest.call("GET", "/users/@me/guilds")
    if not servers:
        return ("Discord servers", False, f"paperboy is in no server yet; invite it: {invitation(application)}")
    return ("Discord servers", True, f"in {len(servers)} server(s)")


def _check_intents(flags: int) -> Finding:
    shown = [name for name, bits in _PRIVILEGED.items() if flags & bits]
    if shown:
        words = f"{', '.join(shown)} may be switched off (developer portal, Bot): paperboy needs no privileged intent"
        return ("Discord intents", True, words)
    return ("Discord intents", True, "no privileged intent is on, and none is needed")


async def _check_channels(rest: Rest, channels: Sequence[str]) -> Finding:
    looker = Looker(rest)
    problems = [problem for channel in channels if (problem := await _problem(looker, channel))]
    if problems:
        return ("Discord channels", False, " ".join(problems))
    return ("Discord channels", True, f"{len(channels)} subscribed channel(s) can be posted to")


async def _problem(looker: Looker, channel: str) -> str:
    try:
        return (await looker.look_at(channel)).missing
    except DiscordError as error:
        return f"Channel {channel}: {error}"
