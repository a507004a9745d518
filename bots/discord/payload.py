"""Message -> the bodies of Discord messages, within Discord's limits; pure.

Components V2 (https://docs.discord.com/developers/components/reference), because there a card's buttons stand right
below its text, and because it needs no Embed Links permission. A message of these holds at most 40 components, nested
ones included, and 4,000 characters over all its texts. The rules, in this order:

1. Everything goes into one message if it can, with a box around each card if those fit as well.
2. Otherwise a message is filled with boxed cards, in order, until the next would not fit even with a short summary,
   and the rest goes on in the next one.
3. Within a message all summaries may be as long as the longest limit allows with which it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
_MARKS = "b" + digits + "".join(letter for letter in ascii_lowercase if letter != "b")

Component: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Row:
    """Buttons for the whole message."""

    buttons: tuple[Button, ...]


_Block: TypeAlias = str | Card | _Row


def payloads(message: Message) -> list[Payload]:
    """Render a message as the bodies of one or more Discord messages, in order."""
    blocks: list[_Block] = list(_blocks(message)) or [ELLIPSIS]
    whole = partial(_build, blocks, _SUMMARIES[-1], sample=message.sample)
    one, boxed = _fits(whole(boxed=False)), _fits(whole(boxed=True))
    pages = [blocks] if one else list(_pages(blocks, sample=message.sample))
    return [
        {
            "flags": IS_COMPONENTS_V2,
            "components": _fill(page, sample=message.sample, boxed=boxed or not one),
            "allowed_mentions": {"parse": []},
        }
        for page in pages
    ]


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


def _pages(blocks: Sequence[_Block], *, sample: bool) -> Iterator[list[_Block]]:
    """Yield the blocks of one Discord message after the other."""
    page: list[_Block] = []
    for block in blocks:
        if page and not _fits(_build([*page, block], _SUMMARIES[-1], sample=sample, boxed=True)):
            yield page
            page = []
        page.append(block)
    yield page


def _fill(page: Sequence[_Block], *, sample: bool, boxed: bool) -> list[Component]:
    """Build a page with the longest summaries with which it fits."""
    built = (_build(page, limit, sample=sample, boxed=boxed) for limit in _SUMMARIES)
    return next(components for components in built if _fits(components))


def _fits(components: Sequence[Component]) -> bool:
    every = list(_walk(components))
    return len(every) <= COMPONENTS_LIMIT and sum(size(item.get("content", "")) for item in every) <= TEXT_LIMIT


def _walk(components: Sequence[Component]) -> Iterator[Component]:
    for component in components:
        yield component
        yield from _walk(component.get("components", ()))


def _build(page: Sequence[_Block], summary: int, *, sample: bool, boxed: bool) -> list[Component]:
    components: list[Component] = []
    taken: set[str] = set()
    blocks = [SAMPLE, *page] if sample else page
    for is_text, group in groupby(blocks, lambda block: isinstance(block, str)):
        if is_text:
            components.append({"type": TEXT_DISPLAY, "content": "\n".join(str(block) for block in group)})
            continue
        for block in group:
            if isinstance(block, Card):
                card = [{"type": TEXT_DISPLAY, "content": _card(block, summary)}, *_rows(block.buttons, taken)]
                colour = _SAMPLE_COLOUR if sample else _COLOUR
                box = {"type": CONTAINER, "accent_color": colour, "components": card}
                components += [box] if boxed else card
            elif isinstance(block, _Row):
                components += _rows(block.buttons, taken)
    return components


def _rows(buttons: Sequence[Button], taken: set[str]) -> Iterator[Component]:
    for start in range(0, len(buttons), ROW_LIMIT):
        row = buttons[start : start + ROW_LIMIT]
        yield {"type": ACTION_ROW, "components": [_button(button, taken) for button in row]}


def _button(button: Button, taken: set[str]) -> Component:
    names = (f"p{mark}:{button.action}:{button.value}" for mark in _MARKS)
    name = next(name for name in names if name not in taken)
    taken.add(name)
    label = shorten(one_line(button.label), _LABEL) or button.action
    return {"type": BUTTON, "style": _STYLES[button.look], "label": label, "custom_id": name}


def read_custom_id(custom_id: str) -> tuple[str, str] | None:
    """Return (action, value) of a button of ours, or None; the mark before them only keeps twins in a message apart."""
    mark, _, rest = custom_id.partition(":")
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
