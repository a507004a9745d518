"""Prints the part of the lock that running needs, hashes and all, without what only developers need.

With names as arguments, it prints the part that these need instead.

The lock tells below each pin what wants it; what leads from there to a dependency of the project is needed to run it.
"""  # noqa: INP001 - a script, run while an image is built

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"(?m)^([A-Za-z0-9._-]+)==")


def plain(name: str) -> str:
    """Return a package's name without extras, as indexes know it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[;<>=!~(]", name.strip(), maxsplit=1)[0]).lower()


def read_blocks(lock: str) -> Mapping[str, str]:
    """Return each pin of a lock with its hashes and comments, by name."""
    starts = [found.start() for found in _PIN.finditer(lock)] + [len(lock)]
    blocks = [lock[here:there] for here, there in pairwise(starts)]
    return {plain(block.partition("==")[0]): block for block in blocks}


def wanted_by(block: str) -> set[str]:
    """Return the names behind `# via`."""
    told = block.partition("# via")[2]
    return {plain(line.strip(" #")) for line in told.splitlines() if line.strip(" #")}


def needed(blocks: Mapping[str, str], roots: Iterable[str]) -> set[str]:
    """Return the names of what the roots need, themselves included."""
    found = {plain(root) for root in roots}
    parents = {name: wanted_by(block) for name, block in blocks.items()}
    while more := {name for name, by in parents.items() if name not in found and by & found}:
        found |= more
    return found


def main() -> int:
    """Print it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    blocks = read_blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    names = needed(blocks, sys.argv[1:] or project["dependencies"])
    sys.stdout.write("".join(block for name, block in blocks.items() if name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
