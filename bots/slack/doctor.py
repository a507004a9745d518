"""What `paperboy doctor` says about Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.access import EVENTS_PATH, Access
from bots.slack.api import Api
from bots.slack.arrivals import describe, read
from bots.slack.failures import REINSTALL, SlackError
from bots.slack.installations import Installations
from bots.slack.requests import NAME
from bots.slack.workspaces import Workspaces
from core.errors import DeliveryError
from core.store import Store

NEEDED = {
    "commands": "take /papers and the shortcut",
    "chat:write": "post digests",
    "im:write": "post to a person",
    "app_mentions:read": "answer where it is named",
    "links:read": "see links to papers",
    "links:write": "put a card below them",
    "channels:read": "tell whether it can post in a channel",
    "groups:read": "tell whether it can post in a private channel",
    "channels:history": "see whether a digest arrived after a lost connection",
    "groups:history": "see the same in a private channel",
    "im:history": "see the same in a direct message, and answer what is written there",
    "users:read": "know a person's time zone and whether it is a guest, and who runs the workspace",
}
MOST_TEAMS = 20
MOST_PLACES = 30
MOST_NAMED = 5

Line = tuple[str, bool, str]


class Checkup:
    """Asks Slack about everything that can be seen from here.

    Which events, shortcuts and addresses an app has, Slack shows to nobody but its owner; so the manifest is compared
    by what it grants, and by what has come in so far.
    """

    def __init__(
        self,
        access: Access,
        workspaces: Workspaces,
        installations: Installations,
        store: Store,
        reachable: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._access = access
        self._workspaces = workspaces
        self._installations = installations
        self._store = store
        self._reachable = reachable

    async def lines(self) -> Sequence[Line]:
        """Return a line for each thing looked at, with the way to mend what is not well."""
        lines = []
        for team in await self._teams():
            lines += await self._check_bot(team)
        lines.append(await self._check_way())
        all_well = all(well for _, well, _ in lines)
        lines.append(("Slack events", True, describe(await read(self._store))))
        if all_well:
            lines += await self._check_places()
        return lines

    async def _teams(self) -> Sequence[str]:
        return ("",) if not self._access.is_for_many else (await self._installations.teams())[:MOST_TEAMS]

    async def _check_bot(self, team: str) -> list[Line]:
        try:
            api = await self._workspaces.api(team)
            reply = await api.call(api.client.auth_test)
        except SlackError as failure:
            return [("Slack bot token", False, f"{team} {failure}".strip())]
        where = reply.get("team") or reply.get("team_id")
        who = f"{reply.get('user') or 'paperboy'} in the workspace {where}"
        return [("Slack bot token", True, who), _check_scopes(reply, f" in {where}" if team else "")]

    async def _check_way(self) -> Line:
        if self._access.has_socket:
            return await _check_app(await self._workspaces.api(""))
        base = urlsplit(self._access.base_url)
        if base.scheme != "https":
            told = (
                f"Slack calls https addresses alone, and web.base_url is {self._access.base_url}; set it to the "
                "address under which the internet reaches the page."
            )
            return ("Slack over HTTP", False, told)
        told = f"events are taken at {self._access.base_url}{EVENTS_PATH}"
        return ("Slack over HTTP", True, told + (f"; install at {self._access.install_url}" * self._access.is_for_many))

    async def _check_places(self) -> list[Line]:
        """Return a line when a subscribed place cannot be posted to; of many places the first are looked at."""
        kept = await self._store.subscriptions()
        places = list(dict.fromkeys(item.address for item in kept if item.address.startswith(f"{NAME}:")))
        if not places:
            return []
        ill = []
        for place in places[:MOST_PLACES]:
            try:
                if problem := await self._reachable(place):
                    ill.append(f"{place}: {problem}")
            except DeliveryError as error:
                ill.append(f"{place}: {error}")
        if ill:
            return [("Slack channels", False, " ".join(ill[:MOST_NAMED]))]
        return [
            ("Slack channels", True, f"{min(len(places), MOST_PLACES)} of {len(places)} looked at can be posted to")
        ]


def _check_scopes(reply: AsyncSlackResponse, where: str) -> Line:
    header = next((value for name, value in reply.headers.items() if name.lower() == "x-oauth-scopes"), "")
    granted = {scope.strip() for scope in str(header).split(",") if scope.strip()}
    missing = [f"{scope} (to {why})" for scope, why in NEEDED.items() if scope not in granted]
    if missing:
        it = "it" if len(missing) == 1 else "each"
        mend = REINSTALL.replace("add it", f"add {it}")
        return ("Slack scopes", False, f"missing{where}: {', '.join(missing)}; {mend}.")
    if surplus := sorted(granted - NEEDED.keys()):
        told = f"all {len(NEEDED)} granted{where}, and {', '.join(surplus)}, which paperboy does not use"
        return ("Slack scopes", True, f"{told}; config/slack_manifest.yaml has what it needs.")
    return ("Slack scopes", True, f"all {len(NEEDED)} granted{where}")


async def _check_app(api: Api) -> Line:
    try:
        await api.open_socket()
    except SlackError as failure:
        return ("Slack app token", False, str(failure))
    return ("Slack app token", True, "Socket Mode can be opened")
