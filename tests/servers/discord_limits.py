"""What Discord takes as a message, written from its documentation and from nothing of ours.

https://docs.discord.com/developers/resources/message and /components/reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator

COMPONENTS_V2 = 1 << 15
ROW, BUTTON, TEXT, CONTAINER = 1, 2, 10, 17
KNOWN = {"flags", "components", "allowed_mentions", "nonce", "enforce_nonce"}
INT32 = 2**31 - 1


def problems(body: dict) -> list[str]:
    """Return everything that Discord would refuse, and every way in which the message could ping."""
    return list(_problems(body))


def walk(components: list[dict]) -> Iterator[dict]:
    for component in components:
        yield component
        yield from walk(component.get("components", []))


def _problems(body: dict) -> Iterator[str]:
    if unknown := body.keys() - KNOWN:
        yield f"fields {unknown}"
    if not body["flags"] & COMPONENTS_V2:
        yield "components of the second version need their flag"
    if body.get("allowed_mentions") != {"parse": []}:
        yield "it could ping somebody"
    if len(str(body.get("nonce", ""))) > 25:
        yield "nonce too long"
    every = list(walk(body["components"]))
    if not 1 <= len(every) <= 40:
        yield f"{len(every)} components"
    if (total := sum(len(item.get("content", "").encode("utf-16-le")) // 2 for item in every)) > 4000:
        yield f"{total} characters of text"
    yield from _twins("custom_id", [item["custom_id"] for item in every if "custom_id" in item])
    yield from _twins("id", [item["id"] for item in every if "id" in item])
    for component in body["components"]:
        if component["type"] not in {ROW, TEXT, CONTAINER}:
            yield f"type {component['type']} at the top"
        yield from _check(component)


def _twins(what: str, values: list) -> Iterator[str]:
    if len(values) != len(set(values)):
        yield f"{what} twice"


def _check(component: dict) -> Iterator[str]:
    number = component.get("id", 1)
    if not (isinstance(number, int) and 1 <= number <= INT32):
        yield f"component id {number}"
    kind = component["type"]
    if kind == TEXT:
        if not component["content"].strip():
            yield "empty text"
        yield from _pings(component["content"])
    elif kind == ROW:
        yield from _check_row(component["components"])
    elif kind == CONTAINER:
        if not 0 <= component.get("accent_color", 0) <= 0xFFFFFF:
            yield "accent colour"
        if not component["components"]:
            yield "empty container"
        for inner in component["components"]:
            if inner["type"] not in {ROW, TEXT}:
                yield f"type {inner['type']} in a container"
            yield from _check(inner)


def _check_row(buttons: list[dict]) -> Iterator[str]:
    if not 1 <= len(buttons) <= 5:
        yield f"{len(buttons)} buttons in a row"
    for button in buttons:
        if button["type"] != BUTTON or button["style"] not in {1, 2, 3, 4}:
            yield f"not a button: {button}"
        if not 1 <= len(button["label"]) <= 80:
            yield f"label of {len(button['label'])}"
        if not 1 <= len(button["custom_id"]) <= 100:
            yield f"custom_id of {len(button['custom_id'])}"


def _pings(text: str) -> Iterator[str]:
    if re.search(r"@(everyone|here)", text):
        yield "everybody is mentioned"
    # What is escaped and what stands in code means nothing; an escaped backtick begins no code.
    if re.search(r"<(@[!&]?|#)\d", re.sub(r"\\.|(`+).*?\1", "", text, flags=re.DOTALL)):
        yield "somebody is mentioned"


def modal_problems(modal: dict) -> Iterator[str]:
    """Yield everything that Discord would refuse about a form."""
    if not 1 <= len(modal["title"]) <= 45:
        yield f"title of {len(modal['title'])}"
    if not 1 <= len(modal["custom_id"]) <= 100:
        yield f"custom_id of {len(modal['custom_id'])}"
    if not 1 <= len(modal["components"]) <= 5:
        yield f"{len(modal['components'])} components"
    for part in modal["components"]:
        if part["type"] != 18 or not 1 <= len(part["label"]) <= 45 or len(part.get("description", "")) > 100:
            yield f"not a label: {part}"
        yield from _check_field(part["component"])
    yield from _twins("custom_id", [part["component"]["custom_id"] for part in modal["components"]])


def _check_field(field: dict) -> Iterator[str]:
    if field["type"] == 4:
        if field["style"] not in {1, 2} or len(field.get("placeholder", "")) > 100:
            yield f"not a text input: {field}"
        if len(field.get("value", "")) > field.get("max_length", 4000) or field.get("max_length", 4000) > 4000:
            yield f"value of {len(field['value'])}"
    elif field["type"] == 3:
        options = field["options"]
        most = field.get("max_values", 1)
        if not 1 <= len(options) <= 25 or sum(bool(option.get("default")) for option in options) > most:
            yield f"{len(options)} options"
        if not 0 <= field.get("min_values", 1) <= most <= len(options):
            yield f"{most} of {len(options)} options"
        if field.get("required", True) and field.get("min_values", 1) < 1:
            yield "a field that has to be filled in, and can be empty"
        if any(not 1 <= len(option[key]) <= 100 for option in options for key in ("label", "value")):
            yield "a label or a value that is too long"
        yield from _twins("value", [option["value"] for option in options])
    else:
        yield f"type {field['type']} in a form"
