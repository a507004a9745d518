"""Forms and what App Home's buttons do: opened, looked at while they are filled in, sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bots.slack.blocks import render
from bots.slack.failures import SlackError
from bots.slack.form import Draft, answer_view, form_view, problem_lines, read_form, waiting_view
from bots.slack.home import ASK, EDIT, ERASE, HOME, NEW, PAUSE, REMOVE, RESUME, WORKSPACE
from bots.slack.markup import Element
from bots.slack.people import People
from bots.slack.places import channels_of
from bots.slack.replies import Replies
from bots.slack.requests import NAME, Body, request_at, split_address, team_of
from bots.slack.workspaces import Workspaces
from core.chat import commands as c
from core.chat.commands import Request
from core.chat.erasing import MINE
from core.chat.message import Kind, Message, plain, text
from core.chat.parsing import parse_days
from core.delivery.platform import Answer
from core.digests.subscription import WEEKDAYS
from core.errors import StoreError
from core.settings import DigestDefaults
from core.store import Store

log = logging.getLogger(__name__)

ZONE_SECONDS = 1.0  # a trigger lasts three
LOOK_AFTER = 0.5
NOT_IN = "You are not in that channel, as far as Slack tells; open App Home again."
OLD = "This button is from another version of paperboy; open App Home again."


class Dialogs:
    """Opens and follows modals.

    Args:
        workspaces: the way into each.
        store: where subscriptions stand.
        people: whose zone a form begins with, and who may erase a workspace's data.
        replies: answers what a form asks for.
        defaults: what a new subscription begins with.
        look_after: seconds of quiet in typing before the look at what interests would have brought.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        store: Store,
        people: People,
        replies: Replies,
        *,
        defaults: DigestDefaults,
        look_after: float = LOOK_AFTER,
    ) -> None:
        self._workspaces = workspaces
        self._store = store
        self._people = people
        self._replies = replies
        self._defaults = defaults
        self._look_after = look_after
        self._looks: dict[str, int] = {}

    async def open_new(self, body: Body, person: str, place: str, *, choose: bool = False) -> None:
        """Open an empty form for a place."""
        zone = (await self._people.of(person, within=ZONE_SECONDS)).timezone
        days, weekly = parse_days(self._defaults.days)
        draft = Draft(
            person,
            place,
            at=self._defaults.at,
            timezone=zone or self._defaults.timezone,
            days=WEEKDAYS if weekly else days,
            weekly=weekly,
            top=self._defaults.top,
            no_repeats=self._defaults.no_repeats,
            choose=choose,
        )
        await self._show(body, form_view(draft))

    async def open_edit(self, body: Body, person: str, place: str, number: int) -> None:
        """Open the form of a subscription; a sentence where it is not there any more."""
        found = next((item for item in await self._store.subscriptions(place) if item.number == number), None)
        if found is None:
            await self._show(body, _said(f"There is no #{number} there any more."))
            return
        await self._show(body, form_view(Draft.of(found, person)))

    async def look(self, answer: Answer, body: Body) -> None:
        """Show what the interests that are being typed would have brought, or what is wrong with them."""
        view = body["view"]
        name, draft = str(view["id"]), read_form(view)
        turn = self._looks[name] = self._looks.get(name, 0) + 1
        await asyncio.sleep(self._look_after)
        if self._looks.get(name) != turn:
            return  # typing went on
        del self._looks[name]
        note = problem_lines(draft)
        if not note:
            request = request_at(c.Preview(draft.interests), person=draft.person, place=draft.place)
            note = (await self._replies.ask(answer, request)).lines
        await self._update(body, name, form_view(draft, note=note), hash=view.get("hash"))

    async def send(self, answer: Answer, body: Body, draft: Draft) -> None:
        """Do what a form asks for, and show the answer in its place; a refused form stays as it was filled in."""
        request = request_at(draft.command, person=draft.person, place=draft.place)
        message = await self._replies.ask(answer, request)
        view = _shown(message)
        if message.kind is Kind.ERROR:
            view = form_view(draft, problem=" ".join(plain(line) for line in message.lines))
        await self._update(body, str(body["view"]["id"]), view)

    async def press(self, answer: Answer, body: Body, person: str) -> str:
        """Do what a button of App Home says; returns the address of which everything was deleted, if that was asked."""
        pressed = body["actions"][0]
        action = str(pressed["action_id"]).removeprefix(HOME).partition(":")[0]
        value = str(pressed.get("value") or "")
        place, _, number = value.rpartition(" ")
        if action == NEW:
            await self.open_new(body, person, person, choose=True)
        elif action == ASK:
            await self._tell(answer, body, request_at(_asked(value), person=person, place=person))
        elif action == ERASE:
            return await self._erase(body, person, value)
        elif not (place.startswith(f"{NAME}:{team_of(body)}/") and number.isdecimal()):
            await self._show(body, _said(OLD))
        elif not await self._is_in(person, place):
            await self._show(body, _said(NOT_IN))
        elif action == EDIT:
            await self.open_edit(body, person, place, int(number))
        elif action in COMMANDS:
            await self._change(answer, body, request_at(COMMANDS[action](int(number)), person=person, place=place))
        else:
            await self._show(body, _said(OLD))
        return ""

    async def _is_in(self, person: str, place: str) -> bool:
        """Tell whether a place is a person's own, or a channel that they are still in."""
        if place == person:
            return True
        team, channel = split_address(place)
        try:
            return channel in await channels_of(await self._workspaces.api(team), split_address(person)[1])
        except SlackError as failure:
            log.warning("Slack: whether somebody is in a channel is not known: %s", failure)
            return False

    async def _change(self, answer: Answer, body: Body, request: Request) -> None:
        """Change a subscription: App Home shows it; only what went wrong is told."""
        message = await self._replies.ask(answer, request)
        if message.kind is Kind.ERROR:
            await self._show(body, _shown(message))

    async def _tell(self, answer: Answer, body: Body, request: Request) -> None:
        opened = await self._show(body, waiting_view())
        message = await self._replies.ask(answer, request)
        if opened:
            await self._update(body, opened, _shown(replace(message, buttons=())))

    async def _erase(self, body: Body, person: str, what: str) -> str:
        workspace = f"{NAME}:{team_of(body)}/"
        if what == "me":
            erasure, address = MINE, person
        elif what == "workspace" and await self._people.runs_workspace(person):
            erasure, address = WORKSPACE, workspace
        else:
            await self._show(body, _said(WORKSPACE.refused))
            return ""
        try:
            await self._store.forget(address)
        except StoreError as error:
            await self._show(body, _said(f"Nothing was deleted: {error}"))
            return ""
        if address == workspace:
            log.info("Slack: an owner had all data of %s deleted", workspace)
        await self._show(body, _said(erasure.done))
        return address

    async def _show(self, body: Body, view: Element) -> str:
        """Open a modal, on top of another where one is open; returns its id, or nothing when Slack did not."""
        api = await self._workspaces.api(team_of(body))
        inside = (body.get("view") or {}).get("type") == "modal"
        method = api.client.views_push if inside else api.client.views_open
        try:
            reply = await api.call(method, repeat=False, trigger_id=str(body.get("trigger_id") or ""), view=view)
        except SlackError as failure:
            log.warning("Slack: a form could not be opened: %s", failure)
            return ""
        return str((reply.get("view") or {}).get("id") or "")

    async def _update(self, body: Body, name: str, view: Element, **more: Any) -> None:
        api = await self._workspaces.api(team_of(body))
        try:
            await api.call(api.client.views_update, view_id=name, view=view, **more)
        except SlackError as failure:  # closed meanwhile, or typed in again
            log.info("Slack: a form could not be renewed: %s", failure)


COMMANDS: Mapping[str, type[c.Pause | c.Resume | c.Unsubscribe]] = {
    PAUSE: c.Pause,
    RESUME: c.Resume,
    REMOVE: c.Unsubscribe,
}


def _asked(words: str) -> str:
    return words if words in {"saved", "taste", "help"} else "help"


def _said(sentence: str) -> Element:
    return _shown(Message(Kind.ANSWER, lines=(text(sentence),)))


def _shown(message: Message) -> Element:
    payloads: Sequence[dict[str, Any]] = render(message)
    return answer_view(payloads[0].get("blocks") or [], cut=len(payloads) > 1)
