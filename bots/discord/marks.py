"""How a message of a delivery is known again; pure.

Each carries a mark made of the delivery's key and the part's number, twice: as its nonce, by which Discord itself
refuses a second one for some minutes (`enforce_nonce`), and as the id of its first component: a number that nobody
sees and that Discord keeps (https://docs.discord.com/developers/components/reference#anatomy-of-a-component).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from core.delivery.platform import Payload

_MOST_PARTS = 60


def nonce(key: str, part: int) -> str:
    """Return the nonce of a part, within Discord's 25 characters."""
    return blake2b(f"{key}#{part}".encode(), digest_size=12).hexdigest()


def component_id(key: str, part: int) -> int:
    """Return the component id of a part: an int32 above those that Discord itself gives."""
    digest = blake2b(f"{key}#{part}".encode(), digest_size=4).digest()
    return 1 << 30 | int.from_bytes(digest) & (1 << 30) - 1


def marked(payload: Payload, key: str, part: int) -> Payload:
    """Return a payload that carries its delivery's mark."""
    first, *rest = payload["components"]
    components = [{**first, "id": component_id(key, part)}, *rest]
    return {**payload, "components": components, "nonce": nonce(key, part), "enforce_nonce": True}


def in_place(payload: Payload, key: str, part: int) -> Payload:
    """Return a payload for a change of a part that stands there already: edits know no nonce."""
    body = marked(payload, key, part)
    del body["nonce"], body["enforce_nonce"]
    return body


def parts_among(messages: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    """Return the ids of the messages that are parts of a delivery, in the order of the parts."""
    return [message for _, message in sorted(numbered_parts(messages, key).items())]


def numbered_parts(messages: Iterable[Mapping[str, Any]], key: str) -> dict[int, str]:
    """Return the ids of the messages that are parts of a delivery, by the number of the part."""
    nonces = {nonce(key, part): part for part in range(_MOST_PARTS)}
    numbers = {component_id(key, part): part for part in range(_MOST_PARTS)}
    found: dict[int, str] = {}
    for message in messages:
        part = nonces.get(str(message.get("nonce")), numbers.get(_first_component_id(message)))
        if part is not None:
            found.setdefault(part, str(message["id"]))
    return found


def _first_component_id(message: Mapping[str, Any]) -> int:
    components = message.get("components") or [{}]
    return int(components[0].get("id", 0))
