"""Mail addresses as they are written to and kept: `email:a@b.org`, the domain in lower case and in ASCII."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

from core.errors import UsageError

PREFIX = "email:"
LONGEST = 254
_ADDRESS = re.compile(r"\S+@\S+")


def read_address(typed: str) -> str:
    """Return the address of a mailbox, `email:` included.

    Raises:
        UsageError: no mail can be sent there.
    """
    bare = typed.strip().removeprefix(PREFIX)
    try:
        # Whether there is a mailbox is for its server to say, and an intranet's domain may have no dot.
        found = validate_email(
            bare[: LONGEST + 1], check_deliverability=False, allow_smtputf8=False, globally_deliverable=False
        )
    except EmailNotValidError as error:
        raise UsageError(
            "This is no mail address that can be written to.", hint="It looks like name@example.org."
        ) from error
    local, domain = found.ascii_local_part, found.ascii_domain
    return f"{PREFIX}{local}@{domain.lower()}"


def mailbox(address: str) -> str:
    """Return what stands in a mail's To: the address without the platform's name."""
    return address.removeprefix(PREFIX)


def without_addresses(text: str) -> str:
    """Return a server's words without the addresses they repeat, which must reach no log."""
    return " ".join(_ADDRESS.sub("…", text).split())[:200]
