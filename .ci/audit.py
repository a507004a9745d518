"""Tells whether a locked dependency has a known vulnerability, as far as anybody can be asked; never waits for long.

Exit codes: 0 nothing is known against the lock, or nobody could be asked and the lock holds a hash for everything;
1 something is known, or the lock lacks a hash.
"""  # noqa: INP001 - a script, run by `make check`

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"
PIP_AUDIT = str(Path(sys.executable).with_name("pip-audit"))
EACH = "5"  # seconds for one answer
ALL = 90.0  # seconds for everything


@dataclass(frozen=True)
class Answer:
    """What pip-audit found out.

    Attributes:
        audited: how many packages were looked up.
        skipped: names of those nobody could say anything about.
        known: one line a vulnerability.
    """

    audited: int
    skipped: tuple[str, ...]
    known: tuple[str, ...]


def unhashed(lock: str) -> list[str]:
    """Return the pins of a lock that have no hash, and lines that pin no version at all."""
    lines = re.sub(r"\\\n\s*", " ", lock).splitlines()
    pins = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [line.split()[0] for line in pins if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]


def read_answer(body: str) -> Answer | None:
    """Return what pip-audit wrote as JSON; None where it wrote none, as when nobody answered it."""
    try:
        items = json.loads(body)["dependencies"]
        skipped = tuple(item["name"] for item in items if "skip_reason" in item)
        known = tuple(_told(item, found) for item in items for found in item.get("vulns", ()))
    except (ValueError, KeyError, TypeError):
        return None
    return Answer(len(items) - len(skipped), skipped, known)


def _told(item: dict[str, Any], found: dict[str, Any]) -> str:
    mended = ", ".join(found["fix_versions"]) or "no version"
    return f"{item['name']} {item['version']}: {found['id']}, mended in {mended}"


def verdict(answer: Answer | None, lacking: Sequence[str]) -> tuple[int, list[str]]:
    """Return the exit code and what to say."""
    if lacking:
        return 1, [f"audit: {name} has no hash in requirements.lock; run make lock" for name in lacking]
    if answer is None or not answer.audited:
        return 0, ["audit: nobody could be asked about vulnerabilities; requirements.lock holds a hash for everything"]
    if answer.known:
        return 1, [f"audit: {line}" for line in answer.known]
    said = f"audit: nothing is known against {answer.audited} packages"
    return 0, [f"{said}; nobody could say about {', '.join(answer.skipped)}" if answer.skipped else said]


def ask(lock: Path, command: Sequence[str] = (PIP_AUDIT,), within: float = ALL) -> Answer | None:
    """Ask pip-audit about a lock; None where no answer came in time."""
    words = ["-r", str(lock), "--require-hashes", "--disable-pip", "--timeout", EACH]
    words += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=within)  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_answer(done.stdout)


def main() -> int:
    """Audit the lock of this project."""
    lacking = unhashed(LOCK.read_text(encoding="utf-8"))
    code, lines = verdict(None if lacking else ask(LOCK), lacking)
    print("\n".join(lines))  # noqa: T201 - what it is for
    return code


if __name__ == "__main__":
    sys.exit(main())
