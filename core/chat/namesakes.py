"""Which of several people of one name an interest follows: told after subscribing, and by `why`."""

from __future__ import annotations

from collections.abc import Sequence

from core.chat.message import Span, Text, text
from core.chat.render import join_names
from core.papers.paper import Paper
from core.search.authors import Person, person_of
from core.search.engine import Engine
from core.search.names import names_agree
from core.search.query import Query
from core.search.tree import Author

MOST_TOLD = 3
MOST_ASKED = 5


async def people_lines(query: Query, engine: Engine) -> list[Text]:
    """Return a line for each author of interests whose name several people of the library have."""
    lines = []
    for author in query.authors[:MOST_ASKED]:
        people = [] if author.of else await engine.people(author.name)
        if len(people) > 1:
            told = "; ".join(f"{_described(one)}, as in {one.works[0].paper}" for one in people[:MOST_TOLD])
            rest = f"; and {len(people) - MOST_TOLD} more" if len(people) > MOST_TOLD else ""
            opening = f"{author.name} can be {len(people)} people: {told}{rest}. To follow one alone: "
            lines.append(text(opening, Span(_form(author, people[0]), code=True)))
    return lines


async def why_lines(query: Query, paper: Paper, engine: Engine) -> list[Text]:
    """Return, for each author of interests whose name is on a paper, which person of that name is meant there."""
    lines = []
    for author in query.authors[:MOST_ASKED]:
        if not any(names_agree(author.name, name) for name in paper.authors):
            continue
        people = await engine.people(author.name)
        here = person_of(people, paper.id)
        if here is not None:
            lines.append(_which(author, here, people))
    return lines


def _which(author: Author, here: Person, people: Sequence[Person]) -> Text:
    opening = f"{author.name} is here the one of {_described(here)}"
    if author.of:
        followed = person_of(people, author.of)
        return text(f"{opening}; " + ("the one who is followed." if followed is here else "somebody else is followed."))
    if len(people) == 1:
        return text(f"{opening}; nobody else of that name is known.")
    others = "1 other has" if len(people) == 2 else f"{len(people) - 1} others have"
    return text(f"{opening}; {others} that name. To follow this one alone: ", Span(_form(author, here), code=True))


def _form(author: Author, person: Person) -> str:
    return f'au:"{author.name}@{person.works[0].paper}"'


def _described(person: Person) -> str:
    """Return what tells a person from others: `12 papers in cs.CV and cs.LG, with Li Fei and Ann Bo`."""
    count = len(person.works)
    fields = f" in {join_names(person.fields)}" if person.fields else ""
    company = f", with {join_names(person.company)}" if person.company else ""
    return f"{count} {'paper' if count == 1 else 'papers'}{fields}{company}"
