"""Small facts that several processes change at once: read, changed and kept only where nobody was faster."""

from __future__ import annotations

from collections.abc import Callable

from core.store import Store


async def change_fact(store: Store, name: str, change: Callable[[str | None], str | None]) -> str | None:
    """Change a fact by what it is, again and again until nobody else changed it meanwhile; returns what it was before.

    Args:
        store: where it is kept.
        name: of the fact.
        change: called with the fact (None: there is none), perhaps several times; returns what it is to be, or None to
            leave it alone.

    Raises:
        StoreError: it cannot be read or kept; whether it was is not known then.
    """
    while True:
        kept = await store.fact(name)
        wanted = change(kept)
        if wanted is None or wanted == kept or await store.replace_fact(name, wanted, expected=kept):
            return kept
