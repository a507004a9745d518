"""EDGE. Correspondents in PostgreSQL, and forgetting whoever asks to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.store.correspondents import Correspondent
from core.store.postgres.asking import Asking, Statement, about

_ADD = "INSERT INTO correspondents (name, document) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_REPLACE = "UPDATE correspondents SET document = %s WHERE name = %s AND document = %s"
_LEAVE = """
INSERT INTO correspondents (name, document) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET document = EXCLUDED.document
"""


class People(Asking):
    """The part of the port that is about people and places as a whole."""

    async def correspondents(self) -> Sequence[Correspondent]:
        """Return everybody who is, was or must not be written to by mail, by name."""
        return [_read(row[0]) for row in await self._rows("SELECT document FROM correspondents ORDER BY name")]

    async def correspondent(self, name: str) -> Correspondent | None:
        """Return one by the keyed hash of the address."""
        document = await self._document(name)
        return None if document is None else _read(document)

    async def keep_correspondent(self, correspondent: Correspondent, *, expected: Correspondent | None) -> bool:
        """Keep another state of one that stands as `expected`; asked twice, the second says no."""
        name, document = correspondent.name, _write(correspondent)
        if expected is None:
            return await self._change(_ADD, (name, document)) == 1
        before = _write(expected)
        if await self._change(_REPLACE, (document, name, before)) == 1:
            return True
        # Another version of paperboy may have written the same person in other words.
        kept = await self._document(name)
        if kept is None or kept == before or _read(kept) != expected:
            return False
        return await self._change(_REPLACE, (document, name, kept)) == 1

    async def forget(self, address: str) -> int:
        """Forget all about an address, or about those that begin so; asked twice, the second finds nothing."""
        [[(count,)]] = await self._together(_forgetting(address))
        return int(count)

    async def erase_place(self, address: str, *, name: str, left: Correspondent | None) -> int:
        """Forget a place wholly, its correspondent too; asked twice, the second finds nothing."""
        person: Statement = ("DELETE FROM correspondents WHERE name = %s", (name,))
        if left is not None:
            person = (_LEAVE, (name, _write(left)))
        [(count,)], _ = await self._together(_forgetting(address), person)
        return int(count)

    async def _document(self, name: str) -> str | None:
        found: str | None = await self._value("SELECT document FROM correspondents WHERE name = %s", (name,))
        return found


def _forgetting(address: str) -> Statement:
    """Return what forgets an address; a subscription elsewhere whose deliveries are forgotten may be due again."""
    here, made = about("address", address), about("created_by", address)
    return (
        f"""
WITH gone AS (DELETE FROM subscriptions WHERE {here} RETURNING id),
elsewhere AS (
    UPDATE subscriptions
    SET created_by = CASE WHEN {made} THEN address ELSE created_by END, look_at = '-infinity'
    WHERE NOT {here} AND ({made} OR id IN (SELECT subscription FROM deliveries WHERE {here}))
), delivered AS (DELETE FROM deliveries WHERE {here}),
marked AS (DELETE FROM marks WHERE {about("person", address)} OR {about("place", address)}),
noted AS (DELETE FROM changes WHERE {about("person", address)} OR {here})
SELECT count(*) FROM gone
""",
        {"address": address},
    )


def _write(correspondent: Correspondent) -> str:
    return msgspec.json.encode(correspondent).decode()


def _read(document: str) -> Correspondent:
    return msgspec.json.decode(document, type=Correspondent)
