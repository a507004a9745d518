"""After PAPERBOY_SECRET_KEY was changed: what lies sealed in the store is sealed anew, so that the old one can go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bots.house import House
from core.errors import StoreError
from core.store import Store

if TYPE_CHECKING:
    from core.keys import Keys

log = logging.getLogger(__name__)

SEALS: Mapping[str, str] = {
    "slack:": "slack tokens",
    "keys:": "kept keys",
}
"""How the names of sealed texts begin, and the purpose of the key that seals them."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of the sealed texts.

    Attributes:
        anew: how many are sealed with the secret of now, and were not before.
        closed: names of those that no secret opens.
    """

    anew: int = 0
    closed: tuple[str, ...] = ()


async def reseal(store: Store, keys: Callable[[], Keys]) -> Resealed:
    """Seal everything with the secret of now that an older one sealed; safe to repeat, and beside others at work.

    Args:
        store: where it lies.
        keys: asked for when something is sealed at all, since the first call may make the secret.

    Raises:
        StoreError: the secret or the store cannot be read or written.
    """
    anew, closed = 0, []
    for prefix, purpose in SEALS.items():
        for name in await store.sealed_names(prefix):
            done = await _reseal_one(store, keys(), name, purpose)
            anew += done is True
            closed += [name] if done is None else []
    return Resealed(anew, tuple(closed))


async def _reseal_one(store: Store, keys: Keys, name: str, purpose: str) -> bool | None:
    """Seal one text anew; returns whether that was needed, or None where it cannot be opened."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - where nothing is sealed, no cryptography is loaded

    while (sealed := await store.sealed(name)) is not None and not keys.is_newest(purpose, sealed):
        try:
            anew = keys.box(purpose).rotate(sealed).decode()
        except InvalidToken:
            return None
        if await store.replace_sealed(name, anew, expected=sealed):
            return True
    return False


async def reseal_at_start(house: House) -> None:
    """Seal anew what needs it, and say so; what goes wrong keeps nobody from starting."""
    try:
        done = await reseal(house.store, house.keys)
    except StoreError as error:
        log.error("what is sealed could not be sealed anew: %s", error)
        return
    if done.anew:
        log.info("%s sealed anew with the PAPERBOY_SECRET_KEY of now", counted_texts(done.anew))
    if done.closed:
        log.error("%s", closed_sentence(done.closed))


async def forget_closed(store: Store, names: Sequence[str]) -> None:
    """Forget sealed texts that no secret opens."""
    for name in names:
        await store.take_sealed(name)


def counted_texts(count: int) -> str:
    """Return how many texts there are, as the subject of a sentence."""
    return "1 text was" if count == 1 else f"{count} texts were"


def closed_sentence(names: Sequence[str]) -> str:
    """Return what to do about sealed texts that no secret opens."""
    return (
        f"No secret opens what is sealed as {', '.join(names)}; name the one it was sealed with in "
        "PAPERBOY_SECRET_KEY_OLD, or, where that is lost, run `paperboy migrate --forget-sealed` (docs/security.md)."
    )
