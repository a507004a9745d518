"""Text -> Command: what is typed behind `/papers`, and typed options, read the same way.

The order of rules for a text:

1. The first word is the command; a word close to one is answered with the right form, anything else with the list.
2. For `subscribe` and `edit`, options stand at the end and are read from there, last word first, in any order; the
   first word from the end that belongs to no option ends them, and the rest is interests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, time
from difflib import get_close_matches
from functools import cache

from core.chat import commands as c
from core.digests.subscription import DAILY, WEEKDAYS, WEEKLY
from core.errors import UsageError
from core.zones import zone_names

MAX_TEXT = 4000
MAX_TOP = 50
EXPORTS = ("", "bibtex", "ris")
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_PREFIX = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*")
_TIME = re.compile(r"(\d{1,2})[:.](\d{2})")

FORMS: Mapping[str, str] = {
    "search": "/papers search QUERY",
    "today": "/papers today",
    "subscribe": "/papers subscribe INTERESTS [at HH:MM | when ready [by HH:MM]] [in Area/City|UTC] "
    "[daily|weekdays|mon,thu|weekly] [top N] [quiet]",
    "list": "/papers list",
    "unsubscribe": "/papers unsubscribe N|all",
    "pause": "/papers pause N",
    "resume": "/papers resume N",
    "edit": "/papers edit N [INTERESTS] [at HH:MM] [in Area/City|UTC] [days] [top N] [quiet] [no repeats|with repeats]",
    "send": "/papers send N [DATE] [again]",
    "why": "/papers why ID",
    "similar": "/papers similar ID",
    "cite": "/papers cite ID",
    "saved": "/papers saved [bibtex|ris]",
    "taste": "/papers taste [reset]",
    "help": "/papers help",
}


def parse_command(text: str) -> c.Command:
    """Read what was typed behind `/papers`; nothing at all means `help`.

    Raises:
        UsageError: with one sentence, and the closest right form as its hint.
    """
    if len(text) > MAX_TEXT:
        raise UsageError(f"That is {len(text):,} characters long; at most {MAX_TEXT:,} can be read.")
    word, _, rest = text.strip().partition(" ")
    name, rest = word.lower(), rest.strip()
    if not name:
        return c.Help()
    parser = _PARSERS.get(name)
    if parser is None:
        raise _unknown_command(word, rest)
    return parser(rest)


def options_from(
    *,
    at: str | None = None,
    when_ready: bool | None = None,
    timezone: str | None = None,
    days: str | None = None,
    top: int | None = None,
    quiet: bool | None = None,
    no_repeats: bool | None = None,
) -> c.Options:
    """Read typed options, each in the words of the text form; None means not said.

    Raises:
        UsageError: which option, which value, what is allowed.
    """
    limit = None if top is None else check_top(top)
    options = c.Options(when_ready=when_ready, top=limit, quiet=quiet, no_repeats=no_repeats)
    if at:
        moment = parse_time(at)
        options = replace(options, by=moment) if when_ready else replace(options, at=moment)
    if timezone:
        options = replace(options, timezone=parse_timezone(timezone))
    if days:
        numbers, weekly = parse_days(days)
        options = replace(options, days=numbers, weekly=weekly)
    return options


def parse_time(text: str) -> time:
    """Read a local time, `HH:MM` on the 24-hour clock; UsageError otherwise."""
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(f"{text!r} is not a time; write it as HH:MM between 00:00 and 23:59, as in at 08:30.")
    return time(int(match[1]), int(match[2]))


def parse_date(text: str) -> date:
    """Read a date, `YYYY-MM-DD`; UsageError otherwise."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text[:40]!r} is not a date; write it as 2026-11-23.") from None


def parse_timezone(text: str) -> str:
    """Read an IANA time zone whatever its case; UsageError with the nearest names otherwise."""
    known = {zone.lower(): zone for zone in zone_names()}
    wanted = text.strip().replace(" ", "_").lower()
    if zone := known.get(wanted):
        return zone
    cities = {zone.rpartition("/")[2]: zone for zone in known}
    near = get_close_matches(wanted, known, n=2, cutoff=0.7)
    near += [cities[city] for city in get_close_matches(wanted.rpartition("/")[2], cities, n=2, cutoff=0.75)]
    names = [known[zone] for zone in dict.fromkeys(near)][:2]
    hint = f"Did you mean {' or '.join(names)}?" if names else "Write it as in Europe/Berlin or UTC."
    raise UsageError(f"{text!r} is not a time zone.", hint=hint)


