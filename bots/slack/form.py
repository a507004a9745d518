"""The form for subscribing and for changing a subscription: a modal, drawn and read; pure.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

from bots.slack.markup import Element, literal, one_line, rich, split_line
from core.chat import commands as c
from core.chat.cards import shorten
from core.chat.message import Text, text
from core.chat.parsing import DAY_NAMES, MAX_TOP
from core.chat.render import error_message
from core.digests.subscription import WEEKDAYS, WEEKLY, Subscription
from core.errors import QueryError
from core.search.query import parse
from core.zones import zone_names

CALLBACK = "paperboy-form"
INPUT = "paperboy-form:"
INTERESTS, PLACE, AT, ZONE, DAYS, TOP, MORE = "interests", "place", "at", "zone", "days", "top", "more"
READY, QUIET, WEEK, NO_REPEATS = "ready", "quiet", "weekly", "no-repeats"
MORE_OPTIONS = {
    READY: "As soon as the day's batch is in, and at that time at the latest",
    WEEK: "Once a week, on Mondays: the best of seven days",
    QUIET: "Nothing at all on days without papers",
    NO_REPEATS: "Leave out papers that other channels have shown already",
}
LONGEST_INTERESTS = 2_000
LONGEST_NOTE = 2_000
LONGEST_ERROR = 300
MOST_ZONES = 50
DAY_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form.

    Attributes:
        person: address of who fills it in.
        place: address that gets the digests.
        number: of the subscription that is changed; None for a new one.
        choose: whether the place can be chosen in the form.
    """

    person: str
    place: str
    interests: str = ""
    at: time | None = time(8)
    timezone: str = "UTC"
    days: tuple[int, ...] = WEEKDAYS
    weekly: bool = False
    top: int = 5
    when_ready: bool = False
    quiet: bool = False
    no_repeats: bool = False
    number: int | None = None
    choose: bool = False

    @classmethod
    def of(cls, subscription: Subscription, person: str) -> Draft:
        """Return the form for a subscription as it is."""
        return cls(
            person=person,
            place=subscription.address,
            interests=subscription.interests,
            at=subscription.at,
            timezone=subscription.timezone,
            days=WEEKDAYS if subscription.weekly else subscription.days,
            weekly=subscription.weekly,
            top=subscription.top,
            when_ready=subscription.when_ready,
            quiet=subscription.quiet,
            no_repeats=subscription.no_repeats,
            number=subscription.number,
        )

    @property
    def command(self) -> c.Subscribe | c.Edit:
        """What sending the form asks for."""
        options = c.Options(
            at=None if self.when_ready else self.at,
            when_ready=self.when_ready or None,
            by=self.at if self.when_ready else None,
            timezone=self.timezone,
            days=WEEKLY if self.weekly else self.days,
            weekly=self.weekly,
            top=self.top,
            quiet=self.quiet,
            no_repeats=self.no_repeats,
        )
        if self.number is None:
            return c.Subscribe(self.interests, options)
        return c.Edit(self.number, self.interests, options)


def form_view(draft: Draft, *, note: Sequence[Text] = (), problem: str = "") -> Element:
    """Draw the form.

    Args:
        draft: what stands in it.
        note: what these interests would have delivered.
        problem: why it could not be sent, in one sentence.
    """
    blocks: list[Element] = [_note((text(f"⚠️ {problem}"),), "problem")] if problem else []
    blocks += [_interests(draft), _note(note or (text("What it would have brought lately appears here."),), "look")]
    if draft.choose:
        blocks.append(_place())
    blocks += [_days(draft), _at(draft), _zone(draft), _top(draft), _more(draft)]
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _plain("Subscribe" if draft.number is None else f"Change #{draft.number}"),
        "submit": _plain("Subscribe" if draft.number is None else "Save"),
        "close": _plain("Cancel"),
        "private_metadata": _metadata(draft),
        "blocks": blocks,
    }


def _metadata(draft: Draft) -> str:
    return json.dumps([draft.person, draft.place, draft.number, draft.choose])


def read_form(view: Mapping[str, Any]) -> Draft:
    """Read what stands in a form that was sent or is being filled in; what is empty is as in a new one."""
    person, place, number, choose = json.loads(view["private_metadata"])
    values = {name: part for block in view["state"]["values"].values() for name, part in block.items()}

    def of(name: str) -> Mapping[str, Any]:
        return values.get(INPUT + name) or {}

    more = {option["value"] for option in of(MORE).get("selected_options") or ()}
    days = tuple(sorted(int(option["value"]) for option in of(DAYS).get("selected_options") or ()))
    channel = of(PLACE).get("selected_conversation")
    at, zone, top = of(AT).get("selected_time"), of(ZONE).get("selected_option"), of(TOP).get("value")
    draft = Draft(person, place, number=number, choose=choose, days=days or WEEKDAYS)
    return replace(
        draft,
        place=f"{place.rpartition('/')[0]}/{channel}" if choose and channel else place,
        interests=str(of(INTERESTS).get("value") or "").strip(),
        at=time.fromisoformat(at) if at else (None if READY in more else time(8)),
        timezone=str(zone["value"]) if zone else draft.timezone,
        top=int(top) if top and str(top).isdecimal() else draft.top,
        weekly=WEEK in more,
        when_ready=READY in more,
        quiet=QUIET in more,
        no_repeats=NO_REPEATS in more,
    )


def form_errors(draft: Draft) -> dict[str, str]:
    """Return what is wrong in the form, by its field; empty when it can be sent."""
    found = {}
    try:
        parse(draft.interests)
    except QueryError as error:
        found[INTERESTS] = shorten(f"{error} {_near(error)}".strip(), LONGEST_ERROR)
    if not 1 <= draft.top <= MAX_TOP:
        found[TOP] = f"A digest has between 1 and {MAX_TOP} papers."
    if draft.timezone not in zone_names():
        found[ZONE] = "Choose a city from the list."
    return found


