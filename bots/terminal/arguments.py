"""The command line's words: what can be typed, and what help says of it."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, _SubParsersAction
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = _SubParsersAction["_Parser"]

MAX_LIMIT = 1000
ARXIV_BEGAN = date(1991, 8, 14)


def read_date(text: str) -> date:
    """Read `YYYY-MM-DD` for argparse."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date; write it as 2026-11-23") from None


def read_since(text: str) -> date:
    """Read the day from which on to fetch for argparse: none before there was a source."""
    day = read_date(text)
    if day < ARXIV_BEGAN:
        raise ArgumentTypeError(f"{text} is before the first paper of arXiv; allowed is {ARXIV_BEGAN} or later")
    return day


def read_limit(text: str) -> int:
    """Read a number of papers for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise ArgumentTypeError(f"{text!r} is not possible; allowed is a whole number from 1 to {MAX_LIMIT}")
    return int(text)


class _Parser(ArgumentParser):
    """Knows that `-survey` is a word of the query language: options of ours have two dashes, all but -h."""

    def _parse_optional(self, arg_string: str) -> Any:
        is_word = arg_string[:1] == "-" and arg_string[1:2] not in {"", "-"} and arg_string != "-h"
        return None if is_word else super()._parse_optional(arg_string)


def make_parser() -> ArgumentParser:
    """Return the parser of the whole command line; it ends the process with 2 on wrong usage."""
    parser = _Parser(
        prog="paperboy",
        description="Reads the day's research papers and delivers the few that matter. `paperboy run` is the service.",
    )
    parser.add_argument("--version", action="version", version=f"paperboy {version('paperboy')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_service(commands)
    _add_reading(commands)
    _add_library(commands)
    _add_subscriptions(commands)
    _add_upkeep(commands)
    return parser


def _add_service(commands: Commands) -> None:
    run = commands.add_parser("run", help="the service: fetch, schedule, deliver, answer")
    run.add_argument("--only", metavar="NAME,...", help="only these platforms: slack, discord, email, web")
    _add_role(run, "what this process does; all but `all` need a database that processes share (DATABASE_URL)")


def _add_role(command: ArgumentParser, told: str) -> None:
    command.add_argument("--role", default="all", choices=["all", "bot", "worker", "fetch", "web"], help=told)


def _add_reading(commands: Commands) -> None:
    digest = commands.add_parser("digest", help="compose and print one digest; sends nothing")
    what = digest.add_mutually_exclusive_group()
    what.add_argument("--interests", metavar="Q", default="", help="in the query language; everything when left out")
    what.add_argument("--subscription", metavar="ID", help="the next digest of this subscription")
    digest.add_argument("--date", metavar="YYYY-MM-DD", type=read_date, help="of this day's lists (else the newest)")
    digest.add_argument("--format", choices=["text", "html", "json"], default="text")
    search = commands.add_parser("search", help="search the local library")
    search.add_argument("query", nargs="*", metavar="QUERY")
    search.add_argument("--limit", metavar="N", type=read_limit, default=10)
    search.add_argument("--json", action="store_true", help="print one JSON document")
    search.add_argument("--batch", metavar="FILE", type=Path, help="one query a line; needs --json")
    search.add_argument("--words", action="store_true", help="take queries as plain words, not as the query language")
    tried = commands.add_parser("backtest", help="what interests would have delivered over the last days")
    tried.add_argument("--interests", metavar="Q", required=True, help="in the query language, or ready-made")
    tried.add_argument("--days", metavar="N", type=read_limit, default=7, help="over so many days (7)")
    tried.add_argument("--json", action="store_true", help="print one JSON document")
    saved = commands.add_parser("saved", help="what a person marked 🔖, for a reference manager")
    saved.add_argument("person", metavar="ADDRESS", help="a person, such as slack:T123/U456 or discord:@789")
    saved.add_argument("--format", choices=["bibtex", "ris"], default="bibtex")
    why = commands.add_parser("why", help="why a paper was or was not delivered")
    why.add_argument("paper", metavar="PAPER", help="its id or address")
    why.add_argument("--subscription", metavar="ID", help="only for this subscription")


def _add_library(commands: Commands) -> None:
    fetch = commands.add_parser("fetch", help="fetch now")
    fetch.add_argument("--source", metavar="S", help="only this source")
    fetch.add_argument("--since", metavar="YYYY-MM-DD", type=read_since, help="also what was listed since this day")
    load = commands.add_parser("import", help="load papers in bulk; safe to repeat, safe to interrupt")
    load.add_argument("files", nargs="+", metavar="FILE", type=Path, help="JSON or JSON lines, .gz too")


def _add_subscriptions(commands: Commands) -> None:
    subscriptions = commands.add_parser("subscriptions", help="subscriptions from the shell")
    actions = subscriptions.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all, or those of one place")
    listing.add_argument("address", nargs="?", metavar="ADDRESS", help="a place, such as slack:T123/C456")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    add = actions.add_parser("add", help="subscribe a place")
    add.add_argument("address", metavar="ADDRESS", help="a place, such as slack:T123/C456 or discord:789")
    add.add_argument("words", nargs="*", metavar="INTERESTS [options]", help="as behind /papers subscribe")
    remove = actions.add_parser("remove", help="unsubscribe by id")
    remove.add_argument("ids", nargs="+", metavar="ID")
    export = actions.add_parser("export", help="write all as JSON lines")
    export.add_argument("file", nargs="?", metavar="FILE", type=Path, help="standard output when left out")
    load = actions.add_parser("import", help="read what export wrote; safe to repeat")
    load.add_argument("file", metavar="FILE", type=Path)


def _add_upkeep(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="check settings, tokens, reachability, disk; exit 1 if any fails")
    doctor.add_argument("--offline", action="store_true", help="leave out what asks outside")
    _add_role(doctor, "what the process does that these settings are for; what it does not need is not asked")
    stats = commands.add_parser("stats", help="the service's own figures: on-time, duplicates, failures, latency")
    stats.add_argument("--days", metavar="N", type=read_limit, default=14, help="of the last N days")
    stats.add_argument("--json", action="store_true", help="print one JSON document")
    backup = commands.add_parser("backup", help="write everything into one file, also while the service runs")
    backup.add_argument("file", metavar="FILE", type=Path, help="a file that is not there yet")
    restore = commands.add_parser("restore", help="put a backup into an empty data folder or database")
    restore.add_argument("file", metavar="FILE", type=Path, help="what backup wrote")
    migrate = commands.add_parser(
        "migrate", help="bring a data folder to this version, and seal it with the secret of now"
    )
    migrate.add_argument("--forget-sealed", action="store_true", help="forget what no secret opens any more")
    move = commands.add_parser("move", help="carry everything to another store")
    move.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help="an empty folder, as file:///srv/paperboy, or an empty database, as postgresql://...",
    )
