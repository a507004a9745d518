"""People who are written to by mail: what they asked for, what they agreed to, and who must not be written to again.

A Correspondent goes by a keyed hash of the address, so that nothing of an erased one tells who it was:

    nobody ──asked──> wishes, each with one mail ──confirmed──> consents (the subscription is kept beside)
                        └─ after seven days: gone                  └─ erased ──> blocked: the hash alone
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription that was asked for and is not confirmed.

    Attributes:
        id: of the subscription that it will be.
        words: the interests, as typed.
        at: local time, HH:MM.
        timezone: IANA name.
        days: `daily`, `weekdays`, `weekly` or names of days.
        top: at most so many papers.
        asked_at: when (aware, UTC).
        asked_from: the network address that asked.
        mailed: whether the mail that asks to confirm was taken by the mail server.
    """

    id: str
    words: str
    at: str
    timezone: str
    days: str
    top: int
    asked_at: datetime
    asked_from: str
    mailed: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """That somebody agreed to be written to.

    Attributes:
        subscription: id of what it was given for.
        asked_at: when it was asked for.
        asked_from: from where.
        given_at: when it was given.
        given_from: from where; `shell` where the operator vouches for it.
        wording: what was agreed to.
    """

    subscription: str
    asked_at: datetime
    asked_from: str
    given_at: datetime
    given_from: str
    wording: str


@dataclass(frozen=True, slots=True)
class Correspondent:
    """One mail address.

    Attributes:
        name: keyed hash of the address, hex.
        address: `email:a@b.org`; empty once it is erased.
        wishes: what waits for confirmation.
        consents: what was agreed to.
        asked: when mails that ask to confirm were wanted lately.
        blocked_at: since when nothing is written to it; None where mails are welcome.
        left_at: since when it has no subscription any more; None while it has.
    """

    name: str
    address: str = ""
    wishes: tuple[Wish, ...] = ()
    consents: tuple[Consent, ...] = ()
    asked: tuple[datetime, ...] = ()
    blocked_at: datetime | None = None
    left_at: datetime | None = None
