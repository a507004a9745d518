"""An image holds what running needs, by the hashes of the lock, and nothing that only developers need."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "runtime_lock.py"


def load():
    spec = importlib.util.spec_from_file_location("part_of_the_lock", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runtime_lock = load()


def closure(names):
    """What is installed here for these, as their own metadata tells."""
    found, waiting = set(), [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        key = (runtime_lock.plain(wanted.name), frozenset(wanted.extras))
        if key in found:
            continue
        found.add(key)
        for line in distribution(wanted.name).requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted.extras or {""}):
                waiting.append(requirement)
    return {name for name, _ in found}


def printed(*names):
    done = subprocess.run([sys.executable, SCRIPT, *names], capture_output=True, text=True, check=True)
    return done.stdout


def test_what_is_printed_is_what_the_dependencies_need_as_they_say_themselves():
    project = runtime_lock.tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = set(runtime_lock.read_blocks(printed()))
    assert names == closure(project["dependencies"])
    assert not names & {"pytest", "mypy", "ruff", "playwright", "pip-audit", "hypothesis"}


def test_every_pin_keeps_its_hashes():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, block in runtime_lock.read_blocks(printed("hatchling")).items():
        assert block in lock, name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), name


def test_names_are_read_without_what_stands_behind_them():
    assert [runtime_lock.plain(name) for name in ("discord.py>=2.7", "psycopg[binary,pool]<4", "A_b-C ; x")] == [
        "discord-py",
        "psycopg",
        "a-b-c",
    ]
