"""What people can ask: text or typed options -> Command.

Slack's words behind `/papers` are parsed in `parsing.py`; Discord brings typed options and builds the same Commands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Options:
    """What can be said about a subscription besides its interests; None means not said.

    Attributes:
        at: local time of delivery.
        when_ready: as soon as the day's batch is in.
        by: with `when_ready`, the latest local time.
        timezone: IANA name.
        days: weekdays, Monday is 0.
        weekly: rank over seven days.
        top: at most so many papers.
        quiet: nothing when there is nothing.
        no_repeats: leave out what places beside this one were shown.
    """

    at: time | None = None
    when_ready: bool | None = None
    by: time | None = None
    timezone: str | None = None
    days: tuple[int, ...] | None = None
    weekly: bool | None = None
    top: int | None = None
    quiet: bool | None = None
    no_repeats: bool | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """`search QUERY`; `offset` hits were seen before."""

    query: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Today:
    """`today`."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`subscribe INTERESTS [options]`."""

    interests: str
    options: Options = field(default=Options())


@dataclass(frozen=True, slots=True)
class ListAll:
    """`list`."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """`unsubscribe N|all`; None means all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Pause:
    """`pause N`."""

    number: int


@dataclass(frozen=True, slots=True)
class Resume:
    """`resume N`."""

    number: int


@dataclass(frozen=True, slots=True)
class Edit:
    """`edit N [INTERESTS] [options]`; interests None means unchanged."""

    number: int
    interests: str | None = None
    options: Options = field(default=Options())


@dataclass(frozen=True, slots=True)
class Send:
    """`send N [DATE] [again]`; day None means today, on the subscription's calendar."""

    number: int
    day: date | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """`why ID`."""

    paper: str


@dataclass(frozen=True, slots=True)
class Similar:
    """`similar ID`."""

    paper: str


@dataclass(frozen=True, slots=True)
class Cite:
    """`cite ID`."""

    paper: str


@dataclass(frozen=True, slots=True)
class Saved:
    """`saved [bibtex|ris]`; `offset` papers were seen before."""

    form: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Taste:
    """`taste [reset]`."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Help:
    """`help`."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What interests would have delivered lately; asked by forms while they are filled in."""

    interests: str


@dataclass(frozen=True, slots=True)
class Show:
    """The card of one paper, as under a link to it; with `whole`, everything about it."""

    paper: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What somebody wants to know about a message that stands in a chat.

    Attributes:
        papers: ids of the papers in it, in order.
        words: what it says.
        action: `more` for papers like it, `why` for why one is there; the word of the button that does the same.
    """

    papers: tuple[str, ...]
    words: str = ""
    action: str = "more"


@dataclass(frozen=True, slots=True)
class Suggest:
    """Papers for what was typed of a title or an id so far; asked while it is being typed."""

    typed: str


@dataclass(frozen=True, slots=True)
class Press:
    """A button was pressed; see `message.Button`."""

    action: str
    value: str


Command: TypeAlias = (
    Search
    | Today
    | Subscribe
    | ListAll
    | Unsubscribe
    | Pause
    | Resume
    | Edit
    | Send
    | Why
    | Similar
    | Cite
    | Saved
    | Taste
    | Help
    | Preview
    | Show
    | About
    | Suggest
    | Press
)


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks something somewhere.

    Attributes:
        command: what; a str is text still to be parsed, as typed behind `/papers`.
        person: address of the asker (`slack:T123/U456`, `discord:@123`).
        place: address where it was asked and where a subscription would deliver to.
        private: the place is the person's own (a direct message).
        may_manage: whether the platform lets the person manage the place; None where the platform does not know.
        timezone: the person's zone where the platform tells it, IANA name.
        acknowledged_in: seconds from its arrival (or that of one before it) until the platform had our acknowledgement,
            where that was measured.
    """

    command: Command | str
    person: str
    place: str
    private: bool = False
    may_manage: bool | None = None
    timezone: str | None = None
    acknowledged_in: float | None = field(default=None, compare=False)
