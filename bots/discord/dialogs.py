"""Forms: opened by buttons and commands, offered below answers, and offered again with what was typed.

A form's value says what it is for, so that a button of an old message opens it after a restart as well: `subscribe`,
`edit 2`, and behind that `~TOKEN` where what was typed is kept in the store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bots.discord.forms import ACTION, Fields, command_of, fields_of, form, keep, take
from bots.discord.requests import request_of
from bots.discord.rest import Rest
from bots.discord.slash import Interaction
from core.chat.commands import Command, Help, ListAll, Request, Subscribe
from core.chat.message import Button, Kind, Look, Message
from core.delivery.platform import Payload
from core.digests.subscription import Subscription
from core.errors import DeliveryError, DeliveryFailure, UsageError
from core.store import Store

SUBSCRIBE = "subscribe"
PATIENCE = 2.0  # seconds; Discord waits for 3, and an interaction that opens a form cannot be acknowledged before
MOST_BUTTONS = 5
_VALUE = re.compile(r"(?:subscribe|edit (?P<number>[0-9]{1,6}))(?: ~(?P<token>\S{1,16}))?")


class Dialogs:
    """Makes forms of what the store knows.

    Args:
        rest: opens them.
        store: knows subscriptions and keeps what was typed.
        defaults: what the form of a new subscription shows; its zone gives way to the one that the asker used last.
    """

    def __init__(self, *, rest: Rest, store: Store, defaults: Fields) -> None:
        self._rest = rest
        self._store = store
        self._defaults = defaults

    async def form(self, interaction: Interaction, value: str) -> Payload:
        """Return the response that shows a form.

        Raises:
            UsageError: there is no such form, or no such subscription any more.
            StoreError: what it shows cannot be read.
        """
        number, token = _read(value)
        try:
            fields = await asyncio.wait_for(self._fields(interaction, number, token), PATIENCE)
        except TimeoutError:
            raise UsageError("The form could not be opened in time; please try again.") from None
        return form(value.partition(" ~")[0], fields, number)

    async def _fields(self, interaction: Interaction, number: int | None, token: str | None) -> Fields:
        if token is not None and (kept := await self._store.kept_text(token)) is not None:
            return take(kept)
        request = request_of(interaction, Help())
        if number is None:
            return await self._fields_for_new(request.person)
        for item in await self._store.subscriptions(request.place):
            if item.number == number:
                return fields_of(item)
        raise UsageError(f"There is no #{number} here any more.", hint="/papers list shows those that there are.")

    async def _fields_for_new(self, person: str) -> Fields:
        """Return the defaults, in the time zone that this person named last: Discord tells nobody's."""
        theirs = [item for item in await self._store.subscriptions() if item.created_by == person]
        last = _newest(theirs)
        return self._defaults if last is None else replace(self._defaults, timezone=last.timezone)

    async def open(self, interaction: Interaction, shown: Payload) -> None:
        """Answer an interaction with a form; a lost reply counts as shown.

        Raises:
            DeliveryError: Discord refused it.
        """
        path = "/interactions/{interaction_id}/{interaction_token}/callback"
        places: dict[str, Any] = {"interaction_id": interaction.id, "interaction_token": interaction.token}
        try:
            await self._rest.call("POST", path, json=shown, repeatable=False, **places)
        except DeliveryError as error:
            if error.kind is not DeliveryFailure.UNKNOWN:
                raise

    def command(self, value: str, fields: Fields) -> Command:
        """Return what a filled-in form orders; UsageError where it cannot be read."""
        number, _ = _read(value)
        return command_of(fields, number)

    async def offer_again(self, said: Message, value: str, fields: Fields) -> Message:
        """Add to an error the way back into the form, with what was typed."""
        if said.kind is not Kind.ERROR:
            return said
        token = await self._store.keep_text(keep(fields))
        back = Button("Back to the form", ACTION, f"{value.partition(' ~')[0]} ~{token}", Look.PRIMARY)
        return replace(said, buttons=(*said.buttons, back)[-MOST_BUTTONS:])

    async def offer(self, said: Message, request: Request) -> Message:
        """Add forms to an answer after which people want them, as far as there is room for buttons."""
        if said.kind is not Kind.ANSWER:
            return said
        buttons: Sequence[Button] = ()
        if isinstance(request.command, ListAll):
            mine = await self._store.subscriptions(request.place)
            buttons = (NEW, *map(_change, mine))
        elif isinstance(request.command, Subscribe):
            newest = _newest(await self._store.subscriptions(request.place))
            buttons = () if newest is None else (_change(newest),)
        elif isinstance(request.command, Help):
            buttons = (NEW,)
        return replace(said, buttons=(*said.buttons, *buttons)[:MOST_BUTTONS]) if buttons else said


NEW = Button("Subscribe…", ACTION, SUBSCRIBE, Look.PRIMARY)


def _change(subscription: Subscription) -> Button:
    return Button(f"Change #{subscription.number}…", ACTION, f"edit {subscription.number}")


def _newest(subscriptions: Sequence[Subscription]) -> Subscription | None:
    return max(subscriptions, key=lambda item: (item.created_at, item.number), default=None)


def _read(value: str) -> tuple[int | None, str | None]:
    match = _VALUE.fullmatch(value)
    if match is None:
        raise UsageError("This form is from another version of paperboy.", hint="Use /papers subscribe.")
    return int(match["number"]) if match["number"] else None, match["token"]
