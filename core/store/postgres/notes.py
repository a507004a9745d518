"""EDGE. Marks, texts, facts, sealed texts and notes of letters in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.store import Mark
from core.store.postgres.asking import LOCK_MARK, Asking
from core.store.texts import oldest_use, text_token
from core.store.turns import KEPT_FOR

VOTES = frozenset({"up", "down"})

_TOGGLE = """
WITH same AS (
    DELETE FROM marks WHERE person = %(person)s AND paper = %(paper)s AND about = %(about)s AND kind = %(kind)s
    RETURNING 1
), kept AS (
    INSERT INTO marks (person, paper, about, place, kind, at)
    SELECT %(person)s, %(paper)s, %(about)s, %(place)s, %(kind)s, %(at)s WHERE NOT EXISTS (SELECT FROM same)
    ON CONFLICT (person, paper, about) DO UPDATE SET kind = EXCLUDED.kind, at = EXCLUDED.at
    RETURNING 1
)
SELECT EXISTS (SELECT FROM kept)
"""
_KEEP_TEXT = """
INSERT INTO kept_texts (token, text, used) VALUES (%(token)s, %(text)s, %(used)s)
ON CONFLICT (token) DO UPDATE SET used = EXCLUDED.used WHERE kept_texts.used < EXCLUDED.used
"""
_SET_FACT = """
INSERT INTO small_facts (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value
"""
_RESEAL = "UPDATE sealed_texts SET text = %s WHERE name = %s AND text = %s"
_ADD_FACT = "INSERT INTO small_facts (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_REPLACE_FACT = "UPDATE small_facts SET value = %s WHERE name = %s AND value = %s"
_SEAL = "INSERT INTO sealed_texts (name, text) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET text = EXCLUDED.text"
_NOTE_LETTER = """
INSERT INTO letters (key, step, at) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET step = EXCLUDED.step, at = EXCLUDED.at
"""
_FIRST = """
INSERT INTO noted_names (name, at) VALUES (%(name)s, %(at)s)
ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at WHERE noted_names.at <= EXCLUDED.at - %(kept)s
"""


class Notes(Asking):
    """The part of the port that is about marks and small texts."""

    async def mark(self, mark: Mark) -> bool:
        """Keep a mark or take it back; asked twice, the second takes back what the first did."""
        about = about_mark(mark)
        values = {
            "person": mark.person,
            "paper": mark.paper,
            "about": about,
            "place": mark.place,
            "kind": mark.kind,
            "at": mark.at,
        }
        key = f"{mark.person}\n{mark.paper}\n{about}"
        _, [(kept,)] = await self._together((LOCK_MARK, (key,)), (_TOGGLE, values))
        return bool(kept)

    async def marks(self, *, person: str | None = None, place: str | None = None) -> Sequence[Mark]:
        """Return marks, oldest first."""
        asked = [(name, value) for name, value in (("person", person), ("place", place)) if value is not None]
        where = " AND ".join(["true", *(f"{name} = %s" for name, _ in asked)])
        rows = await self._rows(
            f"SELECT person, place, paper, kind, at FROM marks WHERE {where} ORDER BY at, person, place, paper, kind",
            [value for _, value in asked],
        )
        return [Mark(*row) for row in rows]

    async def keep_text(self, text: str) -> str:
        """Keep a text for 90 days after its last use; asked twice, it is kept once."""
        token = text_token(text)
        await self._change(_KEEP_TEXT, {"token": token, "text": text, "used": self._clock().date()})
        return token

    async def kept_text(self, token: str) -> str | None:
        """Return a kept text."""
        oldest = oldest_use(self._clock().date())
        found: str | None = await self._value(
            "SELECT text FROM kept_texts WHERE token = %s AND used >= %s", (token, oldest)
        )
        return found

    async def fact(self, name: str) -> str | None:
        """Return a small named fact."""
        found: str | None = await self._value("SELECT value FROM small_facts WHERE name = %s", (name,))
        return found

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a small named fact; it can be asked twice."""
        await self._change(_SET_FACT, (name, value))

    async def replace_fact(self, name: str, value: str, *, expected: str | None) -> bool:
        """Keep a fact that is `expected` now; asked twice, the second says no."""
        if expected is None:
            return await self._change(_ADD_FACT, (name, value)) == 1
        return await self._change(_REPLACE_FACT, (value, name, expected)) == 1

    async def keep_sealed(self, name: str, sealed: str) -> None:
        """Keep a sealed text; it can be asked twice."""
        await self._change(_SEAL, (name, sealed))

    async def replace_sealed(self, name: str, sealed: str, *, expected: str) -> bool:
        """Keep a sealed text in place of the one that is expected there."""
        return await self._change(_RESEAL, (sealed, name, expected)) == 1

    async def sealed(self, name: str) -> str | None:
        """Return a sealed text."""
        found: str | None = await self._value("SELECT text FROM sealed_texts WHERE name = %s", (name,))
        return found

    async def take_sealed(self, name: str) -> str | None:
        """Return a sealed text and forget it; where the answer is lost, the text is too, and nobody else gets it."""
        found = await self._changed("DELETE FROM sealed_texts WHERE name = %s RETURNING text", (name,))
        return found[0][0] if found else None

    async def sealed_names(self, prefix: str) -> Sequence[str]:
        """Return the names of sealed texts that begin so, in order."""
        rows = await self._rows("SELECT name FROM sealed_texts WHERE starts_with(name, %s) ORDER BY name", (prefix,))
        return [row[0] for row in rows]

    async def note_letter(self, key: str, step: str, at: datetime) -> None:
        """Note how far a delivery has come on its way to a mail server; it can be asked twice."""
        await self._change(_NOTE_LETTER, (key, step, at))

    async def letter(self, key: str) -> str | None:
        """Return what was noted last of a delivery."""
        found: str | None = await self._value("SELECT step FROM letters WHERE key = %s", (key,))
        return found

    async def is_first(self, name: str, at: datetime) -> bool:
        """Note a name, and tell whether it is new; asked twice, the second is told that it is not."""
        return await self._change(_FIRST, {"name": name, "at": at, "kept": KEPT_FOR}) == 1


def about_mark(mark: Mark) -> str:
    """Return what a person has one mark of for a paper: a vote in each place, or a kind anywhere."""
    return f"vote {mark.place}" if mark.kind in VOTES else mark.kind
