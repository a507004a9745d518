"""What people do in Slack, taken from slack-bolt: acknowledged first, then handed on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.api import sdk_log
from bots.slack.arrivals import Arrivals
from bots.slack.blocks import ACTION_PREFIX
from bots.slack.dialogs import Dialogs
from bots.slack.events import FOUND, LOST, Events, Seen
from bots.slack.form import CALLBACK, INPUT, form_errors, read_form, waiting_view, zone_options
from bots.slack.home import HOME
from bots.slack.homes import Homes
from bots.slack.replies import OPEN, Replies
from bots.slack.requests import (
    NAME,
    Body,
    mention_request,
    press_request,
    shortcut_request,
    slash_request,
    team_of,
)
from bots.slack.tasks import Tasks
from bots.slack.workspaces import Workspaces
from core.chat.commands import Request
from core.chat.message import Message
from core.delivery.platform import Answer

Handler: TypeAlias = Callable[..., Awaitable[None]]

SHORTCUT = "find_papers"
LEFT = ("app_uninstalled", "tokens_revoked")
BARE = re.compile(r"(?:subscribe|edit\s+#?(\d{1,6}))\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """Who does what is asked for."""

    workspaces: Workspaces
    replies: Replies
    dialogs: Dialogs
    homes: Homes
    events: Events
    arrivals: Arrivals
    tasks: Tasks


def make_app(client: AsyncWebClient, parts: Parts, answer: Answer) -> AsyncApp:
    """Make slack-bolt's app; its requests are verified before, at the door or by the socket."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult | None:
        # At once: bolt's own would ask Slack before every acknowledgement, and switch to OAuth by itself when
        # SLACK_CLIENT_ID is in the environment.
        token = await parts.workspaces.token(team_id or enterprise_id or "")
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token) if token else None

    app = AsyncApp(
        name="paperboy",
        logger=sdk_log,
        client=client,
        signing_secret="",
        authorize=authorize,  # type: ignore[arg-type]  # None is what bolt takes for "not installed"
        request_verification_enabled=False,
        user_facing_authorize_error_message="paperboy is not installed in this workspace any more; install it again.",
    )
    ears = _Ears(parts, answer)
    # An app gets its own commands alone, so whatever name the manifest gives `/papers` works.
    app.command(re.compile(".+"))(ears.command)
    app.shortcut({"type": "message_action", "callback_id": SHORTCUT})(ears.shortcut)
    app.action(re.compile(f"^{ACTION_PREFIX}{OPEN}(:|$)"))(ears.open_form)
    app.action(re.compile("^" + re.escape(HOME)))(ears.press_at_home)
    app.action(re.compile("^" + re.escape(INPUT)))(ears.type_in_form)
    app.options(re.compile("^" + re.escape(INPUT)))(ears.offer_zones)
    app.view(CALLBACK)(ears.send_form)
    app.action(re.compile(".*"))(ears.press)  # buttons of any version
    for name, take in ears.events().items():
        app.event(name)(ears.once(take))
    app.event({"type": "message", "channel_type": "im"})(ears.once(ears.take_mention))
    return app


