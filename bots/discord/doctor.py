"""What `paperboy doctor` asks of Discord."""

from __future__ import annotations

from collections.abc import Sequence

from bots.discord.permissions import invitation
from bots.discord.registration import same_commands
from bots.discord.rest import Rest
from core.delivery.platform import Payload
from core.errors import DeliveryError

Finding = tuple[str, bool, str]


async def check(rest: Rest, ours: Sequence[Payload]) -> list[Finding]:
    """Return (what, whether it is well, details or how to mend it) a check, up to the first that fails whole."""
    findings: list[Finding] = []
    try:
        await rest.sign_in()
        findings.append(("Discord token", True, f"signed in as {rest.me.get('username')}"))
        application = await rest.call("GET", "/applications/@me")
        findings.append(_check_endpoint(application.get("interactions_endpoint_url")))
        findings.append(await _check_commands(rest, application["id"], ours))
        findings.append(await _check_gateway(rest))
        findings.append(await _check_servers(rest, application["id"]))
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
    words = f"{limit['remaining']} of {limit['total']} connections left today; no privileged intent needed"
    return ("Discord gateway", limit["remaining"] > 0, words)


async def _check_servers(rest: Rest, application: str) -> Finding:
    servers = await rest.call("GET", "/users/@me/guilds")
    if not servers:
        return ("Discord servers", False, f"paperboy is in no server yet; invite it: {invitation(application)}")
    return ("Discord servers", True, f"in {len(servers)} server(s)")
