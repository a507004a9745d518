"""The house stands as CONTRIBUTING.md and README.md say, and goes on to."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bots import PLATFORMS
from bots.terminal.arguments import make_parser
from bots.terminal.main import COMMANDS
from core.chat.parsing import FORMS
from core.delivery.platform import Platform
from core.papers.sources import SOURCES, Source
from core.settings import SECRETS, Settings

ROOT = Path(__file__).parents[2]
SOURCE_FILES = sorted(path for wing in ("bots", "core") for path in (ROOT / wing).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# What only an edge may have: the way to files, to the network, to other processes, to chance.
OUTWARD = (
    *("apscheduler", "filelock", "fcntl", "gzip", "httpx", "io", "os", "pathlib", "random", "requests", "secrets"),
    *("shutil", "signal", "socket", "subprocess", "tempfile", "time", "urllib.request", "uuid"),
)
# What only an edge may call. A connection that was opened elsewhere is an argument like others.
OPENING = frozenset({"open", "sqlite3.connect", "datetime.now", "date.today", "datetime.utcnow", "input", "print"})


def named(path):
    return path.relative_to(ROOT).as_posix()


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and [ast.unparse(one) for one in node.args] != ["':memory:'"]:
            yield ast.unparse(node.func)


def is_outward(name):
    return any(name == one or name.startswith(f"{one}.") for one in OUTWARD)


def reaching_out():
    """Yield (module, what it reaches out with) for every module of the core that does not say that it is an edge."""
    for path in SOURCE_FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        edge = (ast.get_docstring(tree) or "").startswith("EDGE.")
        if path.is_relative_to(ROOT / "core"):
            found = {name for name in imports(tree) if is_outward(name)} | (set(calls(tree)) & OPENING)
            if not edge:
                yield named(path), found


def test_imports_keep_the_contracts():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_edges_reach_out_of_the_core():
    assert {name: what for name, what in reaching_out() if what} == {"core/clock.py": {"datetime.now"}}


@pytest.mark.parametrize("name", SOURCES)
def test_a_registered_source_is_there_and_answers_to_its_name(name):
    module, _, class_name = SOURCES[name].place.partition(":")
    assert getattr(import_module(module), class_name).name == name


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_registered_platform_is_there_answers_to_its_name_and_fills_the_port(name):
    module, _, class_name = PLATFORMS[name].partition(":")
    platform = getattr(import_module(module), class_name)
    assert platform.name == name
    for method, promised in inspect.getmembers(Platform, inspect.isfunction):
        if not method.startswith("_"):
            assert list(inspect.signature(getattr(platform, method)).parameters) == list(
                inspect.signature(promised).parameters
            ), method
    assert not platform.is_configured(Settings())


def test_every_command_can_be_typed_and_is_there():
    typed = {line.split()[0] for line in re.findall(r"(?m)^    ([a-z]+)\b", make_parser().format_help())}
    assert typed == set(COMMANDS)
    for place in COMMANDS.values():
        module, _, function = place.partition(":")
        assert inspect.iscoroutinefunction(getattr(import_module(module), function))


def steps(title):
    section = re.search(rf"(?ms)^## {title}$(.*?)(?=^## |\Z)", read("CONTRIBUTING.md"))
    assert section is not None
    return re.findall(r"(?ms)^\d\. (.*?)(?=^\d\. |\Z)", section[1].strip())


@pytest.mark.parametrize("title", ["Add a source", "Add a platform"])
def test_the_five_steps_name_what_is_there(title):
    assert len(steps(title)) == 5
    paths = re.findall(r"`((?:core|bots|tests|config|docs)/[^`]*)`", " ".join(steps(title)))
    assert paths
    for path in paths:
        real = Path(path.partition("NAME")[0])
        assert (ROOT / real).exists(), path


def test_the_steps_name_the_ports_and_registries_as_they_are():
    source, platform = " ".join(steps("Add a source")), " ".join(steps("Add a platform"))
    port = {name for name, _ in inspect.getmembers(Source) if not name.startswith("_")}
    assert set(re.findall(r"`([a-z]+)`", source)) - {"enabled"} == port
    assert "`SOURCES`" in source
    for word, place in {"PLATFORMS": "bots", "Secrets": "core.settings", "Request": "core.chat.commands"}.items():
        assert f"`{word}`" in platform
        assert hasattr(import_module(place), word)
    for word in ("Message", "DeliveryFailure"):
        assert f"`{word}`" in platform


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_of_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_in_documents_can_be_typed(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"(?m)(?:^    |`)make (\w+)", text):
        assert re.search(rf"(?m)^{target}:", read("Makefile")), target
    for line in re.findall(r"(?m)(?:^    \S*|[`/=])paperboy ([a-z][^`\n]*)", text):
        words = [word.replace("PAPER", "2310.01234") for word in shlex.split(line)]
        assert make_parser().parse_args(words).command in COMMANDS, line


def test_the_readme_shows_every_form_of_a_slash_command():
    shown = read("README.md").replace("\\|", "|")
    subscribe = FORMS["subscribe"].removeprefix("/papers ")
    assert subscribe in shown
    for form in FORMS.values():
        word = form.split()[1]
        assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", shown), form


def test_the_readme_names_secrets_that_exist():
    named_there = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", re.search(r"(?ms)^## Settings$.*?^## ", read("README.md"))[0]))
    assert named_there - {"PAPERBOY_CONFIG", "PAPERBOY_HOME"} <= set(SECRETS)


def locked():
    text = re.sub(r"\\\n\s*", " ", read("requirements.lock"))
    pins = re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)(.*)$", text)
    return {re.sub(r"[-_.]+", "-", name).lower(): (version, rest) for name, version, rest in pins}


def test_the_lock_pins_every_dependency_with_hashes_and_within_its_bounds():
    project = PROJECT["project"]
    pins = locked()
    for line in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        wanted = Requirement(line)
        version, rest = pins[re.sub(r"[-_.]+", "-", wanted.name).lower()]
        assert wanted.specifier.contains(version), line
        assert "--hash=sha256:" in rest, line
    assert [name for name, (_, rest) in pins.items() if "--hash=sha256:" not in rest] == []


def test_make_and_ci_install_only_what_is_locked():
    makefile = read("Makefile")
    for line in re.findall(r"pip install .*", makefile):
        assert "--require-hashes -r requirements.lock" in line or "--no-deps" in line
    for target in ("run", "test", "check", "bench"):
        assert re.search(rf"(?m)^{target}: install$", makefile), target
    script = read(".ci/run")
    assert script.index("make test") < script.index("make check")


def test_no_test_patches_and_nothing_is_left_to_do():
    marks = "TODO|FIXME|XXX", r"unittest\.mock|monkeypatch\.setattr|mocker\b|\bpatch\("
    for path in SOURCE_FILES:
        assert not re.search(rf"\b({marks[0]})\b", path.read_text(encoding="utf-8")), named(path)
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__).resolve():
            assert not re.search(marks[1], path.read_text(encoding="utf-8")), named(path)


def test_tests_are_at_least_as_long_as_what_they_hold():
    def lines(paths):
        return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)

    assert lines((ROOT / "tests").rglob("*.py")) >= lines(SOURCE_FILES)
