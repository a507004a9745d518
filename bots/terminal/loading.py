"""`fetch` and `import`: what fills the library from the shell."""

from __future__ import annotations

import sys
from argparse import Namespace

from bots.fetching import counted, outcome_lines
from bots.house import open_house
from bots.terminal.progress import show_progress
from bots.terminal.reading import write_out
from core.papers.bulk import import_file
from core.settings import Settings


async def fetch(arguments: Namespace, settings: Settings) -> int:
    """Fetch now; one line a source, exit code 1 when one did not answer."""
    async with open_house(settings, owner=True) as house:
        with show_progress("Fetching") as meter:
            outcomes = await house.fetcher().fetch(
                only=arguments.source,
                since=arguments.since,
                progress=lambda source, done, total: meter.update(done, total, source),
            )
    for line in outcome_lines(outcomes, settings):
        write_out(line)
    return 1 if any(outcome.failure for outcome in outcomes) else 0


async def load(arguments: Namespace, settings: Settings) -> int:
    """Import files; one line a file, exit code 1 when lines were bad."""
    bad = 0
    async with open_house(settings, owner=True) as house:
        for path in arguments.files:
            with show_progress(path.name) as meter:
                report = await import_file(path, house.library, now=house.clock(), progress=meter.update)
            for sentence in report.bad:
                print(f"paperboy: {sentence}", file=sys.stderr)
            bad += len(report.bad)
            write_out(f"{path}: {counted(report.read, 'paper')} read, {report.new:,} new, {report.changed:,} changed")
    return 1 if bad else 0
