"""What is logged: one line a decision, to stderr, without anything that is secret or somebody's.

A line tells the time (UTC), the level, the part of paperboy, the sentence, and what it belongs to: `request` (a command
or a page, eight letters) and `delivery` (`subscription/YYYY-MM-DD`). Where stderr is no terminal, the service writes
each as one JSON document.

Who writes a line leaves secrets, mail addresses and people's words out of it. What slips through, as in an error of
somebody else's library, is taken out here.
"""

from __future__ import annotations

import copy
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from core.settings import Settings
from core.traces import DELIVERY, REQUEST

SECRET = "[secret]"  # noqa: S105 - stands where one stood
KEPT_BACK: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\bxox[a-z](?:\.xox[a-z])?-[\w-]+|\bxapp-[\w-]+", SECRET),  # Slack's tokens
        (r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}", SECRET),  # Discord's
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}", rf"\1 {SECRET}"),
        (r"(://)[^/\s@:]{0,200}:[^/\s@]{0,200}@", rf"\1{SECRET}@"),
        (r"(hooks\.slack\.com/)\S+|(/webhooks/\d+/)[\w-]+", rf"\1\2{SECRET}"),
        (r"(/(?:digest|email/\w+)/)[\w.-]{20,}", rf"\1{SECRET}"),  # our own signed links
        (r"([?&](?:q|query|search_query|interests|email)=)[^&\s]+", r"\1[words]"),
        # Looked for where a word begins alone, so that a long text without any costs no more than its length.
        (r"(?<![^\s@<>\"'(),;:=])[^\s@<>\"'(),;:=]+@(?:[\w-]+\.)+[^\W\d_]{2,}", "[mail address]"),
    )
)
FIELDS = ("time", "level", "part", "request", "delivery", "message", "exception", "stack")


def start_logging(settings: Settings, *, quiet: bool, stream: TextIO | None = None) -> None:
    """Send log lines to stderr; other people's libraries speak only when something is wrong.

    Args:
        settings: whose `[log]` says how; whose secrets are taken out.
        quiet: for commands, which speak for themselves: warnings alone, as text unless JSON is asked for.
        stream: where to, when that is not stderr.
    """
    stream = stream or sys.stderr
    asked = settings.log.format
    as_json = asked == "json" or (asked == "auto" and not quiet and not stream.isatty())
    lines = _Lines(stream, make_redact(settings))
    lines.setFormatter(_JsonLines() if as_json else _TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[lines], force=True)
    logging.captureWarnings(capture=True)
    level = logging.WARNING if quiet else settings.log.level.upper()
    for ours in ("core", "bots"):
        logging.getLogger(ours).setLevel(level)


def log_uncaught(error: Exception) -> None:
    """Log an error that nobody foresaw, whole."""
    logging.getLogger(__name__).critical("paperboy stumbled and ends", exc_info=error)


def make_redact(settings: Settings) -> Callable[[str], str]:
    """Return what takes secrets, mail addresses and searched words out of a text."""
    values = (getattr(settings.secrets, name) for name in type(settings.secrets).model_fields)
    told = (line.strip() for value in values if value is not None for line in value.get_secret_value().splitlines())
    known = {line for line in told if line}
    longest_first = sorted(known, key=len, reverse=True)  # one may be part of another

    def redact(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, SECRET)
        for pattern, instead in KEPT_BACK:
            text = pattern.sub(instead, text)
        return text

    return redact


class _Lines(logging.StreamHandler[TextIO]):
    """Writes records: what they belong to is added, and what must not be told is taken out of a copy."""

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        super().__init__(stream)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        told = copy.copy(record)
        told.msg, told.args = self._redact(_sentence(record)), None
        if told.exc_info:
            told.exc_text = logging.Formatter().formatException(told.exc_info)
        told.exc_text = self._redact(told.exc_text) if told.exc_text else None
        told.exc_info = None
        told.stack_info = self._redact(told.stack_info) if told.stack_info else None
        told.request, told.delivery = REQUEST.get(), DELIVERY.get()
        return super().format(told)


def _sentence(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # somebody's arguments do not fit their sentence, which is worth more than none
        return f"{record.msg} {record.args}"


class _TextLines(logging.Formatter):
    """One line to read: the delivery stands in its sentence, the request behind it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = "".join(char if char.isprintable() else " " for char in record.message)
        belongs = f" [{name}]" if (name := getattr(record, "request", "")) else ""
        return f"{super().formatMessage(record)}{belongs}"


class _JsonLines(JsonFormatter):
    """One JSON document a line."""

    def __init__(self) -> None:
        names = {
            "asctime": "time",
            "levelname": "level",
            "name": "part",
            "exc_info": "exception",
            "stack_info": "stack",
        }
        super().__init__(
            ["asctime", "levelname", "name", "request", "delivery", "message"],
            rename_fields=names,
            json_ensure_ascii=True,  # else U+2028 and its like would break the line for some readers
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return _known_fields(log_data, FIELDS)


def _known_fields(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what was filled of the fields we know; nobody has looked through what other libraries add."""
    return {name: data[name] for name in names if data.get(name)}
