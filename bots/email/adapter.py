"""The platform: digests to mailboxes, by the operator's own mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Self

from starlette.routing import BaseRoute

from bots.email.addresses import PREFIX, mailbox, read_address
from bots.email.envelope import Envelope
from bots.email.failures import LOGIN_REFUSED
from bots.email.letter import Links, Sender, write_letter
from bots.email.links import Signer
from bots.email.postman import Postman
from bots.email.server import Line, Server
from bots.house import House
from core.chat.commands import Request
from core.chat.message import Kind, Message
from core.clock import Clock
from core.delivery.platform import Answer, Ear, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure, UsageError
from core.keys import open_keys
from core.settings import Settings
from core.store import Store

BEGUN, TAKEN, REFUSED = "begun", "taken", "refused"
WAITS = 60.0


@dataclass
class Email:
    """Mail.

    A mailbox cannot be looked into. So each delivery is noted in the store right before the server is given the mail,
    and right after it took it: without the first note it surely did not arrive, with the second it surely did, and
    with the first alone nobody can know.
    """

    settings: Settings
    clock: Clock
    store: Store

    name = "email"
    can_edit = False
    ear = Ear.NONE

    def __post_init__(self) -> None:
        email = self.settings.email
        self.envelope = Envelope(email.sender, email.reply_to, email.bounces_to)
        self.sender = Sender(email.operator, email.postal_address)
        self.line = Line(Server.of(self.settings))
        self._ready = asyncio.Event()

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether there is a mail server, and an address to send from."""
        return bool(settings.email.smtp_url and settings.email.sender)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock, store: Store) -> Self:
        """Make it of the settings."""
        return cls(settings, clock, store)

    @cached_property
    def signer(self) -> Signer:
        """Makes the links of mails."""
        return Signer(self.settings, open_keys(self.settings), self.clock, self.store)

    @cached_property
    def postman(self) -> Postman:
        """Sends the mails that ask to confirm, and forgets what is too old."""
        return Postman(self, self.store, self.signer, self.clock)

    def routes(self, house: House) -> Sequence[BaseRoute]:
        """Return the pages that mail needs."""
        from bots.email.pages import make_routes  # noqa: PLC0415 - the doctor needs no pages

        return make_routes(house, self)

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message as one mail for nobody in particular: without links that are somebody's."""
        letter = write_letter(message, Links(), self.sender)
        return [{"subject": letter.subject, "text": letter.text, "html": letter.html}]

    async def listen(self, answer: Answer) -> None:  # noqa: ARG002 - what people do with a mail comes by the page
        """Send what asks for confirmation, and tidy up, until cancelled.

        Raises:
            DeliveryError: of kind REVOKED when the server does not accept our login.
        """
        try:
            await self.line.look()
        except DeliveryError as error:
            if error.kind is DeliveryFailure.REVOKED:
                raise
            # It is away; deliveries find out when it is back.
        self._ready.set()
        await self.postman.run()

    async def stand_by(self) -> None:
        """Do as `listen` does, which listens to nobody."""
        await self.listen(_silent)

    async def ready(self) -> None:
        """Return once it is known that our login is not refused."""
        await self._ready.wait()

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Send one mail to one mailbox; see the port."""
        if done:
            return Receipt(tuple(done))
        recipient = _recipient(address)
        if reason := await self.reachable(address):
            raise DeliveryError(DeliveryFailure.FORBIDDEN, reason)
        links = await self.signer.for_delivery(address, key)
        part = await self.post(recipient, message, links, key=key)
        await self.store.note_letter(key, TAKEN, self.clock())
        if sent is not None:
            await sent(part)
        return Receipt((part,))

    async def post(self, recipient: str, message: Message, links: Links, *, key: str) -> str:
        """Hand a mail over, and return its Message-ID; notes in the store when that begins, and when it was refused.

        Raises:
            DeliveryError: as `deliver` does.
        """
        letter = write_letter(message, links, self.sender)
        mail = self.envelope.seal(
            letter, to=recipient, key=key, at=self.clock(), links=links, bulk=message.kind is Kind.DIGEST
        )
        token = self.signer.bounce(await self.signer.names.of(f"{PREFIX}{recipient}"))

        async def about_to() -> None:
            await self.store.note_letter(key, BEGUN, self.clock())

        try:
            await self.line.send(self.envelope.return_path(token), recipient, mail.as_bytes(), about_to=about_to)
        except DeliveryError as error:
            if error.kind is not DeliveryFailure.UNKNOWN:
                await self.store.note_letter(key, REFUSED, self.clock())
            raise
        return self.envelope.message_id(key)

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:  # noqa: ARG002 - the notes know
        """Tell by our own notes whether a mail was taken; None where it was begun and no reply came."""
        step = await self.store.letter(key)
        if step == BEGUN:
            return None
        return [self.envelope.message_id(key)] if step == TAKEN else []

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:  # noqa: ARG002 - it refuses all
        """Refuse: a mail that was sent stays as it is, and the next digest brings what came late."""
        raise DeliveryError(DeliveryFailure.REJECTED, "A mail that was sent cannot be changed.")

    async def reachable(self, address: str) -> str | None:
        """Return why nothing is written there; whoever reads the mailbox ends a pause, since nobody else can tell.

        Raises:
            DeliveryError: our own login is refused, still.
        """
        try:
            read_address(address)
        except UsageError as error:
            return str(error)
        known = await self.store.correspondent(await self.signer.names.of(address))
        if known is not None and known.blocked_at is not None:
            return "Whoever reads this mailbox had everything deleted, and is not written to again."
        for subscription in await self.store.subscriptions(address):
            pause = subscription.pause
            if pause is not None and not pause.by_hand and LOGIN_REFUSED in pause.reason:
                await self.line.look()
            elif pause is not None and not pause.by_hand:
                return pause.reason
        return None

    async def stewards(self, address: str) -> Sequence[str]:  # noqa: ARG002 - a mailbox has none but its reader
        """Return nobody."""
        return ()

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Connect to the mail server and log in; nothing is sent."""
        try:
            found = await self.line.look()
        except DeliveryError as error:
            return [("server", False, str(error))]
        email, web = self.settings.email, self.settings.web
        lines = [("server", True, found), ("from", True, email.sender)]
        if not (email.operator and email.postal_address):
            lines.append(("footer", True, "set email.operator and email.postal_address; many countries ask for both"))
        if not web.enabled or web.base_url.startswith("http://127.0.0.1"):
            lines.append(("links", True, f"lead to {web.base_url}; set web.base_url to what readers can reach"))
        return lines

    async def close(self) -> None:
        """Say goodbye to the mail server."""
        await self.line.close()


async def _silent(_request: Request) -> Message:
    return Message(Kind.ANSWER)


def _recipient(address: str) -> str:
    try:
        return mailbox(read_address(address))
    except UsageError as error:
        raise DeliveryError(DeliveryFailure.GONE, str(error)) from error
