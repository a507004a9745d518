"""All figures that take no more than a minute or two: `make bench`, or `python -m tests.benchmarks NAME...`.

Each `bench_*.py` here prints its own and never judges them; those that need recorded papers say so and skip.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


def main() -> int:
    """Run them one after the other, each in a process of its own; returns how many failed."""
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    wanted = sys.argv[1:] or known
    if unknown := sorted(set(wanted) - set(known)):
        print(f"There is no {', '.join(unknown)}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        print(f"== {name}", flush=True)
        module = f"tests.benchmarks.bench_{name}"
        failed += bool(subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode)
    return failed


if __name__ == "__main__":
    sys.exit(main())
