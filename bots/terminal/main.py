"""`paperboy COMMAND`: reads the words, runs the command, tells every failure in one sentence.

Exit codes: 0 done; 1 it ran and something failed (said on stderr); 2 wrong usage or settings.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from bots.logs import log_uncaught, start_logging
from bots.terminal.arguments import make_parser
from bots.terminal.output import leave_output, open_closed_streams
from core.errors import PaperboyError, QueryError, SettingsError, UsageError
from core.search.query import point_at
from core.settings import Settings, read_settings

FAILED = 1
WRONG_USAGE = 2

Command: TypeAlias = Callable[[Namespace, Settings], Coroutine[Any, Any, int]]

# Imported only when called: `paperboy search` need not load a chat library.
COMMANDS: Mapping[str, str] = {
    "run": "bots.service:run",
    "digest": "bots.terminal.reading:digest",
    "search": "bots.terminal.reading:search",
    "saved": "bots.terminal.saved:saved",
    "backtest": "bots.terminal.trying:backtest",
    "why": "bots.terminal.reading:why",
    "fetch": "bots.terminal.loading:fetch",
    "import": "bots.terminal.loading:load",
    "subscriptions": "bots.terminal.listed:subscriptions",
    "doctor": "bots.terminal.doctor:doctor",
    "stats": "bots.terminal.stats:stats",
    "backup": "bots.terminal.backup:backup",
    "restore": "bots.terminal.backup:restore",
    "migrate": "bots.terminal.upkeep:migrate",
    "move": "bots.terminal.moving:move",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    open_closed_streams()
    arguments = make_parser().parse_args(argv)
    # Interests, addresses and marks are nobody else's on this machine to read.
    os.umask(0o077)
    # Our products of matrices are small: more threads than one wait for each other longer than they reckon, on a busy
    # machine many times as long. Read when numpy is loaded, which is later.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        settings = read_settings(os.environ)
        start_logging(settings, quiet=arguments.command != "run")
        return asyncio.run(_stoppable(_command(arguments.command)(arguments, settings)))
    except PaperboyError as error:
        print(f"paperboy: {explain(error)}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, (SettingsError, UsageError)) else FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("paperboy: stopped.", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        leave_output()  # whoever read it has gone, as `head` does
        return FAILED
    except Exception as error:  # noqa: BLE001 - nobody foresaw it; the log has it whole, without secrets
        log_uncaught(error)
        return FAILED


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    """Do a command's work until Ctrl-C, which is heard also in the moment in which the loop falls asleep.

    Python's own way is not, until something else wakes it: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # the next one interrupts at once
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, stop)
    return await work


def explain(error: PaperboyError) -> str:
    """Return an error for a person in a shell: the sentence, the place in a query, the right form."""
    lines = [str(error)]
    if isinstance(error, QueryError):
        lines.append(point_at(error))
    if isinstance(error, UsageError) and error.hint:
        lines.append(f"Write, for example: {error.hint}" if isinstance(error, QueryError) else error.hint)
    return "\n".join(lines)


def _command(name: str) -> Command:
    module, _, function = COMMANDS[name].partition(":")
    command: Command = getattr(import_module(module), function)
    return command
