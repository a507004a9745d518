"""What a process that others are forked off has imported: every command, and the platforms of `paperboy run`."""

from __future__ import annotations

import os
from importlib import import_module

from bots import PLATFORMS
from bots.terminal.main import COMMANDS

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `main` sets it before anything loads numpy
for place in (*COMMANDS.values(), *PLATFORMS.values()):
    import_module(place.partition(":")[0])
