"""`paperboy move`, `backup` and `restore` between folders and databases, as processes: also when they are killed."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.papers.library import LIBRARY_FILE, Library
from core.store import chests as c
from core.store.folders import is_free
from core.store.moving import fill_folder
from tests.chests import Given, whole_database, whole_folder
from tests.fakes import NOON, TODAY, make_change, make_delivery, make_mark, make_subscription
from tests.servers.sources import NOWHERE, addresses
from tests.shells import PAPERBOY, ROOT, Shell
from tests.worlds import make_record

pytestmark = pytest.mark.data_folder

SECRET = "s" * 64
SUBSCRIPTIONS, PAPERS = 1_500, 1_000
MOMENTS = (0.5, 0.75, 0.9)
"""Shares of the time that a whole run takes, after which it is killed."""


@pytest.fixture(scope="session")
def lot(tmp_path_factory):
    """A folder with enough in it for a kill to come in the midst of it; no test changes it."""
    folder = tmp_path_factory.mktemp("lot") / "data"
    kept = [replace(make_subscription(f"s{n}", f"slack:T1/C{n}"), number=1) for n in range(SUBSCRIPTIONS)]
    state = {
        **dict.fromkeys(c.STATE, ()),
        c.SUBSCRIPTIONS: kept,
        c.CHANGES: [make_change(f"subscribed {item.id}", item.address) for item in kept],
        c.DELIVERIES: [make_delivery(item.id, TODAY + timedelta(days=n), upto=n) for item in kept for n in range(2)],
        c.MARKS: [make_mark(paper=f"2611.{n:05}") for n in range(100)],
        c.SEALED: [c.Named("slack:T1", "sealed")],
    }
    fill_folder(Given(state), folder, lambda _done, _all: None)

    async def fill():
        library = await Library.open(folder / LIBRARY_FILE)
        await library.ingest([make_record(f"2611.{n:05}", f"Paper {n}") for n in range(PAPERS)], now=NOON)
        await library.close()

    asyncio.run(fill())
    (folder / "secret.key").write_text(SECRET, encoding="ascii")
    return folder


@pytest.fixture(scope="session")
def lot_whole(lot):
    return whole_folder(lot)


@pytest.fixture
def offline(tmp_path):
    return Shell(tmp_path, addresses(NOWHERE))


def run_killed(shell, seconds, *words, **environment):
    """Run a command, and kill it after a time, as a power cut would."""
    process = subprocess.Popen(
        [PAPERBOY, *words], cwd=shell.folder, env=shell.environment | environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(seconds)
    process.kill()
    process.wait()


def timed(shell, *words, **environment):
    """Run a command to its end; returns how many seconds it took."""
    begun = time.monotonic()
    done = shell.run(*words, **environment)
    assert done.code == 0, done.err
    return time.monotonic() - begun


def held_by(postgres, url):
    """What a database holds; nothing where it has no tables."""
    name = url.rpartition("/")[2]
    if not postgres.run("SELECT 1 FROM pg_tables WHERE tablename = 'paperboy_version'", name):
        return {}
    return {drawer: rows for drawer, rows in whole_database(url).items() if rows}


@pytest.fixture(scope="session")
def lot_url(lot, lot_whole, postgres, tmp_path_factory):
    """A database with all of it, and how long it took to come there; no test changes it."""
    url = postgres.new_database()
    shell = Shell(tmp_path_factory.mktemp("shell"), addresses(NOWHERE))
    seconds = timed(shell, "move", "--to", url, PAPERBOY_HOME=str(lot))
    assert held_by(postgres, url) == {drawer: rows for drawer, rows in lot_whole.items() if rows}
    return url, seconds


@pytest.mark.parametrize("share", MOMENTS[1:])
def test_a_move_into_a_database_can_be_killed_at_any_moment_and_repeated(
    offline, lot, lot_whole, lot_url, postgres, share
):
    url = postgres.new_database()
    words, home = ("move", "--to", url), {"PAPERBOY_HOME": str(lot)}
    run_killed(offline, lot_url[1] * share, *words, **home)
    whole = {drawer: rows for drawer, rows in lot_whole.items() if rows}
    assert held_by(postgres, url) in ({}, whole)
    done = offline.run(*words, **home)
    assert done.code == 0, done.err
    assert held_by(postgres, url) == whole
    assert whole_folder(lot) == lot_whole


@pytest.mark.parametrize(("share", "there"), [(0.6, False), (MOMENTS[-1], True)])
def test_a_move_into_a_folder_can_be_killed_at_any_moment_and_repeated(offline, lot_whole, lot_url, share, there):
    url, seconds = lot_url
    folder = offline.folder / "moved"
    if there:
        folder.mkdir()
    run_killed(offline, seconds * share, "move", "--to", str(folder), DATABASE_URL=url)
    assert is_free(folder) or whole_folder(folder) == lot_whole
    done = offline.run("move", "--to", str(folder), DATABASE_URL=url)
    assert done.code == 0, done.err
    assert whole_folder(folder) == lot_whole
    assert not (folder / ".unfinished").exists()


@pytest.mark.parametrize("share", MOMENTS[-1:])
def test_a_restore_into_a_database_can_be_killed_at_any_moment_and_repeated(
    offline, lot_whole, lot_backup, lot_url, postgres, share
):
    url = postgres.new_database()
    run_killed(offline, lot_url[1] * share, "restore", str(lot_backup), DATABASE_URL=url)
    whole = {drawer: rows for drawer, rows in lot_whole.items() if rows}
    assert held_by(postgres, url) in ({}, whole)
    done = offline.run("restore", str(lot_backup), DATABASE_URL=url)
    assert done.code == 0, done.err
    assert held_by(postgres, url) == whole
    assert [path.name for path in offline.home.iterdir()] == ["secret.key"]


@pytest.fixture(scope="session")
def lot_backup(lot, tmp_path_factory):
    """A backup of the folder."""
    shell = Shell(tmp_path_factory.mktemp("backup"), addresses(NOWHERE))
    file = shell.folder / "paperboy.tar.gz"
    timed(shell, "backup", str(file), PAPERBOY_HOME=str(lot))
    return file


def test_a_move_says_what_came_along_and_what_is_left_to_do(stocked, tmp_path, postgres):
    (stocked.home / "secret.key").write_text(SECRET, encoding="ascii")
    url = postgres.new_database()
    name = f"database {url.rpartition('/')[2]} at 127.0.0.1"
    done = stocked.run("move", "--to", url)
    assert done.code == 0, done.err
    first, second, third = done.out.splitlines()
    assert re.fullmatch(rf"Copied 5 papers, 1 subscription and 0 marks to {name}; read back, all \d+ rows .*", first)
    assert second == f"Set DATABASE_URL to its address to use it; {stocked.home} was left as it is."
    assert third.startswith(f"By hand: the secret in {stocked.home}/secret.key; set PAPERBOY_SECRET_KEY to it on every")
    assert stocked.run("move", "--to", url).out.startswith(f"{name} holds all of it already: 5 papers, ")
    back = tmp_path / "back"
    returned = stocked.run("move", "--to", str(back), DATABASE_URL=url)
    assert returned.code == 0
    assert f"Set PAPERBOY_HOME={back} to use it without DATABASE_URL; {name} was left as it is." in returned.out
    assert (back / "secret.key").read_text(encoding="ascii") == SECRET
    for question in ("subscriptions list", "search grokking"):
        answers = [stocked.run(*question.split(), PAPERBOY_HOME=str(home)).out for home in (stocked.home, back)]
        assert answers[0] == answers[1] != ""
    shared = stocked.run("search", "grokking", DATABASE_URL=url, PAPERBOY_HOME=str(tmp_path / "third"))
    assert shared.out == stocked.run("search", "grokking").out


def test_what_cannot_be_moved_is_one_sentence(stocked, postgres, lot_url, tmp_path):
    full, _ = lot_url
    empty = postgres.new_database()
    for words, environment, sentence in (
        (
            ["--to", full],
            {},
            r"holds something already \(1,500 subscriptions, 1,000 papers\), and nothing is",
        ),
        (["--to", full], {"DATABASE_URL": full}, "is the one in use; name another"),
        (["--to", str(tmp_path / "x")], {"DATABASE_URL": empty}, "holds nothing of paperboy's"),
        (["--to", empty], {"PAPERBOY_HOME": str(tmp_path / "none")}, "There is nothing in .*none to move"),
        (["--to", "postgresql://nobody@127.0.0.1:1/x"], {}, "The database x at 127.0.0.1 cannot be reached"),
    ):
        done = stocked.run("move", *words, **environment)
        assert done.code in {1, 2}
        assert done.out == ""
        assert re.search(sentence, done.complaint)


def test_a_folder_in_use_is_not_moved_and_a_database_in_use_with_a_warning(stocked, postgres, tmp_path):
    with stocked.start("run", "--only", "web") as service:
        service.page()
        refused = stocked.run("move", "--to", postgres.new_database())
        assert (refused.code, refused.out) == (1, "")
        assert "paperboy is already running on" in refused.complaint
        service.end()
    url = postgres.new_database()
    assert stocked.run("move", "--to", url).code == 0
    with stocked.start("run", "--only", "web", DATABASE_URL=url, PAPERBOY_HOME=str(tmp_path / "machine")) as service:
        service.page()
        done = stocked.run("move", "--to", str(tmp_path / "moved"), DATABASE_URL=url)
        assert done.code == 0, done.err
        assert "to the old database, and what is written there from now on is not carried: stop what runs" in done.out
        service.end()


def test_a_backup_of_either_store_goes_into_either(offline, lot, lot_whole, lot_url, lot_backup, postgres):
    (offline.home).mkdir()
    (offline.home / "secret.key").write_text(SECRET, encoding="ascii")
    of_database = offline.folder / "of-database.tar.gz"
    timed(offline, "backup", str(of_database), DATABASE_URL=lot_url[0])
    assert of_database.stat().st_mode & 0o777 == 0o600
    url, folder = postgres.new_database(), offline.folder / "restored"
    done = offline.run("restore", str(of_database), PAPERBOY_HOME=str(folder))
    assert done.out.startswith("Restored 1,000 papers, 1,500 subscriptions and 100 marks of ")
    assert whole_folder(folder) == lot_whole
    assert (folder / "secret.key").read_text(encoding="ascii") == SECRET
    done = offline.run("restore", str(lot_backup), DATABASE_URL=url)
    assert done.code == 0, done.err
    assert whole_database(url) == lot_whole
    again = offline.run("restore", str(of_database), DATABASE_URL=lot_url[0])
    assert again.code == 0  # all of it is there already


def test_a_restore_overwrites_neither_a_database_nor_a_secret(offline, lot_backup, stocked, postgres, tmp_path):
    url = postgres.new_database()
    stocked.run("subscriptions", "add", "slack:T1/C1", "kernels", DATABASE_URL=url)
    refused = stocked.run("restore", str(lot_backup), DATABASE_URL=url)
    assert (refused.code, refused.out) == (1, "")
    assert "holds something already (1 subscriptions, 0 papers)" in refused.complaint
    other = tmp_path / "other"
    other.mkdir()
    (other / "secret.key").write_text("x" * 64, encoding="ascii")
    empty = postgres.new_database()
    refused = offline.run("restore", str(lot_backup), DATABASE_URL=empty, PAPERBOY_HOME=str(other))
    assert "is another secret than the one that the backup was sealed with" in refused.complaint
    refused = offline.run("restore", str(lot_backup), DATABASE_URL=empty, PAPERBOY_SECRET_KEY="y" * 64)
    assert "PAPERBOY_SECRET_KEY is another: unset it to restore" in refused.complaint
    assert held_by(postgres, empty) == {}
    done = offline.run("restore", str(lot_backup), DATABASE_URL=empty, PAPERBOY_SECRET_KEY=SECRET)
    assert done.code == 0, done.err


# ---------------------------------------------------------------- the guide


def guide(heading):
    """The lines of a block that the guide shows below a heading."""
    text = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
    section = re.search(rf"(?ms)^### {heading}\n(.*?)(?=^##|\Z)", text)
    assert section is not None
    return re.findall(r"(?m)^    (.*)$", section[1])


@pytest.mark.parametrize("heading", ["Into a data folder", "Into a database"])
def test_yesterdays_backup_comes_up_on_a_new_machine_by_the_lines_of_the_guide(shell, stocked_home, postgres, heading):
    file = shell.folder / "yesterday.tar.gz"
    timed(shell, "backup", str(file), PAPERBOY_HOME=str(stocked_home))
    machine = shell.folder / "new machine"
    machine.mkdir()
    places = {
        "/backups/paperboy-2026-11-24.tar.gz": f"'{file}'",
        "/var/lib/paperboy": f"'{machine / 'data'}'",
        "postgresql://paperboy@db.example.org": f"postgresql://postgres@127.0.0.1:{postgres.port}",
    }
    *lines, last = guide(heading)
    assert last == "paperboy run"
    script = "\n".join(lines)
    for shown, real in places.items():
        script = script.replace(shown, real)
    programs = os.pathsep.join([str(Path(PAPERBOY).parent), str(postgres.programs), os.environ["PATH"]])
    done = shell.run("-ec", script, command=("bash",), PATH=programs)
    assert done.code == 0, done.err
    assert "Restored 5 papers, 1 subscription and 0 marks of " in done.out
    assert "grokking" in done.out
    exported = dict(re.findall(r"(?m)^export (\w+)='?([^'\n]*)'?$", script))
    with shell.start("run", "--only", "web", **exported) as service:
        service.page()
        assert shell.run("search", "grokking", **exported).out.startswith("2 of ")
        service.end()
    if "DATABASE_URL" in exported:
        postgres.run("DROP DATABASE paperboy WITH (FORCE)")
