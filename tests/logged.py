"""Logging as paperboy sets it up, for as long as a test looks; afterwards it is as before."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from bots.logs import start_logging
from core.settings import Settings


@contextmanager
def logging_to(stream: TextIO, *, quiet: bool = False, secrets: Any = None, **log: str) -> Iterator[logging.Logger]:
    """Log to a stream; `log` is the table of settings."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in ("core", "bots")}
    start_logging(Settings.model_validate({"log": log, "secrets": secrets or {}}), quiet=quiet, stream=stream)
    try:
        yield logging.getLogger("bots.test")
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], root.level = before[:2]
        for name, level in before[2].items():
            logging.getLogger(name).setLevel(level)


class Lines(io.StringIO):
    """What was logged as JSON."""

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]
