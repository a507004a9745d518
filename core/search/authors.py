"""Who is who among people of one name, as far as co-authors and categories tell.

    1. Two works are of one person when their spellings of the name agree and another author is on both. Works with more
       than 30 authors link nobody.
    2. A lone work that has no such link belongs to the people of its primary category, when they are one person.
    3. Where the library knows at most ten names with that family name, works of one archive (cs, math, astro-ph...)
       are of one person.
    4. Everybody else is somebody else.

So people with common names are rather kept apart than mixed, and a rare name does not fall into as many people as there
are papers. `au:"Wei Wang@2310.01234"` follows the one who wrote that paper; `au:"Wei Wang"` all of the name.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.search.lexical import condition
from core.search.names import index_tokens, name_key, names_agree, read_name
from core.search.tree import Author

MOST_AUTHORS = 30
MOST_WORKS = 2000
TELLING = 2
FEW_NAMES = 10


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of a paper about its authors.

    Attributes:
        number: the paper's, in the library.
        paper: its id.
        spelling: the name as it stands there.
        others: the other authors.
        categories: the primary one first.
    """

    number: int
    paper: str
    spelling: str
    others: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(slots=True)
class Person:
    """Somebody of a name: the works that are held to be one person's."""

    works: list[Work] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The fullest spelling of the name."""
        return max((work.spelling for work in self.works), key=lambda name: (len(name_key(name)), name))

    @property
    def fields(self) -> tuple[str, ...]:
        """The categories that these works list first, the most frequent first."""
        return _most(work.categories[0] for work in self.works if work.categories)

    @property
    def company(self) -> tuple[str, ...]:
        """The co-authors of most of these works."""
        return _most(other for work in self.works for other in work.others)


def _most(names: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(names)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:TELLING])


def tell_apart(works: Sequence[Work], *, rare: bool = False) -> list[Person]:
    """Sort works by people, whoever has the most first; see the rules above. `rare`: few have that family name."""
    people = _linked(works)
    if rare:
        people = _joined_by_archive(people)
    for person in [one for one in people if len(one.works) == 1]:
        (work,) = person.works
        if len(work.others) + 1 > MOST_AUTHORS or not work.categories:
            continue
        near = [other for other in people if other is not person and _could_be(other, work)]
        if len(near) == 1 and len(near[0].works) > 1:
            near[0].works.append(work)
            people.remove(person)
    return sorted(people, key=lambda one: (-len(one.works), one.works[0].paper))


def _linked(works: Sequence[Work]) -> list[Person]:
    """Join works that share a co-author, as long as no two spellings of the name contradict each other."""
    owner: dict[str, list[Person]] = {}
    people: list[Person] = []
    for work in works:
        keys = {name_key(other) for other in work.others} if len(work.others) < MOST_AUTHORS else set()
        found = [one for key in sorted(keys) for one in owner.get(key, ()) if one.works and _agrees(one, work.spelling)]
        home = found[0] if found else Person()
        if not found:
            people.append(home)
        home.works.append(work)
        for other in found[1:]:
            if other is not home and _all_agree(home, other):
                home.works += other.works
                other.works = []
        for one in home.works:
            for key in {name_key(name) for name in one.others} if len(one.others) < MOST_AUTHORS else ():
                known = owner.setdefault(key, [])
                if not any(item is home for item in known):
                    known.append(home)
    return [one for one in people if one.works]


def _joined_by_archive(people: Iterable[Person]) -> list[Person]:
    found: list[Person] = []
    for person in people:
        home = next((one for one in found if _archives(one) & _archives(person) and _all_agree(one, person)), None)
        if home is None:
            found.append(person)
        else:
            home.works += person.works
    return found


def _archives(person: Person) -> set[str]:
    return {work.categories[0].partition(".")[0] for work in person.works if work.categories}


def _all_agree(one: Person, other: Person) -> bool:
    return all(_agrees(one, work.spelling) for work in other.works)


def _agrees(person: Person, spelling: str) -> bool:
    return all(_compatible(work.spelling, spelling) for work in person.works)


def _could_be(person: Person, work: Work) -> bool:
    primary = {one.categories[0] for one in person.works if one.categories}
    return work.categories[0] in primary and _agrees(person, work.spelling)


def _compatible(one: str, other: str) -> bool:
    return one == other or names_agree(one, other) or names_agree(other, one)


def find_people(connection: sqlite3.Connection, name: str) -> list[Person]:
    """Return the people of a name among the works of the library, whoever has the most first.

    The connection knows the functions of conditions (`register_functions`). Of a very common name the newest 2,000
    works are looked at.
    """
    holds = condition(Author(name), {})
    rows = connection.execute(
        f"SELECT p.number, p.id, p.authors, p.details FROM papers p WHERE NOT p.withdrawn AND {holds.text}"  # noqa: S608 - ours
        f" ORDER BY p.number DESC LIMIT {MOST_WORKS}",
        holds.values,
    )
    works = [_work(name, *row) for row in rows]
    return tell_apart(works, rare=len(works) > 1 and _is_rare(connection, name))


def _is_rare(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the library knows few names with that family name."""
    family = {reading.family for _, reading in read_name(name)}
    sql = "SELECT authors FROM papers WHERE number IN (SELECT rowid FROM words WHERE words MATCH ?) LIMIT ?"
    expression = "authors : (" + " OR ".join(f'"{token}"' for token in sorted(index_tokens(" ".join(family)))) + ")"
    found: set[str] = set()
    for (authors,) in connection.execute(sql, (expression, MOST_WORKS)):
        for author in json.loads(authors):
            if any(reading.family in family for _, reading in read_name(author)):
                found.add(name_key(author))
        if len(found) > FEW_NAMES:
            return False
    return True


def _work(name: str, number: int, paper: str, authors: str, details: str) -> Work:
    listed = list(dict.fromkeys(json.loads(authors)))
    spelling = next(one for one in listed if names_agree(name, one))
    others = tuple(one for one in listed if one != spelling)
    return Work(number, paper, spelling, others, tuple(json.loads(details).get("categories", ())))


def person_of(people: Iterable[Person], paper: str) -> Person | None:
    """Return whoever of these people wrote a paper."""
    return next((one for one in people if any(work.paper == paper for work in one.works)), None)
