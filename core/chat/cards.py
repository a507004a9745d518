"""A paper -> the card that people read: pure, and the same for every platform."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from core.chat.latex import to_unicode
from core.chat.message import Button, Card, Link
from core.digests.trend import readings_of
from core.papers.paper import Paper, Signal

NAMED_AUTHORS = 3
SUMMARY_LENGTH = 280
SHORTEST_SUMMARY = 120
WHY_LENGTH = 80
TITLE_LENGTH = 300
FACT_LENGTH = 80
BUTTON_VALUE_LENGTH = 80  # see message.Button
HUGGING_FACE = "huggingface"

# A sentence ends at a mark with a blank behind it, unless what comes before is an abbreviation or an initial.
_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\bcf)(?<!\bFig)(?<!\b[A-Z])[.!?][)”\"']?(?=\s)"
)
_JOINER = "\u200d"
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def card_of(paper: Paper, *, why: str = "", buttons: bool = True, now: datetime) -> Card:
    """Make the card of a paper.

    Args:
        paper: the paper, with its newest signals.
        why: why it is here, as `why_line` makes it.
        buttons: whether readers can mark it there.
        now: a date that lies ahead of it is a mistake, and is not shown (aware).
    """
    return Card(
        paper=paper.id,
        title=shorten(_readable(to_unicode(paper.title)), TITLE_LENGTH) or paper.id,
        url=page_address(paper),
        byline=_readable(byline(paper.authors)),
        facts=_facts(paper, now),
        why=shorten(why, WHY_LENGTH),
        summary=_readable(opening(to_unicode(paper.abstract))),
        links=tuple(_links(paper)),
        buttons=_buttons(paper) if buttons else (),
    )


def _readable(text: str) -> str:
    """Take out the marks that turn the direction of what follows: a title must not rewrite the line it stands in."""
    return _TURNING.sub("", text)


def page_address(paper: Paper) -> str:
    """Return the address of the abstract page, else of the DOI, else nothing."""
    if paper.is_arxiv:
        return f"https://arxiv.org/abs/{paper.id}"
    return f"https://doi.org/{quote(paper.doi.strip(), safe='/():;.-_')}" if paper.doi.strip() else ""


def byline(authors: Sequence[str]) -> str:
    """Name three authors and count the rest; one that a source lists twice counts once."""
    names = list(dict.fromkeys(filter(None, map(to_unicode, authors))))
    if not names:
        return "no authors listed"
    rest = len(names) - NAMED_AUTHORS
    return ", ".join(names[:NAMED_AUTHORS]) + (f" + {rest:,} more" if rest > 0 else "")


def opening(abstract: str) -> str:
    """Return the whole sentences that open an abstract, or its first words with "…" where the first runs too long."""
    if len(abstract) <= SUMMARY_LENGTH:
        return abstract
    ends = [match.end() for match in _SENTENCE_END.finditer(abstract, 0, SUMMARY_LENGTH + 1)]
    if ends and ends[-1] >= SHORTEST_SUMMARY:
        return abstract[: ends[-1]]
    return shorten(abstract, SUMMARY_LENGTH)


def signal_words(paper: Paper, now: datetime) -> str:
    """Say the upvotes, and today's part of them where an earlier reading tells it.

    "41 upvotes on Hugging Face, 12 of them today": the growth since the last reading from before today (UTC). Without
    such a reading nothing is said of today.
    """
    readings = [signal for signal in paper.signals if signal.name == "upvotes" and signal.at <= now]
    latest = max(readings, key=lambda signal: signal.at, default=None)
    if latest is None or latest.value < 1:
        return ""
    total = int(latest.value)
    words = f"{total:,} upvote{'' if total == 1 else 's'} on Hugging Face"
    return words + _growth(latest, readings, now)


def trend_words(paper: Paper, now: datetime) -> list[str]:
    """Say each reading of interest that the trend is made of, the most telling first; nothing of those it lacks."""
    readings = readings_of(paper, now)
    told = [signal_words(paper, now)]
    if (points := readings.get("points", 0)) >= 1:
        told.append(f"{points:,.0f} point{'s' if points >= 2 else ''} on Hacker News")
    if "trending" in readings:
        told.append(f"number {-readings['trending']:,.0f} of Hugging Face's trending papers")
    if (stars := readings.get("stars", 0)) >= 1:
        told.append(f"its code gained {stars:,.0f} star{'s' if stars >= 2 else ''}")
    return [words for words in told if words]


def _growth(latest: Signal, readings: Iterable[Signal], now: datetime) -> str:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before = max((signal for signal in readings if signal.at < midnight), key=lambda signal: signal.at, default=None)
    if before is None or latest.at < midnight:
        return ""
    grown = int(latest.value) - int(before.value)
    if grown <= 0:
        return ""
    return f", {'all' if grown == int(latest.value) else f'{grown:,}'} of them today" if latest.value > 1 else ", today"


def why_line(parts: Iterable[str]) -> str:
    """Join reasons by " · " within 80 characters: whole reasons first, then one shortened at a word."""
    line = ""
    for part in filter(None, (part.strip() for part in parts)):
        longer = f"{line} · {part}" if line else part
        if len(longer) > WHY_LENGTH:
            return line or shorten(part, WHY_LENGTH)
        line = longer
    return line


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters, cut at a word where one is near, with "…" where something was cut.

    A letter is never parted from its accents, and an emoji never from its parts.
    """
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - 1
    blank = text.rfind(" ", end // 2, end + 1)
    end = blank if blank > 0 else _boundary(text, end)
    return text[:end].rstrip(" ,;:–—-") + "…"  # noqa: RUF001 - dashes of print are meant


def _boundary(text: str, end: int) -> int:
    """Return the last place at or before `end` that parts no grapheme (combining marks, joined emoji)."""
    while end > 0 and (
        unicodedata.combining(text[end])
        or unicodedata.category(text[end]) in {"Mn", "Me"}
        or text[end] == _JOINER
        or text[end - 1] == _JOINER
        or "\U0001f3fb" <= text[end] <= "\U0001f3ff"
    ):
        end -= 1
    return end


def _facts(paper: Paper, now: datetime) -> str:
    place = to_unicode(paper.journal_ref) or next(iter(paper.categories), "")
    when = paper.published
    day = f"{when.day} {when:%b %Y}" if when is not None and when - now < timedelta(days=1) else ""
    return " · ".join(filter(None, (shorten(place, FACT_LENGTH), day)))


def _links(paper: Paper) -> Iterator[Link]:
    if paper.is_arxiv:
        yield Link("arXiv", f"https://arxiv.org/abs/{paper.id}")
        yield Link("PDF", f"https://arxiv.org/pdf/{paper.id}")
    elif address := page_address(paper):
        yield Link("DOI", address)
    if paper.is_arxiv and HUGGING_FACE in paper.sources:
        yield Link("Hugging Face", f"https://huggingface.co/papers/{paper.id}")
    if is_web_address(paper.code_url):
        stars = paper.latest("stars")
        yield Link(f"Code ★ {_count(int(stars))}" if stars else "Code", paper.code_url)
    if is_web_address(paper.project_url):
        yield Link("Project", paper.project_url)


def is_web_address(address: str) -> bool:
    """Whether a link may lead there: http or https with a host, and nothing that breaks out of markup."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    clean = address.isprintable() and not set(address) & set(" <>\"'`|\\")
    return clean and parts.scheme in {"http", "https"} and bool(parts.hostname)


def _count(number: int) -> str:
    if number < 1_000:
        return str(number)
    scaled, unit = (number / 1_000, "k") if number < 999_950 else (number / 1_000_000, "M")
    return f"{scaled:.1f}".removesuffix(".0") + unit


def _buttons(paper: Paper) -> tuple[Button, ...]:
    if len(paper.id) > BUTTON_VALUE_LENGTH:
        return ()
    words = (("👍", "up"), ("👎", "down"), ("🔖", "save"), ("More like this", "more"), ("Details", "details"))
    return tuple(Button(label, action, paper.id) for label, action in words)
