"""`python -m bots` and the console script `paperboy`."""

from __future__ import annotations

import sys

from bots.terminal.main import main

if __name__ == "__main__":
    sys.exit(main())
