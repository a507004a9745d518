"""`make check` asks about vulnerabilities where somebody can be asked, and holds the lock's hashes everywhere."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
HASH = f"--hash=sha256:{'a' * 64}"


def load():
    spec = importlib.util.spec_from_file_location("audit_of_the_lock", ROOT / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


audit = load()


def answer(*items):
    return json.dumps({"dependencies": list(items), "fixes": []})


WELL = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "numpy", "skip_reason": "not found"}
ILL = {"name": "jinja2", "version": "3.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1", "3.2"]}]}
UNMENDED = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}


def test_the_lock_holds_a_hash_for_everything():
    assert audit.unhashed(LOCK) == []


@pytest.mark.parametrize(
    ("lock", "lacking"),
    [
        (f"# a comment\nhttpx==0.28.1 \\\n    {HASH}\n    # via paperboy\n", []),
        ("httpx==0.28.1\n    # via paperboy\n", ["httpx==0.28.1"]),
        (f"httpx>=0.28.1 \\\n    {HASH}\n", ["httpx>=0.28.1"]),
        (f"httpx==0.28.1 \\\n    {HASH}\nodd @ https://example.org/odd.whl\n", ["odd"]),
        ("--extra-index-url https://example.org\n", ["--extra-index-url"]),
        ("httpx==0.28.1 --hash=sha256:abc\n", ["httpx==0.28.1"]),
    ],
)
def test_a_pin_without_a_hash_is_found(lock, lacking):
    assert audit.unhashed(lock) == lacking


def test_what_is_known_fails_and_names_the_package_and_the_version_that_mends_it():
    code, lines = audit.verdict(audit.read_answer(answer(WELL, ILL, UNMENDED)), [])
    assert code == 1
    assert lines == ["audit: jinja2 3.0: PYSEC-1, mended in 3.1, 3.2", "audit: x 1: PYSEC-2, mended in no version"]


@pytest.mark.parametrize("body", ["", "ERROR: no route to host", "{}", "[]", answer(SKIPPED), answer()])
def test_where_nobody_can_be_asked_it_says_so_in_one_line_and_fails_nothing(body):
    code, lines = audit.verdict(audit.read_answer(body), [])
    assert code == 0
    assert lines == [
        "audit: nobody could be asked about vulnerabilities; requirements.lock holds a hash for everything"
    ]


def test_what_nobody_could_say_anything_about_is_named():
    code, (line,) = audit.verdict(audit.read_answer(answer(WELL, SKIPPED)), [])
    assert (code, line) == (0, "audit: nothing is known against 1 packages; nobody could say about numpy")


def test_a_missing_hash_fails_whoever_could_be_asked():
    code, lines = audit.verdict(audit.read_answer(answer(WELL)), ["httpx==1"])
    assert (code, lines) == (1, ["audit: httpx==1 has no hash in requirements.lock; run make lock"])


def test_an_audit_that_hangs_or_is_not_there_is_nobody(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text("import time; time.sleep(60)", encoding="utf-8")
    assert audit.ask(tmp_path, [sys.executable, str(script)], within=0.5) is None
    assert audit.ask(tmp_path, [str(tmp_path / "none")]) is None


def test_an_audit_is_asked_about_the_lock_alone_and_its_answer_is_read(tmp_path):
    script = tmp_path / "fake.py"
    told = answer(ILL)
    keep = f"import sys, pathlib; pathlib.Path({str(tmp_path / 'words')!r}).write_text(' '.join(sys.argv[1:]))"
    script.write_text(f"{keep}\nprint({told!r}); sys.exit(1)", encoding="utf-8")
    assert audit.ask(ROOT / "requirements.lock", [sys.executable, str(script)]).known
    words = (tmp_path / "words").read_text(encoding="utf-8")
    assert "--require-hashes --disable-pip" in words
    assert str(ROOT / "requirements.lock") in words


def test_make_check_runs_it():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(BIN)/python .ci/audit.py" in makefile.partition("\ncheck:")[2].partition("\n\n")[0]
