"""`subscriptions`, `doctor`, `migrate` and `move` as processes."""

from __future__ import annotations

import json

import pytest

from tests.servers.sources import Refusal
from tests.shells import Shell


def ids(shell):
    return [item["id"] for item in shell.run("subscriptions", "list", "--json").json]


def test_a_subscription_is_added_listed_and_removed(shell):
    added = shell.run(
        "subscriptions", "add", "discord:789", "diffusion", "-survey", "at", "09:30", "in", "UTC", "daily"
    )
    assert (added.code, added.err) == (0, "")
    identifier = added.out.split()[0]
    assert "diffusion -survey" in added.out
    listed = shell.run("subscriptions", "list")
    assert listed.out.startswith(f"{identifier}  discord:789 #1  diffusion -survey  (at 09:30 in UTC, daily")
    assert "09:30 UTC)" in listed.out
    document = shell.run("subscriptions", "list", "--json")
    assert (document.err, document.out.count("\n")) == ("", 1)
    (kept,) = document.json
    assert (kept["id"], kept["address"], kept["interests"]) == (identifier, "discord:789", "diffusion -survey")
    assert kept["next"].endswith("09:30:00Z")
    assert shell.run("subscriptions", "list", "slack:T1/C1").out == "There is none for slack:T1/C1.\n"
    assert shell.run("subscriptions", "remove", identifier).out == "Removed 1.\n"
    assert shell.run("subscriptions", "list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mail:a@b.org", "grokking"), "Addresses are written slack:T123/C456, discord:789"),
        (("slack:", "grokking"), "is not an address"),
        (("slack:T1/C1", '"unclosed'), "This quote is unclosed"),
        (("slack:T1/C1", "x", "in", "Berlin/Europe"), "is not a time zone"),
    ],
)
def test_what_cannot_be_subscribed_is_wrong_usage_and_keeps_nothing(shell, words, sentence):
    done = shell.run("subscriptions", "add", *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert shell.run("subscriptions", "list", "--json").json == []


def test_interests_cannot_command_the_terminal_of_whoever_lists_them(shell):
    added = shell.run("subscriptions", "add", "slack:T1/C1", "gro\x1b[31mkking\udc9b\u202e\nforged")
    assert (added.code, added.err) == (0, "")
    listed = shell.run("subscriptions", "list").out
    assert listed.startswith(f"{added.out.split()[0]}  slack:T1/C1 #1  gro[31mkking forged  (at ")
    (kept,) = shell.run("subscriptions", "list", "--json").json
    assert kept["interests"] == "gro[31mkking forged"


def test_removing_one_that_is_not_there_removes_none(stocked):
    (identifier,) = ids(stocked)
    done = stocked.run("subscriptions", "remove", identifier, "nobody")
    assert (done.code, done.out) == (2, "")
    assert "There is no subscription nobody" in done.err
    assert ids(stocked) == [identifier]


@pytest.mark.data_folder
def test_subscriptions_go_from_one_folder_to_another_by_export_and_import(stocked, tmp_path):
    stocked.run("subscriptions", "add", "slack:T1/C1", "kernels", "weekly", "top", "3", "quiet")
    exported = tmp_path / "subscriptions.jsonl"
    assert stocked.run("subscriptions", "export", str(exported)).out == f"Wrote 2 to {exported}.\n"
    assert exported.read_text(encoding="utf-8") == stocked.run("subscriptions", "export").out
    elsewhere = str(tmp_path / "elsewhere")
    done = stocked.run("subscriptions", "import", str(exported), PAPERBOY_HOME=elsewhere)
    assert (done.code, done.out) == (0, "Imported 2; 0 were here already.\n")
    again = stocked.run("subscriptions", "import", str(exported), PAPERBOY_HOME=elsewhere)
    assert (again.code, again.out) == (0, "Imported 0; 2 were here already.\n")
    assert stocked.run("subscriptions", "list", PAPERBOY_HOME=elsewhere).out == stocked.run("subscriptions", "list").out


@pytest.mark.data_folder
def test_a_bad_line_of_an_export_costs_itself_alone(stocked, tmp_path):
    exported = tmp_path / "subscriptions.jsonl"
    (line,) = stocked.run("subscriptions", "export").out.splitlines()
    wrong = [{**json.loads(line), "id": "b", **change} for change in ({"interests": '"x'}, {"address": "fax:1"})]
    exported.write_text("\n".join(["nonsense", *map(json.dumps, wrong), line]), encoding="utf-8")
    done = stocked.run("subscriptions", "import", str(exported), PAPERBOY_HOME=str(tmp_path / "elsewhere"))
    assert (done.code, done.out) == (1, "Imported 1; 0 were here already.\n")
    assert [f"line {n}:" in said for n, said in enumerate(done.err.splitlines(), 1)] == [True, True, True]


def test_the_doctor_says_one_line_a_check_and_that_all_is_well(shell, sources):
    done = shell.run("doctor")
    assert (done.code, done.err) == (0, "")
    assert all(line.startswith("ok    ") for line in done.out.splitlines())
    for what in ("settings", "data folder", "service: not running", "library", "subscriptions: 0", "arXiv: answers at"):
        assert f"ok    {what}" in done.out
    assert len([path for path in sources.asked if path.startswith("/rss")]) == 1


def test_the_doctor_finds_the_source_that_fails(shell, sources):
    sources.faults["/hf"] = Refusal(403)
    done = shell.run("doctor")
    assert done.code == 1
    (bad,) = [line for line in done.out.splitlines() if not line.startswith("ok  ")]
    assert bad.startswith(f"FAIL  Hugging Face: has answered 403 ({sources.url}/hf/")


def test_an_offline_doctor_asks_nobody_and_knows_how_the_sources_stood(shell, sources):
    sources.faults["/hn"] = Refusal(404)
    assert shell.run("fetch").code == 1
    sources.asked.clear()
    done = shell.run("doctor", "--offline")
    assert done.code == 1
    assert sources.asked == []
    assert "ok    arXiv: answered last at" in done.out
    assert "FAIL  Hacker News: " in done.out
    assert "Hacker News: Hacker News" not in done.out


def test_the_doctor_says_when_others_can_read_the_secret(stocked):
    secret = stocked.home / "secret.key"
    secret.write_text("s" * 64, encoding="ascii")
    secret.chmod(0o640)
    stocked.home.chmod(0o755)
    assert f"FAIL  secret: others can read {secret}" in stocked.run("doctor", "--offline").out
    stocked.home.chmod(0o700)
    assert "FAIL  secret" not in stocked.run("doctor", "--offline").out
    stocked.home.chmod(0o755)
    secret.chmod(0o600)
    assert "FAIL  secret" not in stocked.run("doctor", "--offline").out


def test_the_doctor_says_that_the_folder_cannot_be_made(shell):
    in_the_way = shell.folder / "file"
    in_the_way.write_text("", encoding="utf-8")
    done = shell.run("doctor", "--offline", PAPERBOY_HOME=str(in_the_way / "data"))
    assert done.code == 1
    assert "FAIL  data folder" in done.out
    assert "PAPERBOY_HOME names another" in done.out


@pytest.mark.data_folder
def test_migrate_says_the_versions_and_changes_nothing_that_is_up_to_date(shell, stocked_home):
    assert "there is no library yet" in shell.run("migrate").out
    listed = shell.run("subscriptions", "list", PAPERBOY_HOME=str(stocked_home)).out
    done = shell.run("migrate", PAPERBOY_HOME=str(stocked_home))
    assert (done.code, done.err) == (0, "")
    assert "the library is at version" in done.out
    assert shell.run("subscriptions", "list", PAPERBOY_HOME=str(stocked_home)).out == listed


def test_move_carries_everything_and_leaves_the_old_folder_alone(stocked, tmp_path):
    target = tmp_path / "a new folder"
    (stocked.home / "secret.key").write_text("s" * 64, encoding="ascii")
    half = tmp_path / "a new folder.unfinished"
    half.mkdir()
    (half / "library.sqlite3").write_text("what a killed copy left", encoding="utf-8")
    done = stocked.run("move", "--to", target.as_uri())
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Copied 5 papers, 1 subscription and 0 marks to {target}; read back, all ")
    assert not half.exists()
    assert (target / "secret.key").read_text(encoding="ascii") == "s" * 64
    for command in (("subscriptions", "list"), ("digest",), ("search", "grokking")):
        assert stocked.run(*command, PAPERBOY_HOME=str(target)).out == stocked.run(*command).out
    assert ids(stocked)


def test_move_never_writes_over_anything(stocked, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear", encoding="utf-8")
    done = stocked.run("move", "--to", str(tmp_path / "full"))
    assert (done.code, done.out) == (1, "")
    assert "is not empty" in done.complaint
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("target", ["mysql://db/papers", "file://", ""])
def test_move_to_what_is_neither_a_folder_nor_a_database_is_wrong_usage(stocked, target):
    done = stocked.run("move", "--to", target)
    assert done.code == 2
    assert "allowed is a folder" in done.err


def test_move_to_the_folder_in_use_is_wrong_usage(stocked):
    assert stocked.run("move", "--to", str(stocked.home)).code == 2


@pytest.mark.data_folder
def test_move_into_an_empty_folder_that_exists(tmp_path, stocked_home, sources):
    shell = Shell(tmp_path, sources.environment)
    (tmp_path / "empty").mkdir()
    done = shell.run("move", "--to", str(tmp_path / "empty"), PAPERBOY_HOME=str(stocked_home))
    assert done.code == 0
    assert shell.run("search", "grokking", PAPERBOY_HOME=str(tmp_path / "empty")).out.startswith("2 of 2 papers")
