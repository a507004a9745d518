"""What Slack would refuse about a modal or App Home, by its documented limits.

https://docs.slack.dev/surfaces/modals and https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KEYS = {
    "modal": {"type", "callback_id", "title", "submit", "close", "private_metadata", "blocks"},
    "home": {"type", "callback_id", "private_metadata", "blocks"},
}
ELEMENTS = {
    "plain_text_input": {"multiline", "max_length", "initial_value", "placeholder", "dispatch_action_config"},
    "conversations_select": {"placeholder", "filter", "default_to_current_conversation"},
    "multi_static_select": {"placeholder", "options", "initial_options"},
    "timepicker": {"initial_time"},
    "external_select": {"placeholder", "min_query_length", "initial_option"},
    "number_input": {"is_decimal_allowed", "min_value", "max_value", "initial_value"},
    "checkboxes": {"options", "initial_options"},
}
IN_VIEWS = {"header", "context", "actions", "rich_text", "divider", "input", "section"}


def view_complaints(view: dict[str, Any]) -> list[str]:
    """Return what Slack would refuse about a view; empty when it takes it."""
    found = [f"unknown {name}" for name in view.keys() - KEYS[view["type"]]]
    found += [f"{len(view['blocks'])} blocks"] if not 1 <= len(view["blocks"]) <= 100 else []
    for name, longest in (("title", 24), ("submit", 24), ("close", 24)):
        found += _long(view.get(name), longest)
    if len(view.get("private_metadata", "")) > 3000 or len(view.get("callback_id", "")) > 255:
        found.append("metadata")
    names = [block["block_id"] for block in view["blocks"] if "block_id" in block]
    found += ["block_id twice"] if len(set(names)) != len(names) else []
    if view["type"] == "modal" and any(block["type"] == "input" for block in view["blocks"]) and "submit" not in view:
        found.append("inputs without submit")
    return found + [complaint for block in view["blocks"] for complaint in _of_block(block)]


def _of_block(block: dict[str, Any]) -> Iterator[str]:
    if block["type"] not in IN_VIEWS:
        yield f"a block of type {block['type']}"
    if block["type"] == "input":
        yield from (*_long(block["label"], 2000), *_long(block.get("hint"), 2000), *_of_input(block["element"]))
    if block["type"] == "header":
        yield from _long(block["text"], 150)
    if block["type"] == "actions":
        names = [element["action_id"] for element in block["elements"]]
        if not 1 <= len(names) <= 25 or len(set(names)) != len(names):
            yield f"actions {names}"
        for element in block["elements"]:
            yield from _of_button(element)
    if block["type"] == "rich_text":
        yield from _of_sections(block["elements"])


def _of_sections(sections: list[dict[str, Any]]) -> Iterator[str]:
    for section in sections:
        if not section["elements"]:
            yield "an empty section"
        for element in section["elements"]:
            if element["type"] not in {"text", "link", "channel"} or not element.get("text", "-"):
                yield f"rich text {element}"


def _of_button(element: dict[str, Any]) -> Iterator[str]:
    yield from _long(element["text"], 75)
    if not 1 <= len(element.get("value", "-")) <= 2000 or len(element["action_id"]) > 255:
        yield f"button {element}"
    confirm = element.get("confirm")
    if confirm:
        limits = (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30))
        yield from (complaint for name, longest in limits for complaint in _long(confirm[name], longest))


def _of_input(element: dict[str, Any]) -> Iterator[str]:
    unknown = element.keys() - ELEMENTS[element["type"]] - {"type", "action_id"}
    if unknown:
        yield f"unknown {unknown}"
    yield from _long(element.get("placeholder"), 150)
    options = element.get("options", [])
    if "options" in element and not 1 <= len(options) <= (10 if element["type"] == "checkboxes" else 100):
        yield f"{len(options)} options"
    for option in options:
        yield from _long(option["text"], 75)
        if not 1 <= len(option["value"]) <= 75:
            yield f"option {option}"
    chosen = element.get("initial_options")
    if chosen is not None and (not chosen or [option for option in chosen if option not in options]):
        yield "initial options that are none"
    if len(element.get("initial_value", "")) > element.get("max_length", 3000):
        yield "an initial value that is too long"


def _long(text: dict[str, Any] | None, longest: int) -> list[str]:
    if text is None or (text["type"] == "plain_text" and 1 <= len(text["text"]) <= longest):
        return []
    return [f"text of {len(text['text'])}: {text['text'][:40]!r}"]
