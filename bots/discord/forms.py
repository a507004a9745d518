"""The form in which a subscription is written down: fields <-> the modal that Discord shows <-> Command; pure.

https://docs.discord.com/developers/components/reference#label
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bots.discord.payload import custom_id
from core.chat import commands as c
from core.chat.cards import shorten
from core.chat.parsing import days_text, options_from, split_options
from core.delivery.platform import Payload
from core.digests.subscription import Subscription
from core.errors import UsageError

ACTION = "form"
LABEL, TEXT_INPUT, SELECT = 18, 4, 3
MODAL = 9
LONGEST_INTERESTS = 4000
_SIZES = (3, 5, 10, 15, 20)
_QUIET = "quiet"
_DAYS = {
    "weekdays": "Monday to Friday",
    "daily": "Every day",
    "weekly": "Once a week: on Monday, the best of seven days",
    "mon,thu": "Monday and Thursday",
    "mon,wed,fri": "Monday, Wednesday and Friday",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the form, as typed or chosen.

    Attributes:
        interests: in the query language.
        when: `08:00`, `when ready`, `when ready by 10:00`.
        timezone: IANA name.
        days: in the words of the commands.
        size: `5`, or `5 quiet` for nothing on days without papers.
    """

    interests: str = ""
    when: str = ""
    timezone: str = ""
    days: str = ""
    size: str = ""


def fields_of(subscription: Subscription) -> Fields:
    """Return what the form of a subscription shows."""
    at = f"{subscription.at:%H:%M}" if subscription.at is not None else ""
    when = f"when ready by {at}" if subscription.when_ready and at else "when ready" if subscription.when_ready else at
    size = f"{subscription.top} {_QUIET}" if subscription.quiet else str(subscription.top)
    days = days_text(subscription.days, weekly=subscription.weekly)
    return Fields(subscription.interests, when, subscription.timezone, days, size)


def command_of(fields: Fields, number: int | None) -> c.Command:
    """Return what the form orders: a new subscription, or a change of the one with this number.

    Raises:
        UsageError: which field, what is allowed.
    """
    size, _, quiet = fields.size.partition(" ")
    options = options_from(
        timezone=fields.timezone.strip() or None,
        days=fields.days or None,
        top=int(size) if size else None,
        quiet=(quiet == _QUIET) if size else None,
    )
    if when := _options_of(fields.when):
        options = replace(options, at=when.at, when_ready=when.when_ready, by=when.by)
    interests = " ".join(fields.interests.split())
    return c.Subscribe(interests, options) if number is None else c.Edit(number, interests, options)


def _options_of(when: str) -> c.Options | None:
    words = " ".join(when.split())
    if not words:
        return None
    said = words if words.lower().startswith(("at ", "when ")) else f"at {words}"
    rest, options = split_options(said)
    if rest or options != c.Options(at=options.at, when_ready=options.when_ready, by=options.by):
        raise UsageError(
            f"{shorten(words, 60)!r} is not a time of delivery.",
            hint="Write it as 08:30, as when ready, or as when ready by 10:00.",
        )
    return options


def keep(fields: Fields) -> str:
    """Return fields as a text that can be kept."""
    return msgspec.json.encode(fields).decode()


def take(kept: str) -> Fields:
    """Return fields that were kept; ValueError where that is not what the text is."""
    return msgspec.json.decode(kept, type=Fields)


def form(value: str, fields: Fields, number: int | None) -> Payload:
    """Return the first response to an interaction that opens the form; `value` comes back with what was filled in."""
    parts = [
        _label("What about?", "Empty means everything.", _text("interests", fields.interests, long=True)),
        _label("When?", "A time, when ready, or when ready by 10:00.", _text("when", fields.when, hint="08:00")),
        _label("In which time zone?", "", _text("timezone", fields.timezone, hint="Europe/Berlin")),
        _label("On which days?", "", _select("days", _days(fields.days), fields.days)),
        _label("How many papers at most?", "", _select("size", _sizes(fields.size), fields.size)),
    ]
    title = "Have papers delivered here" if number is None else f"Change subscription #{number}"
    return {"type": MODAL, "data": {"custom_id": custom_id(ACTION, value), "title": title, "components": parts}}


def fields_from(components: Iterable[Mapping[str, Any]]) -> Fields:
    """Return what somebody filled in, of the components that come back."""
    given = {}
    for part in components:
        inner = part.get("component") or {}
        values = inner.get("values") or [inner.get("value") or ""]
        given[str(inner.get("custom_id"))] = str(values[0])
    return Fields(**{name: given.get(name, "") for name in Fields.__dataclass_fields__})


def _label(label: str, description: str, component: Payload) -> Payload:
    shown = {"type": LABEL, "label": label, "component": component}
    return {**shown, "description": description} if description else shown


def _text(name: str, value: str, *, long: bool = False, hint: str = "diffusion models -survey cat:cs.LG") -> Payload:
    most = LONGEST_INTERESTS if long else 100
    shown = {"type": TEXT_INPUT, "custom_id": name, "style": 2 if long else 1, "required": False, "max_length": most}
    return {**shown, "placeholder": hint, **({"value": value[:most]} if value else {})}


def _select(name: str, options: Mapping[str, str], chosen: str) -> Payload:
    every = [{"label": label, "value": value, "default": value == chosen} for value, label in options.items()]
    return {"type": SELECT, "custom_id": name, "required": True, "options": every}


def _days(chosen: str) -> Mapping[str, str]:
    return _DAYS if chosen in _DAYS or not chosen else {chosen: chosen, **_DAYS}


def _sizes(chosen: str) -> Mapping[str, str]:
    number, _, _ = chosen.partition(" ")
    sizes = sorted({*_SIZES, int(number)} if number.isascii() and number.isdigit() else _SIZES)
    loud = {str(size): f"{size}, and a line on days without any" for size in sizes}
    return loud | {f"{size} {_QUIET}": f"{size}, and nothing on days without any" for size in sizes}