class _Ears:
    """One method for each thing that people or Slack do; each acknowledges before anything else."""

    def __init__(self, parts: Parts, answer: Answer) -> None:
        self._parts = parts
        self._answer = answer
        self._seen = Seen()

    def once(self, take: Callable[[Body], None]) -> Handler:
        """Return what takes an event, and leaves it when it is repeated."""

        async def on_event(ack: Handler, body: dict[str, Any]) -> None:
            await ack()
            if self._seen.is_new(body) and await self._parts.events.is_first(body):
                self._note(str(body["event"]["type"]))
                take(body)

        return on_event

    def _note(self, kind: str) -> None:
        arrivals = self._parts.arrivals
        if arrivals.is_news(kind):
            self._parts.tasks.start(arrivals.note(kind))

    async def command(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody typed a command; without words, `subscribe` and `edit N` open forms."""
        await ack()
        self._note("command")
        request = slash_request(body)
        bare = BARE.fullmatch(str(request.command))
        if bare is None:
            await self._reply_once(request, body)
        else:  # which Slack itself lets happen once
            self._open(body, request.person, request.place, bare[1])

    async def press(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody pressed a button below an answer or a digest."""
        await ack()
        self._note("press")
        if "response_url" in body:
            await self._reply_once(press_request(body), body)

    async def open_form(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody pressed a button that opens a form."""
        await ack()
        number, _, place = str(body["actions"][0].get("value") or "").partition(" ")
        request = press_request(body)
        if place.startswith(f"{NAME}:{team_of(body)}/"):
            self._open(body, request.person, place, number if number.isdecimal() else None)
        elif "response_url" in body:
            await self._reply_once(request, body)

    async def shortcut(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody chose "Find papers about this" below a message."""
        await ack()
        self._note("shortcut")
        await self._reply_once(shortcut_request(body), body)

    async def press_at_home(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody pressed a button of App Home."""
        await ack()
        if not await self._parts.events.is_first(body):
            return
        person = f"{NAME}:{team_of(body)}/{body['user']['id']}"

        async def do() -> None:
            erased = await self._parts.dialogs.press(self._answer, body, person)
            self._parts.homes.pressed(person, self._answer)
            if erased:
                await self._parts.homes.empty(erased, self._answer)

        self._parts.tasks.start(do())

    async def type_in_form(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody is typing interests."""
        await ack()
        self._parts.tasks.start(self._parts.dialogs.look(self._answer, body))

    async def offer_zones(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody is typing a city."""
        await ack(options=zone_options(str(body.get("value") or "")))

    async def send_form(self, ack: Handler, body: dict[str, Any]) -> None:
        """Somebody sent a form: what is wrong in it is told in place, at once."""
        draft = read_form(body["view"])
        if errors := form_errors(draft):
            await ack(response_action="errors", errors=errors)
            return
        await ack(response_action="update", view=waiting_view())
        if not await self._parts.events.is_first(body):
            return
        self._parts.tasks.start(self._parts.dialogs.send(self._refreshing, body, draft))

    def events(self) -> Mapping[str, Callable[[Body], None]]:
        """Return what follows from each event."""
        parts = self._parts
        channels = dict.fromkeys((*LOST, *FOUND), lambda body: parts.tasks.start(parts.events.follow_channel(body)))
        left = dict.fromkeys(LEFT, lambda body: parts.tasks.start(parts.events.lose_workspace(body)))
        own = {
            "app_home_opened": self._draw_home,
            "app_mention": self.take_mention,
            "link_shared": self._show_links,
        }
        return {**channels, **left, **own}

    def take_mention(self, body: Body) -> None:
        """Answer what was written to paperboy like a command."""
        event = body["event"]
        if event.get("user") and not event.get("bot_id") and not event.get("subtype"):
            self._reply(mention_request(body), body)

    def _draw_home(self, body: Body) -> None:
        if body["event"].get("tab") == "home":
            self._parts.homes.opened(f"{NAME}:{team_of(body)}/{body['event']['user']}", self._answer)

    def _show_links(self, body: Body) -> None:
        if not body["event"].get("bot_id"):
            self._parts.tasks.start(self._parts.events.unfurl(self._answer, body))

    def _open(self, body: Body, person: str, place: str, number: str | None) -> None:
        dialogs = self._parts.dialogs
        opening = (
            dialogs.open_edit(body, person, place, int(number)) if number else dialogs.open_new(body, person, place)
        )
        self._parts.tasks.start(opening)

    async def _reply_once(self, request: Request, body: Body) -> None:
        """Answer, unless another process has taken the same."""
        if await self._parts.events.is_first(body):
            self._reply(request, body)

    def _reply(self, request: Request, body: Body) -> None:
        self._parts.replies.start(self._refreshing, request, body)

    async def _refreshing(self, request: Request) -> Message:
        """Answer, then bring the asker's App Home up to date."""
        try:
            return await self._answer(request)
        finally:
            self._parts.homes.changed(request.person, self._answer)
