"""App Home: what a person gets, where, and what came lately; drawn from facts; pure.

https://docs.slack.dev/surfaces/app-home
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bots.slack.markup import Element, rich, split_line
from bots.slack.requests import split_address
from core.chat.cards import shorten
from core.chat.erasing import KEEP, MINE, all_of
from core.chat.fates import short_day
from core.chat.message import Card, Span, Text, text
from core.chat.render import subscription_line
from core.digests.subscription import Subscription, next_due
from core.store import Delivery, State

HOME = "paperboy-home:"
EDIT, PAUSE, RESUME, REMOVE, NEW, ASK, ERASE = "edit", "pause", "resume", "remove", "new", "ask", "erase"
WORKSPACE = all_of(
    "workspace", whose="everybody in this workspace", rulers="owners and administrators of the workspace"
)
MOST_OWN = 12
MOST_IN_CHANNELS = 18
MOST_DIGESTS = 5
MOST_SAVED = 5
LONGEST_LINE = 600
LONGEST_TITLE = 150


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What App Home shows of one person.

    Attributes:
        person: their address.
        own: subscriptions that come to them alone.
        channels: those of the channels they are in, by place.
        latest: the newest delivery of each of these, by subscription.
        saved: papers they marked 🔖, newest first.
        votes: how many 👍 and 👎 they gave.
        has_taste: whether this paperboy tells what marks have taught.
        steward: whether they may erase what the workspace kept.
        base_url: of the page.
    """

    person: str
    own: Sequence[Subscription] = ()
    channels: Sequence[Subscription] = ()
    latest: Sequence[Delivery] = ()
    saved: Sequence[Card] = ()
    votes: tuple[int, int] = (0, 0)
    has_taste: bool = False
    steward: bool = False
    base_url: str = ""


def home_view(facts: HomeFacts, now: datetime) -> Element:
    """Draw App Home: at most 100 blocks, which is what Slack takes."""
    blocks = [
        _header("Your papers"),
        *_subscriptions(facts.own, MOST_OWN, now, "Nothing comes to you alone yet."),
        _actions([_button("Subscribe…", NEW, "new", style="primary")]),
        _divider(),
        _header("Your channels' papers"),
        *_subscriptions(
            facts.channels,
            MOST_IN_CHANNELS,
            now,
            "No channel you are in gets papers yet: type /papers subscribe in one.",
        ),
        _divider(),
        *_lately(facts),
        _divider(),
        *_marks(facts),
        _divider(),
        *_foot(facts),
    ]
    return {"type": "home", "blocks": blocks}


def _subscriptions(items: Sequence[Subscription], most: int, now: datetime, none: str) -> Iterable[Element]:
    if not items:
        yield _lines(text(none))
    for item in items[:most]:
        yield _lines(subscription_line(item, next_due(item, now)), place=item.address)
        yield _actions(_controls(item))
    if len(items) > most:
        yield _lines(text(f"and {len(items) - most} more: /papers list tells them where they are."))


def _controls(item: Subscription) -> list[Element]:
    value = f"{item.address} {item.number}"
    pause = _button("Pause", PAUSE, value) if item.pause is None else _button("Resume", RESUME, value)
    confirm = _confirm("Unsubscribe?", f"#{item.number} is removed, and its digests end.", "Unsubscribe")
    # Red is for the question that follows: a row of red buttons would be all that one sees.
    remove = _button("Unsubscribe", REMOVE, value) | {"confirm": confirm}
    return [_button("Edit…", EDIT, value), pause, remove]


def _lately(facts: HomeFacts) -> Iterable[Element]:
    yield _header("The last digests")
    known = {item.id: item for item in (*facts.own, *facts.channels)}
    sent = [item for item in facts.latest if item.state is State.SENT and item.subscription in known]
    sent.sort(key=lambda item: item.changed_at, reverse=True)
    if not sent:
        yield _lines(text("None came yet."))
    for item in sent[:MOST_DIGESTS]:
        yield _lines(_digest_line(item, known[item.subscription]), place=item.address)


def _digest_line(delivery: Delivery, subscription: Subscription) -> Text:
    count = len(delivery.shown)
    told = f"{count} paper{'' if count == 1 else 's'}" if count else "none that day"
    name = subscription.interests.strip() or "everything"
    line = text(f"{short_day(delivery.day)} · {told} · ", Span(shorten(name, LONGEST_TITLE), italic=True))
    if delivery.note.startswith("https://"):
        return (*line, *text(" · ", Span("open", url=delivery.note)))
    return line


def _marks(facts: HomeFacts) -> Iterable[Element]:
    yield _header("Saved, and what your marks taught")
    lines = [text("🔖 ", Span(shorten(card.title, LONGEST_TITLE), url=card.url)) for card in facts.saved[:MOST_SAVED]]
    up, down = facts.votes
    told = f"You gave {up} 👍 and {down} 👎." if up or down else "👍 and 👎 below papers teach what you want."
    yield _lines(*(lines or [text("🔖 below a paper keeps it here.")]), text(told))
    buttons = [_button("All saved papers", ASK, "saved")] if facts.saved else []
    if facts.has_taste:
        buttons.append(_button("Taste", ASK, "taste"))
    yield _actions([*buttons, _button("Help", ASK, "help")])


def _foot(facts: HomeFacts) -> Iterable[Element]:
    links = (Span("Privacy", url=f"{facts.base_url}/privacy"), " · ", Span("Support", url=f"{facts.base_url}/support"))
    yield _lines(text(*links))
    mine = _confirm(MINE.question, MINE.consequence, MINE.yes)
    buttons = [_button(MINE.offer, ERASE, "me") | {"confirm": mine}]
    if facts.steward:
        all_of_it = _confirm(WORKSPACE.question, WORKSPACE.consequence, WORKSPACE.yes)
        buttons.append(_button(WORKSPACE.offer, ERASE, "workspace", again=2) | {"confirm": all_of_it})
    yield _actions(buttons)


def _lines(*lines: Text, place: str = "") -> Element:
    elements: list[Element] = []
    for line in lines:
        parts = split_line(line, LONGEST_LINE)[:1]
        elements += [
            *([{"type": "text", "text": "\n"}] if elements else []),
            *(e for part in parts for e in rich(part)),
        ]
    channel = split_address(place)[1]
    if channel[:1] in {"C", "G"}:  # Slack shows the name it has now, and pings nobody
        elements = [{"type": "channel", "channel_id": channel}, {"type": "text", "text": " "}, *elements]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _header(words: str) -> Element:
    return {"type": "header", "text": {"type": "plain_text", "text": words, "emoji": False}}


def _divider() -> Element:
    return {"type": "divider"}


def _actions(elements: list[Element]) -> Element:
    return {"type": "actions", "elements": elements}


def _button(label: str, action: str, value: str, *, style: str = "", again: int = 1) -> Element:
    name = f"{HOME}{action}:{value}" if action == ASK else f"{HOME}{action}" + (f":{again}" if again > 1 else "")
    element: Element = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": True},
        "action_id": name,
        "value": value,
    }
    return element | ({"style": style} if style else {})


def _confirm(title: str, words: str, yes: str) -> Element:
    def plain(text: str) -> Element:
        return {"type": "plain_text", "text": text}

    return {
        "title": plain(title),
        "text": plain(words),
        "confirm": plain(yes),
        "deny": plain(KEEP),
        "style": "danger",
    }
