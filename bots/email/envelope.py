"""Letter -> the mail as it is sent: who, to whom, when, and what mail programs are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from bots.email.letter import Letter, Links

NAME = "paperboy"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every mail of this paperboy has.

    Attributes:
        sender: who it comes from, with or without a name before the address.
        reply_to: where answers go, where that is elsewhere.
        bounces_to: where mails that cannot be delivered go; empty for the sender.
    """

    sender: str
    reply_to: str = ""
    bounces_to: str = ""

    @property
    def domain(self) -> str:
        """The domain mails come from."""
        return parseaddr(self.sender)[1].rpartition("@")[2]

    def return_path(self, token: str) -> str:
        """Return the envelope's sender, which tells of a bounce whose it is (VERP): `bounces+TOKEN@example.org`."""
        if not self.bounces_to:
            return parseaddr(self.sender)[1]
        local, _, domain = parseaddr(self.bounces_to)[1].rpartition("@")
        return f"{local}+{token}@{domain}"

    def message_id(self, key: str) -> str:
        """Return the Message-ID of a key, always the same: mail programs show what comes twice only once."""
        return f"<{re.sub(r'[^A-Za-z0-9-]+', '.', key).strip('.') or 'mail'}@{self.domain}>"

    def seal(self, letter: Letter, *, to: str, key: str, at: datetime, links: Links, bulk: bool) -> EmailMessage:
        """Return the whole mail.

        Args:
            letter: what it says.
            to: the one mailbox.
            key: its name.
            at: when it is sent (aware).
            links: the unsubscribing one goes into the headers, as RFC 8058 wants it.
            bulk: a digest; else an answer to what somebody just did.
        """
        mail = letter.body()
        name, address = parseaddr(self.sender)
        mail["Date"] = format_datetime(at)
        mail["From"] = Address(name or NAME, addr_spec=address)
        mail["To"] = Address(addr_spec=to)
        mail["Subject"] = letter.subject
        mail["Message-ID"] = self.message_id(key)
        if self.reply_to:
            mail["Reply-To"] = self.reply_to
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies stay away
        mail["X-Auto-Response-Suppress"] = "All"
        if bulk:
            mail["List-Id"] = f"{NAME} <{NAME}.{self.domain}>"
            mail["Precedence"] = "bulk"
        if links.unsubscribe:
            mail["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return mail
