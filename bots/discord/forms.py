"""The form in which a subscription is written down: fields <-> the modal that Discord shows <-> Command; pure.

https://docs.discord.com/developers/components/reference#label
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
from core.settings import DigestDefaults

ACTION = "form"
LABEL, TEXT_INPUT, SELECT = 18, 4, 3
MODAL = 9
LONGEST_INTERESTS = 4000
_TIMES = "As 08:00 in Europe/Berlin, when ready in UTC, or when ready by 10:00 in Asia/Tokyo."
_SIZES = (3, 5, 10, 15, 20)
_QUIET, _NO_REPEATS = "quiet", "no repeats"
_MORE = {
    _QUIET: "Nothing at all on days without papers",
    _NO_REPEATS: "Leave out papers that other channels have shown already",
}
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
        when: `08:00`, `when ready`, `when ready by 10:00`; with `in Europe/Berlin` behind it where somebody typed it.
        timezone: IANA name; holds where `when` names none. A form has room for five fields, so both share one.
        days: in the words of the commands.
        size: `5`.
        more: `quiet`, `no repeats`, or both.
    """

    interests: str = ""
    when: str = ""
    timezone: str = ""
    days: str = ""
    size: str = ""
    more: tuple[str, ...] = ()


def new_fields(defaults: DigestDefaults) -> Fields:
    """Return what the form of a new subscription shows."""
    more = (_NO_REPEATS,) if defaults.no_repeats else ()
    return Fields("", f"{defaults.at:%H:%M}", defaults.timezone, defaults.days, str(defaults.top), more)


def fields_of(subscription: Subscription) -> Fields:
    """Return what the form of a subscription shows."""
    at = f"{subscription.at:%H:%M}" if subscription.at is not None else ""
    when = f"when ready by {at}" if subscription.when_ready and at else "when ready" if subscription.when_ready else at
    is_on = {_QUIET: subscription.quiet, _NO_REPEATS: subscription.no_repeats}
    more = tuple(name for name, on in is_on.items() if on)
    days = days_text(subscription.days, weekly=subscription.weekly)
    return Fields(subscription.interests, when, subscription.timezone, days, str(subscription.top), more)


def command_of(fields: Fields, number: int | None) -> c.Command:
    """Return what the form orders: a new subscription, or a change of the one with this number.

    Raises:
        UsageError: which field, what is allowed.
    """
    options = options_from(
        timezone=fields.timezone.strip() or None,
        days=fields.days or None,
        top=int(fields.size) if fields.size else None,
        quiet=_QUIET in fields.more if fields.size else None,
        no_repeats=_NO_REPEATS in fields.more if fields.size else None,
    )
    if when := _options_of(fields.when):
        zone = when.timezone or options.timezone
        options = replace(options, at=when.at, when_ready=when.when_ready, by=when.by, timezone=zone)
    interests = " ".join(fields.interests.split())
    return c.Subscribe(interests, options) if number is None else c.Edit(number, interests, options)


def _options_of(when: str) -> c.Options | None:
    words = " ".join(when.split())
    if not words:
        return None
    said = words if words.lower().startswith(("at ", "when ", "in ")) else f"at {words}"
    rest, options = split_options(said)
    times = c.Options(at=options.at, when_ready=options.when_ready, by=options.by, timezone=options.timezone)
    if rest or options != times:
        raise UsageError(
            f"{shorten(words, 60)!r} is not a time of delivery.",
            hint="Write it as 08:30, as when ready, or as when ready by 10:00; behind it in Europe/Berlin.",
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
        _label("When?", _TIMES, _text("when", _when(fields), hint="08:00 in Europe/Berlin")),
        _label("On which days?", "", _select("days", _days(fields.days), fields.days)),
        _label("How many papers at most?", "", _select("size", _sizes(fields.size), fields.size)),
        _label("Anything else?", "", _choices("more", _MORE, fields.more)),
    ]
    title = "Have papers delivered here" if number is None else f"Change subscription #{number}"
    return {"type": MODAL, "data": {"custom_id": custom_id(ACTION, value), "title": title, "components": parts}}


def fields_from(components: Iterable[Mapping[str, Any]]) -> Fields:
    """Return what somebody filled in, of the components that come back."""
    given = {}
    for part in components:
        inner = part.get("component") or {}
        values = inner.get("values", [inner.get("value") or ""])
        given[str(inner.get("custom_id"))] = tuple(map(str, values))
    more = given.pop("more", ())
    first = {name: values[0] for name, values in given.items() if values and name in Fields.__dataclass_fields__}
    return Fields(**first, more=more)


def _when(fields: Fields) -> str:
    return " in ".join(part for part in (fields.when, fields.timezone) if part)


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


def _choices(name: str, options: Mapping[str, str], chosen: Collection[str]) -> Payload:
    every = [{"label": label, "value": value, "default": value in chosen} for value, label in options.items()]
    most = {"min_values": 0, "max_values": len(every)}
    return {"type": SELECT, "custom_id": name, "required": False, **most, "options": every}


def _days(chosen: str) -> Mapping[str, str]:
    return _DAYS if chosen in _DAYS or not chosen else {chosen: chosen, **_DAYS}


def _sizes(chosen: str) -> Mapping[str, str]:
    sizes = sorted({*_SIZES, int(chosen)} if chosen.isascii() and chosen.isdigit() else _SIZES)
    return {str(size): str(size) for size in sizes}
