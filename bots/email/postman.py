"""Sends the mails that ask to confirm a subscription, and forgets what the rules of opt-in forget."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bots.email.addresses import mailbox
from bots.email.letter import Links
from bots.email.links import Signer
from core.chat.message import Kind, Message, text
from core.chat.render import subject
from core.clock import Clock
from core.delivery.optin import is_over, tidy
from core.delivery.outbox import retry_delay
from core.errors import DeliveryError, DeliveryFailure, StoreError, log_level
from core.store import Store
from core.store.correspondents import Correspondent, Wish

log = logging.getLogger(__name__)

LONGEST_SHOWN = 150
_CATEGORY = re.compile(r"\bcat:[a-z-]+(\.([A-Z]{2}|[a-z]+-[a-z]+|\*))?(?![\w./@-])")
_ADDRESS = re.compile(r"[/@\\]|[^\W_][.\u3002\uff0e\uff61][^\W\d_]")
"""What mail programs make a link of: anything with a dot between letters, but categories."""
EVERY = 30.0  # seconds
TIDY_EVERY = timedelta(hours=1)
FAILED_FOR_GOOD = {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN, DeliveryFailure.REJECTED, DeliveryFailure.UNKNOWN}


class Poster(Protocol):
    """What hands a mail over."""

    async def post(self, recipient: str, message: Message, links: Links, *, key: str) -> str:
        """Hand it over, or raise DeliveryError."""


class Postman:
    """Goes round until cancelled; `wake` sends at once."""

    def __init__(self, poster: Poster, store: Store, signer: Signer, clock: Clock) -> None:
        self._poster, self._store, self._signer, self._clock = poster, store, signer, clock
        self._wake = asyncio.Event()
        self._tried: dict[str, tuple[int, datetime]] = {}
        self._tidied_at: datetime | None = None

    def wake(self) -> None:
        """Go round now."""
        self._wake.set()

    async def run(self) -> None:
        """Go round and round."""
        # The SMTP library can swallow that we were cancelled: its `asyncio.wait_for` prefers an answer that came in the
        # same moment (https://github.com/python/cpython/issues/86296). The task remembers it.
        while (task := asyncio.current_task()) is None or not task.cancelling():
            try:
                await self.round()
            except StoreError as error:
                log.log(log_level(error), "mails that ask to confirm cannot be sent: %s", error)
            try:
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue
            finally:
                self._wake.clear()

    async def round(self) -> None:
        """Send what waits to be sent, and once an hour forget what is to be forgotten; one process at a time."""
        async with self._store.alone("mails that ask to confirm"):
            await self._round()

    async def _round(self) -> None:
        now = self._clock()
        if self._tidied_at is None or now - self._tidied_at >= TIDY_EVERY:
            self._tidied_at = now
            await self._tidy(now)
        for person in await self._store.correspondents():
            for wish in person.wishes:
                count, not_before = self._tried.get(wish.id, (0, now))
                if not wish.mailed and not is_over(wish, now) and not_before <= now:
                    await self._send(person, wish, count + 1)

    async def _send(self, person: Correspondent, wish: Wish, tries: int) -> None:
        links = Links(act=self._signer.confirm(person.name, wish.id), act_label="Yes, send it")
        try:
            await self._poster.post(mailbox(person.address), asking(wish), links, key=f"confirm/{wish.id}")
        except DeliveryError as error:
            # Neither the address nor what a server says of it is logged.
            log.warning("a mail that asks to confirm %s was not taken (%s)", wish.id, error.kind)
            if error.kind not in FAILED_FOR_GOOD:
                self._tried[wish.id] = (tries, self._clock() + retry_delay(tries, 0.5))
                return
        self._tried.pop(wish.id, None)
        await self._mailed(person.name, wish.id)

    async def _mailed(self, name: str, identifier: str) -> None:
        def marked(person: Correspondent) -> Correspondent:
            wishes = (replace(wish, mailed=wish.mailed or wish.id == identifier) for wish in person.wishes)
            return replace(person, wishes=tuple(wishes))

        await change(self._store, name, marked)

    async def _tidy(self, now: datetime) -> None:
        subscribed = {item.address for item in await self._store.subscriptions()}
        for person in await self._store.correspondents():
            kept = tidy(person, subscribed=person.address in subscribed, now=now)
            if kept is None:
                await self._store.erase_place(person.address, name=person.name, left=None)
            elif kept != person:
                await self._store.keep_correspondent(kept, expected=person)


async def change(store: Store, name: str, changed: Callable[[Correspondent], Correspondent]) -> None:
    """Keep another state of a correspondent, whatever else happens to it meanwhile; nothing where it is gone."""
    while (known := await store.correspondent(name)) is not None:
        if await store.keep_correspondent(changed(known), expected=known):
            return


def asking(wish: Wish) -> Message:
    """Return the mail that asks to confirm.

    Whoever typed the address typed the words too, and may be a stranger to its owner: nothing in them becomes a link in
    that mailbox, nor a letter of its own. The page behind the button shows them whole.
    """
    what = text("Somebody, probably you, asked for papers; the page behind the button shows about what.")
    if len(wish.words) <= LONGEST_SHOWN and not _ADDRESS.search(_CATEGORY.sub("", wish.words)):
        what = text("Somebody, probably you, asked for papers about ", *subject(wish.words), ".")
    if not wish.words.strip():
        what = text("Somebody, probably you, asked for the day's most noticed papers.")
    when = f"They would come at {wish.at} in {wish.timezone}, {wish.days}, at most {wish.top} at a time."
    return Message(
        Kind.ANSWER,
        heading="Shall paperboy write to you?",
        lines=(what, text(when), text("The button opens a page that asks once more, and works for seven days.")),
        closing=(
            text("If this was not you, there is nothing to do: no further mail comes, and the address is forgotten."),
        ),
    )
