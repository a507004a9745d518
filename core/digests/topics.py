"""Ready-made interests, each under a name: `topic:genomics` stands for what is under that name.

Only with the prefix: what people type without it are their own words, and mean what the query language says.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import SettingsError, UsageError
from core.papers.tokens import token_key

FILE = "topics.toml"
PREFIX = "topic:"


@dataclass(frozen=True, slots=True)
class Topic:
    """Interests with a name.

    Attributes:
        name: as it is typed; case, blanks and hyphens do not matter.
        about: one line for whoever chooses.
        interests: in the query language.
    """

    name: str
    about: str
    interests: str


class Topics:
    """All ready-made interests, in the order of their file."""

    def __init__(self, topics: Sequence[Topic] = ()) -> None:
        self._topics = tuple(topics)
        self._by_name = {token_key(topic.name): topic for topic in self._topics}
        self._names = {topic.interests: topic.name for topic in self._topics}

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._topics)

    @classmethod
    def from_toml(cls, body: bytes) -> Topics:
        """Read `config/topics.toml`: a table for each name, with `about` and `interests`.

        Raises:
            SettingsError: what is wrong with it, in one sentence.
        """
        try:
            tables = tomllib.loads(body.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{FILE}: this is not TOML ({error}).") from error
        return cls([_read(name, table) for name, table in tables.items()])

    def find(self, typed: str) -> Topic | None:
        """Return the topic that the whole of a text names as `topic:NAME`, or None."""
        named = typed.strip().lower()
        return self._by_name.get(token_key(named.removeprefix(PREFIX))) if named.startswith(PREFIX) else None

    def expand(self, typed: str) -> str:
        """Return the interests that a text means: a topic's where it names one, else itself.

        Raises:
            UsageError: it names a topic that there is not.
        """
        topic = self.find(typed)
        if topic is None and typed.strip().lower().startswith(PREFIX):
            raise self._unknown(typed.strip()[len(PREFIX) :].strip())
        return typed if topic is None else topic.interests

    def _unknown(self, name: str) -> UsageError:
        near = get_close_matches(token_key(name), self._by_name, n=1, cutoff=0.5)
        hint = f"Did you mean {PREFIX}{self._by_name[near[0]].name}?" if near else ""
        return UsageError(f"There are no ready-made interests called {name!r}; /papers help names them all.", hint=hint)

    def call(self, interests: str) -> str:
        """Return what interests are called: the topic's name where they are one's, else themselves."""
        return self._names.get(interests, interests)

    def suggest(self, typed: str) -> list[Topic]:
        """Return topics for what was typed: names that begin with it, then those that hold it anywhere."""
        wanted = token_key(typed.strip().lower().removeprefix(PREFIX))
        first = [topic for topic in self._topics if token_key(topic.name).startswith(wanted)]
        told = [topic for topic in self._topics if wanted in token_key(f"{topic.name} {topic.about}")]
        return list(dict.fromkeys((*first, *told)))


def _read(name: str, table: object) -> Topic:
    if not isinstance(table, dict) or not token_key(name):
        raise SettingsError(f"{FILE}: {name!r} is not a table with `about` and `interests`.")
    for key in ("about", "interests"):
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise SettingsError(f"{FILE}: [{name}] needs {key!r}, a text.")
    if unknown := sorted(set(table) - {"about", "interests"}):
        raise SettingsError(f"{FILE}: [{name}] knows no {unknown[0]!r}; allowed are 'about' and 'interests'.")
    return Topic(name, table["about"], table["interests"])
