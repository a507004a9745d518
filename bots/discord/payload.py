"""Message -> the bodies of Discord messages, within Discord's limits; pure.

Components V2 (https://docs.discord.com/developers/components/reference), because there a card's buttons stand right
below its text, and because it needs no Embed Links permission. A message of these holds at most 40 components, nested
ones included, and 4,000 characters over all its texts. The rules, in this order:

1. Everything goes into one message if it can: with a box around each card, else with one around all, else with none.
2. Otherwise a message is filled with cards, in order and in one box, until the next would not fit even with a short
   summary, and the rest goes on in the next one.
3. Within a message all summaries may be as long as the longest limit allows with which it fits. In a digest whose cards
   have a button for their details that is about a line, so that a channel is not flooded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from string import ascii_lowercase, digits
from typing import Any, TypeAlias

from bots.discord.markdown import ELLIPSIS, escape, link, one_line, paragraphs, shorten, size
from core.chat.message import Button, Card, Kind, Look, Message
from core.delivery.platform import Payload

IS_COMPONENTS_V2 = 1 << 15
EPHEMERAL = 1 << 6
COMPONENTS_LIMIT = 40
TEXT_LIMIT = 4000
ROW_LIMIT = 5
ACTION_ROW, BUTTON, TEXT_DISPLAY, CONTAINER = 1, 2, 10, 17

SAMPLE = "**SAMPLE** · papers that come with paperboy, not today's"
_COLOUR, _SAMPLE_COLOUR = 0x3D6B99, 0xC28A1E
_STYLES = {Look.PRIMARY: 1, Look.PLAIN: 2, Look.DANGER: 4}
_PARAGRAPH_LIMIT = 3600
_TITLE, _BYLINE, _FACTS, _WHY, _AUTHOR, _HEADING = 300, 200, 120, 120, 80, 240
_LABEL, _LINK_LABEL, _LINKS = 80, 60, 900
_SUMMARIES = (700, 550, 450, 360, 300, 240, 190, 140)
_LINE = (120, 100)
_DETAILS = "details"
_MARKS = "b" + digits + "".join(letter for letter in ascii_lowercase if letter != "b")

Component: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Row:
    """Buttons for the whole message."""

    buttons: tuple[Button, ...]


_Block: TypeAlias = str | Card | _Row


class _Box(Enum):
    """What stands in a box of its own."""

    EACH = "each card"
    ALL = "a whole message"
    NONE = "nothing"


@dataclass(frozen=True, slots=True)
class _Style:
    """How a message is built.

    Attributes:
        box: what stands in a box.
        sample: whether it is marked as the sample.
        summaries: limits for summaries, the longest first.
    """

    box: _Box
    sample: bool
    summaries: tuple[int, ...]


def payloads(message: Message) -> list[Payload]:
    """Render a message as the bodies of one or more Discord messages, in order."""
    blocks: list[_Block] = list(_blocks(message)) or [ELLIPSIS]
    summaries = _LINE if _is_brief(message) else _SUMMARIES
    styles = [_Style(box, message.sample, summaries) for box in _Box]
    whole = next((style for style in styles if _fits(_build(blocks, style, summaries[-1]))), None)
    style = whole or _Style(_Box.ALL, message.sample, summaries)
    return [
        {
            "flags": IS_COMPONENTS_V2,
            "components": _fill(page, style),
            "allowed_mentions": {"parse": []},
        }
        for page in ([blocks] if whole else _pages(blocks, style))
    ]


def _is_brief(message: Message) -> bool:
    """Whether the cards stand in a channel and tell more when asked."""
    every = [button.action for card in message.cards for button in card.buttons]
    return message.kind is Kind.DIGEST and _DETAILS in every


def _blocks(message: Message) -> Iterator[_Block]:
    if heading := escape(shorten(one_line(message.heading), _HEADING)):
        yield f"## {heading}" if message.kind is Kind.DIGEST else f"**{heading}**"
    for line in message.lines:
        yield from paragraphs(line, _PARAGRAPH_LIMIT)
    yield from message.cards
    for line in message.closing:
        yield from (f"-# {one_line(small)}" for small in paragraphs(line, _PARAGRAPH_LIMIT))
    for start in range(0, len(message.buttons), ROW_LIMIT):
        yield _Row(message.buttons[start : start + ROW_LIMIT])


def _pages(blocks: Sequence[_Block], style: _Style) -> Iterator[list[_Block]]:
    """Yield the blocks of one Discord message after the other."""
    page: list[_Block] = []
    for block in blocks:
        if page and not _fits(_build([*page, block], style, style.summaries[-1])):
            yield page
            page = []
        page.append(block)
    yield page


def _fill(page: Sequence[_Block], style: _Style) -> list[Component]:
    """Build a page with the longest summaries with which it fits."""
    built = (_build(page, style, limit) for limit in style.summaries)
    return next(components for components in built if _fits(components))


def _fits(components: Sequence[Component]) -> bool:
    every = list(_walk(components))
    return len(every) <= COMPONENTS_LIMIT and sum(size(item.get("content", "")) for item in every) <= TEXT_LIMIT


def _walk(components: Sequence[Component]) -> Iterator[Component]:
    for component in components:
        yield component
        yield from _walk(component.get("components", ()))


def _build(page: Sequence[_Block], style: _Style, summary: int) -> list[Component]:
    components: list[Component] = []
    taken: set[str] = set()
    blocks = [SAMPLE, *page] if style.sample else page
    for is_text, group in groupby(blocks, lambda block: isinstance(block, str)):
        if is_text:
            components.append({"type": TEXT_DISPLAY, "content": "\n".join(str(block) for block in group)})
            continue
        for block in group:
            if isinstance(block, Card):
                card = [{"type": TEXT_DISPLAY, "content": _card(block, summary)}, *_rows(block.buttons, taken)]
                components += [_box(card, style)] if style.box is _Box.EACH else card
            elif isinstance(block, _Row):
                components += _rows(block.buttons, taken)
    has_cards = any(isinstance(block, Card) for block in page)
    return [_box(components, style)] if has_cards and style.box is _Box.ALL else components


def _box(components: list[Component], style: _Style) -> Component:
    colour = _SAMPLE_COLOUR if style.sample else _COLOUR
    return {"type": CONTAINER, "accent_color": colour, "components": components}


def _rows(buttons: Sequence[Button], taken: set[str]) -> Iterator[Component]:
    for start in range(0, len(buttons), ROW_LIMIT):
        row = buttons[start : start + ROW_LIMIT]
        yield {"type": ACTION_ROW, "components": [_button(button, taken) for button in row]}


def _button(button: Button, taken: set[str]) -> Component:
    names = (custom_id(button.action, button.value, mark) for mark in _MARKS)
    name = next(name for name in names if name not in taken)
    taken.add(name)
    label = shorten(one_line(button.label), _LABEL) or button.action
    return {"type": BUTTON, "style": _STYLES[button.look], "label": label, "custom_id": name}


def custom_id(action: str, value: str, mark: str = _MARKS[0]) -> str:
    """Return the name of a button, which is all that an answer to it needs."""
    return f"p{mark}:{action}:{value}"


def read_custom_id(named: str) -> tuple[str, str] | None:
    """Return (action, value) of a button of ours, or None; the mark before them only keeps twins in a message apart."""
    mark, _, rest = named.partition(":")
    action, colon, value = rest.partition(":")
    if len(mark) != 2 or mark[0] != "p" or mark[1] not in _MARKS or not action or not colon:
        return None
    return action, value


def _card(card: Card, summary: int) -> str:
    title = shorten(one_line(card.title) or card.paper or "Untitled", _TITLE)
    byline = shorten(one_line(card.byline), _BYLINE)
    facts = shorten(one_line(card.facts), _FACTS)
    why = shorten(one_line(card.why), _WHY)
    small = " · ".join(escape(part) for part in (byline, facts) if part)
    lines = (
        f"### {link(title, card.url)}",
        f"-# {small}" if small else "",
        f"*{escape(why)}*" if why else "",
        escape(shorten(one_line(card.summary), summary)),
        f"-# {escape(shorten(one_line(card.summary_by), _AUTHOR))}" if card.summary_by.strip() else "",
        f"-# {links}" if (links := _links(card)) else "",
    )
    return "\n".join(line for line in lines if line)


def _links(card: Card) -> str:
    words = ""
    for item in card.links:
        longer = words + (" · " if words else "") + link(shorten(one_line(item.label), _LINK_LABEL), item.url)
        if size(longer) > _LINKS:
            break
        words = longer
    return words
