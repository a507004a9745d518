"""`fetch` and `import`: what fills the library from the shell."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import date

from bots.fetching import counted, odd_lines, outcome_line
from bots.house import open_house
from bots.terminal.catching_up import catch_up
from bots.terminal.output import write_out
from bots.terminal.progress import show_progress
from core.clock import system_clock
from core.errors import UsageError
from core.papers.bulk import identify, import_file
from core.settings import Settings


async def fetch(arguments: Namespace, settings: Settings) -> int:
    """Fetch now; one line a source, what looked odd on stderr; exit code 1 when one did not answer."""
    _check_since(arguments.since, system_clock().date())
    async with open_house(settings, owner=True) as house:
        with show_progress("Fetching") as meter:
            outcomes = await house.fetcher().fetch(
                only=arguments.source,
                since=arguments.since,
                progress=lambda source, done, total: meter.update(done, total, source),
            )
        for outcome in outcomes:
            for line in odd_lines(outcome):
                print(f"paperboy: {line}", file=sys.stderr)
            write_out(outcome_line(outcome, settings))
        await catch_up(house, obtain=True)
    return 1 if any(outcome.failure for outcome in outcomes) else 0


def _check_since(since: date | None, today: date) -> None:
    if since is not None and since > today:
        raise UsageError(f"--since: {since} has not come yet; allowed is a day up to today, {today}.")


async def load(arguments: Namespace, settings: Settings) -> int:
    """Import files; one line a file, exit code 1 when lines were bad."""
    bad = 0
    for path in arguments.files:
        identify(path)
    async with open_house(settings, owner=True) as house:
        for path in arguments.files:
            with show_progress(path.name) as meter:
                report = await import_file(path, house.library, now=house.clock(), progress=meter.update)
            for sentence in report.bad:
                print(f"paperboy: {sentence}", file=sys.stderr)
            if report.bad_count > len(report.bad):
                rest = counted(report.bad_count - len(report.bad), "more bad line")
                print(f"paperboy: {path}: ... and {rest}", file=sys.stderr)
            bad += report.bad_count
            before = f"; {counted(report.resumed, 'line')} had been done before" if report.resumed else ""
            counts = f"{counted(report.read, 'paper')} read, {report.new:,} new, {report.changed:,} changed"
            write_out(f"{path}: {counts}{before}")
        await catch_up(house, obtain=True)
    return 1 if bad else 0
