"""Confirmed opt-in: nobody is written to who did not ask for it from the mailbox itself.

The rules, in the order in which they hold:

1. A blocked address is never written to. Whoever holds a mail of ours from before lifts that by any link in it.
2. Asking keeps a wish and sends one mail for it; so many mails a day, and no more than three wishes wait at a time.
3. A wish is confirmed once, within seven days, and is gone afterwards; what was agreed to is kept beside the
   subscription: when, from where, in which words.
4. An address without subscriptions is forgotten thirty days after it left; one that never had any, with its last wish.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

from core.errors import LinkError
from core.store.correspondents import Consent, Correspondent, Wish

CONFIRM_WITHIN = timedelta(days=7)
FORGET_AFTER = timedelta(days=30)
A_DAY = timedelta(days=1)
WISHES_AT_MOST = 3
WORDING = "Send me this digest by mail until I end it."
VOUCHED = "The operator added this address from the shell, and vouches for its owner's consent."


def name_of(address: str, key: bytes) -> str:
    """Return the name of an address (`email:a@b.org`): a keyed hash, since all addresses could be tried without a key.

    Case does not count: no mailbox is known that tells its letters apart, and a block must not be passed by a capital.
    """
    return hmac.digest(key, address.casefold().encode(), "sha256").hex()


def ask(known: Correspondent | None, name: str, address: str, wish: Wish, *, mails_a_day: int) -> Correspondent | None:
    """Return the correspondent with one wish more; None where nothing may be sent, which nobody is told."""
    person = known or Correspondent(name)
    now = wish.asked_at
    lately = tuple(moment for moment in person.asked if now - A_DAY < moment <= now)
    waiting = tuple(item for item in person.wishes if not is_over(item, now))
    if person.blocked_at is not None or len(lately) >= mails_a_day or len(waiting) >= WISHES_AT_MOST:
        return None
    return replace(person, address=address, wishes=(*waiting, wish), asked=(*lately, now))


def is_over(wish: Wish, now: datetime) -> bool:
    """Whether it is too late to confirm a wish."""
    return now - wish.asked_at > CONFIRM_WITHIN


def find_wish(known: Correspondent | None, identifier: str, now: datetime) -> Wish:
    """Return the wish that a link confirms.

    Raises:
        LinkError: it was confirmed before, or it is gone.
    """
    wishes = known.wishes if known is not None else ()
    for wish in wishes:
        if wish.id == identifier and not is_over(wish, now):
            return wish
    raise LinkError("This link was used already, or it is too old. Subscribe again where nothing comes.")


def confirm(known: Correspondent, wish: Wish, *, given_from: str, now: datetime) -> Correspondent:
    """Return the correspondent with a consent in place of a wish."""
    consent = Consent(wish.id, wish.asked_at, wish.asked_from, now, given_from, WORDING)
    rest = tuple(item for item in known.wishes if item.id != wish.id)
    return replace(known, wishes=rest, consents=(*known.consents, consent), left_at=None)


def vouch(known: Correspondent | None, name: str, address: str, subscription: str, now: datetime) -> Correspondent:
    """Return the correspondent with the operator's word in place of a confirmation."""
    person = known or Correspondent(name)
    consent = Consent(subscription, now, "shell", now, "shell", VOUCHED)
    return replace(person, address=address, consents=(*person.consents, consent), left_at=None)


def block(name: str, now: datetime) -> Correspondent:
    """Return what is left of somebody who wants everything deleted: that nothing is sent there."""
    return Correspondent(name, blocked_at=now)


def tidy(person: Correspondent, *, subscribed: bool, now: datetime) -> Correspondent | None:
    """Return what is to be kept of a correspondent by now; None for nothing.

    Args:
        person: as kept.
        subscribed: whether the address has a subscription.
        now: the instant.
    """
    if person.blocked_at is not None:
        return person
    wishes = tuple(wish for wish in person.wishes if not is_over(wish, now))
    asked = tuple(moment for moment in person.asked if now - A_DAY < moment)
    left_at = None if subscribed else person.left_at or now
    kept = replace(person, wishes=wishes, asked=asked, left_at=left_at)
    if subscribed or wishes:
        return kept
    if not person.consents:
        return None
    return kept if left_at is not None and now - left_at <= FORGET_AFTER else None