def parse_days(text: str) -> tuple[tuple[int, ...], bool]:
    """Read days: (weekday numbers ascending with Monday 0, whether it ranks over a week); UsageError otherwise."""
    word = text.strip().lower()
    named = {"daily": (DAILY, False), "weekdays": (WEEKDAYS, False), "weekly": (WEEKLY, True)}
    if word in named:
        return named[word]
    matches = [_DAY_PREFIX.fullmatch(part.strip()) for part in word.split(",")]
    if not all(matches):
        raise UsageError(f"{text!r} are not days; write daily, weekdays, weekly or names such as mon,thu.")
    return tuple(sorted({DAY_NAMES.index(match[1]) for match in matches if match})), False


def days_text(days: Sequence[int], *, weekly: bool) -> str:
    """Return days in the words of `parse_days`."""
    if weekly:
        return "weekly"
    named = {DAILY: "daily", WEEKDAYS: "weekdays"}
    return named.get(tuple(days)) or ",".join(DAY_NAMES[day] for day in days)


def split_options(text: str) -> tuple[str, c.Options]:
    """Split `INTERESTS [options]` into interests and Options, reading options from the end.

    Raises:
        UsageError: an option is there, and its value is not allowed, or contradicts another.
    """
    words = text.split()
    options = c.Options()
    while words:
        taken, found = _take_option(words, options)
        if not taken:
            break
        if any(said not in {None, getattr(found, name)} for name, said in asdict(options).items()):
            raise UsageError(f"'{' '.join(words[-taken:])}' contradicts what stands behind it; say it once.")
        options, words = found, words[:-taken]
    kept = len(words)
    return _first_words(text, kept), options


def _first_words(text: str, count: int) -> str:
    matches = list(re.finditer(r"\S+", text))[:count]
    return text[matches[0].start() : matches[-1].end()] if matches else ""


def _take_option(words: Sequence[str], options: c.Options) -> tuple[int, c.Options]:  # noqa: PLR0911 - one line an option
    """Read one option at the end of `words`: (how many words it takes, 0 for none; the options with it)."""
    last = words[-1].lower()
    before = words[-2].lower() if len(words) > 1 else ""
    if last == "quiet":
        return 1, replace(options, quiet=True)
    if last == "ready" and before == "when":
        return 2, replace(options, when_ready=True)
    if last == "repeats" and before in {"no", "with"}:
        return 2, replace(options, no_repeats=before == "no")
    if last in {"daily", "weekdays", "weekly"} or _is_day_list(last):
        numbers, weekly = parse_days(last)
        return 1, replace(options, days=numbers, weekly=weekly)
    if before == "top" and re.fullmatch(r"-?\d+", last):
        return 2, replace(options, top=check_top(int(last)))
    if before == "at" and _looks_like_time(last):
        return 2, replace(options, at=parse_time(last))
    if before == "by" and _looks_like_time(last) and [word.lower() for word in words[-4:-2]] == ["when", "ready"]:
        return 4, replace(options, when_ready=True, by=parse_time(last))
    if before == "in" and _looks_like_zone(words[-1]):
        return 2, replace(options, timezone=parse_timezone(words[-1]))
    return 0, options


def _is_day_list(word: str) -> bool:
    """Whether a word can only be days; a lone `sun` is a star and a lone `sat` a problem in logic."""
    parts = word.split(",")
    names = {*DAY_NAMES, *(day + "day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun"))}
    return all(part in names for part in parts) and word not in {"sun", "sat"}


def _looks_like_time(word: str) -> bool:
    return re.fullmatch(r"\d{1,2}([:.]\d*)?(am|pm)?", word) is not None


def _looks_like_zone(word: str) -> bool:
    """Whether a word behind `in` is meant as a zone: `Area/City` or a known name; "in vision" is interests."""
    # A city alone is asked about rather than taken for interests: a digest at the wrong hour is found out too late.
    return "/" in word or word.upper() in {"UTC", "GMT"} or word in zone_names() or word.lower() in _cities()


@cache
def _cities() -> frozenset[str]:
    areas = ("Africa", "America", "Asia", "Atlantic", "Europe", "Indian", "Pacific")
    return frozenset(zone.rpartition("/")[2].lower() for zone in zone_names() if zone.startswith(areas))