def _near(error: QueryError) -> str:
    rest = one_line(error.query[error.position :])
    return f"It is at: {shorten(rest, 40)}" if rest else "It is at the end."


def problem_lines(draft: Draft) -> Sequence[Text]:
    """Return what is wrong with the interests as they stand, or nothing."""
    try:
        parse(draft.interests)
    except QueryError as error:
        return (text("⚠️ "), *error_message(error).lines[:1])
    return ()


def zone_options(typed: str) -> list[Element]:
    """Return the time zones whose names hold what was typed, those that begin with it first."""
    wanted = typed.strip().lower().replace(" ", "_")
    found = [zone for zone in zone_names() if wanted in zone.lower() and ("/" in zone or zone == "UTC")]
    found.sort(key=lambda zone: (not zone.rpartition("/")[2].lower().startswith(wanted), zone))
    return [_option(zone, zone) for zone in found[:MOST_ZONES]]


def answer_view(blocks: Sequence[Element], *, cut: bool) -> Element:
    """Return a modal that shows an answer; its buttons stay away, since a modal has no message for them to change."""
    shown = [block for block in blocks if block["type"] != "actions"] or [_note((text("Done."),), "done")]
    if cut:
        shown.append(_note((text("There is more: ask with /papers in a channel or a direct message."),), "cut"))
    return {"type": "modal", "title": _plain("paperboy"), "close": _plain("Close"), "blocks": shown}


def waiting_view() -> Element:
    """Return what stands there while an answer is being made."""
    return answer_view([_note((text("One moment…"),), "wait")], cut=False)


def _note(lines: Sequence[Text], name: str) -> Element:
    elements: list[Element] = []
    size = 0
    for line in [part for whole in lines for part in split_line(whole, LONGEST_NOTE)]:
        size += sum(len(span.text) + len(span.url) for span in line)
        if size > LONGEST_NOTE:
            break
        elements += [*([{"type": "text", "text": "\n"}] if elements else []), *rich(line)]
    section = {"type": "rich_text_section", "elements": elements or [{"type": "text", "text": "…"}]}
    return {"type": "rich_text", "block_id": name, "elements": [section]}


def _interests(draft: Draft) -> Element:
    element: Element = {
        "type": "plain_text_input",
        "action_id": INPUT + INTERESTS,
        "multiline": True,
        "max_length": LONGEST_INTERESTS,
        "placeholder": _plain('diffusion models, or "length generalization" -survey cat:cs.LG'),
        "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]},
    }
    if shown := literal(draft.interests)[:LONGEST_INTERESTS]:
        element["initial_value"] = shown
    hint = "Words, phrases in quotes, -without, cat: au: ti: like:; nothing means everything."
    return _input(INTERESTS, "What the papers should be about", element, hint=hint, optional=True, dispatch=True)


def _place() -> Element:
    element = {
        "type": "conversations_select",
        "action_id": INPUT + PLACE,
        "placeholder": _plain("To me alone"),
        "filter": {"include": ["public", "private"], "exclude_bot_users": True},
    }
    return _input(PLACE, "Channel", element, hint="Leave it empty to get the digest yourself.", optional=True)


def _days(draft: Draft) -> Element:
    options = [_option(word, str(day)) for day, word in enumerate(DAY_WORDS)]
    element: Element = {
        "type": "multi_static_select",
        "action_id": INPUT + DAYS,
        "placeholder": _plain(", ".join(DAY_NAMES[:5])),
        "options": options,
    }
    if chosen := [options[day] for day in draft.days]:
        element["initial_options"] = chosen
    return _input(DAYS, "Days", element, optional=True)


def _at(draft: Draft) -> Element:
    element: Element = {"type": "timepicker", "action_id": INPUT + AT}
    if draft.at is not None:
        element["initial_time"] = f"{draft.at:%H:%M}"
    return _input(AT, "Time", element, optional=True)


def _zone(draft: Draft) -> Element:
    element = {
        "type": "external_select",
        "action_id": INPUT + ZONE,
        "placeholder": _plain("Type a city"),
        "min_query_length": 2,
        "initial_option": _option(draft.timezone, draft.timezone),
    }
    return _input(ZONE, "Time zone", element)


def _top(draft: Draft) -> Element:
    element = {
        "type": "number_input",
        "action_id": INPUT + TOP,
        "is_decimal_allowed": False,
        "min_value": "1",
        "max_value": str(MAX_TOP),
        "initial_value": str(draft.top),
    }
    return _input(TOP, "Papers at most", element)


def _more(draft: Draft) -> Element:
    options = {name: _option(words, name) for name, words in MORE_OPTIONS.items()}
    element: Element = {"type": "checkboxes", "action_id": INPUT + MORE, "options": list(options.values())}
    is_on = {READY: draft.when_ready, WEEK: draft.weekly, QUIET: draft.quiet, NO_REPEATS: draft.no_repeats}
    if chosen := [options[name] for name, on in is_on.items() if on]:
        element["initial_options"] = chosen
    return _input(MORE, "Also", element, optional=True)


def _input(
    name: str, label: str, element: Element, *, hint: str = "", optional: bool = False, dispatch: bool = False
) -> Element:
    block: Element = {"type": "input", "block_id": name, "label": _plain(label), "element": element}
    if hint:
        block["hint"] = _plain(hint)
    return block | ({"optional": True} if optional else {}) | ({"dispatch_action": True} if dispatch else {})


def _option(words: str, value: str) -> Element:
    return {"text": _plain(words), "value": value}


def _plain(words: str) -> Element:
    return {"type": "plain_text", "text": words, "emoji": True}