def check_top(number: int) -> int:
    """Return how many papers a digest has at most; UsageError where no digest has so many or so few."""
    if not 1 <= number <= MAX_TOP:
        raise UsageError(f"top {number} is not possible; a digest has between 1 and {MAX_TOP} papers.")
    return number


def _unknown_command(word: str, rest: str) -> UsageError:
    near = get_close_matches(word.lower(), FORMS, n=1, cutoff=0.6)
    if near:
        right = f"/papers {near[0]} {rest}".strip()
        return UsageError(f"There is no command {word[:40]!r}.", hint=f"Did you mean: {right[:200]}")
    return UsageError(
        f"There is no command {word[:40]!r}.",
        hint=f"To search, type: /papers search {f'{word} {rest}'.strip()[:160]} - and /papers help shows everything.",
    )


def _need(name: str, what: str) -> UsageError:
    return UsageError(f"{what} is missing.", hint=f"Write: {FORMS[name]}")


def _number(name: str, text: str) -> int:
    if not text:
        raise _need(name, "The number of the subscription")
    if not re.fullmatch(r"#?\d{1,6}", text):
        raise UsageError(f"{text[:40]!r} is not the number of a subscription.", hint=f"Write: {FORMS[name]}")
    return int(text.lstrip("#"))


def _parse_search(rest: str) -> c.Command:
    if not rest:
        raise _need("search", "What to search for")
    return c.Search(rest)


def _parse_subscribe(rest: str) -> c.Command:
    interests, options = split_options(rest)
    return c.Subscribe(interests, options)


def _parse_edit(rest: str) -> c.Command:
    number, _, changes = rest.partition(" ")
    interests, options = split_options(changes)
    return c.Edit(_number("edit", number), interests or None, options)


def _parse_send(rest: str) -> c.Command:
    number, *words = rest.split() or [""]
    again = bool(words) and words[-1].lower() == "again"
    words = words[: len(words) - again]
    if len(words) > 1:
        raise UsageError("send takes a number, a date and perhaps the word again.", hint=f"Write: {FORMS['send']}")
    return c.Send(_number("send", number), parse_date(words[0]) if words else None, again)


def _parse_unsubscribe(rest: str) -> c.Command:
    return c.Unsubscribe(None if rest.lower() == "all" else _number("unsubscribe", rest))


def _parse_saved(rest: str) -> c.Command:
    if (form := rest.lower()) not in EXPORTS:
        raise UsageError(f"{rest[:40]!r} is no form that saved papers can have.", hint=f"Write: {FORMS['saved']}")
    return c.Saved(form)


def _parse_taste(rest: str) -> c.Command:
    if rest.lower() not in {"", "reset"}:
        raise UsageError(f"{rest[:40]!r} is nothing that taste can do.", hint=f"Write: {FORMS['taste']}")
    return c.Taste(reset=bool(rest))


def _with_paper(name: str, make: Callable[[str], c.Command]) -> Callable[[str], c.Command]:
    def parse(rest: str) -> c.Command:
        if not rest:
            raise _need(name, "The paper's id")
        return make(rest)

    return parse


@dataclass(frozen=True, slots=True)
class _Bare:
    """A command without arguments; what follows it is a slip worth telling."""

    name: str
    command: c.Command

    def __call__(self, rest: str) -> c.Command:
        if rest:
            raise UsageError(f"{self.name} takes nothing behind it.", hint=f"Write: {FORMS[self.name]}")
        return self.command


_PARSERS: Mapping[str, Callable[[str], c.Command]] = {
    "search": _parse_search,
    "today": _Bare("today", c.Today()),
    "subscribe": _parse_subscribe,
    "list": _Bare("list", c.ListAll()),
    "unsubscribe": _parse_unsubscribe,
    "pause": lambda rest: c.Pause(_number("pause", rest)),
    "resume": lambda rest: c.Resume(_number("resume", rest)),
    "edit": _parse_edit,
    "send": _parse_send,
    "why": _with_paper("why", c.Why),
    "similar": _with_paper("similar", c.Similar),
    "cite": _with_paper("cite", c.Cite),
    "saved": _parse_saved,
    "taste": _parse_taste,
    "help": lambda _rest: c.Help(),
}
