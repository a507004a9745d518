"""The commands with DATABASE_URL: the state lies in PostgreSQL, and changing it needs no data folder of one's own."""

from __future__ import annotations

import json
import re

import pytest

from tests.servers.postgres import PostgresServer
from tests.shells import Shell


@pytest.fixture
def shell(tmp_path, sources, database_url):
    return Shell(tmp_path, {**sources.environment, "DATABASE_URL": database_url})


def test_subscriptions_are_kept_in_the_database_whatever_the_folder(shell, tmp_path):
    added = shell.run("subscriptions", "add", "discord:789", "diffusion", "-survey", "at", "09:30", "in", "UTC")
    assert (added.code, added.err) == (0, "")
    identifier = added.out.split()[0]
    elsewhere = str(tmp_path / "elsewhere")
    (kept,) = shell.run("subscriptions", "list", "--json", PAPERBOY_HOME=elsewhere).json
    assert (kept["id"], kept["address"], kept["interests"]) == (identifier, "discord:789", "diffusion -survey")
    assert shell.run("subscriptions", "remove", identifier, PAPERBOY_HOME=elsewhere).out == "Removed 1.\n"
    assert shell.run("subscriptions", "list").out == "No subscriptions yet.\n"


def test_the_service_runs_on_a_database_while_others_change_it(shell):
    with shell.start("run") as service:
        service.page()
        added = shell.run("subscriptions", "add", "slack:T1/C1", "grokking")
        assert (added.code, added.err) == (0, "")
        assert shell.run("subscriptions", "list").out.startswith(added.out.split()[0])
        ended = service.end()
    assert ended.code == 0


def test_migrate_brings_a_database_to_this_version_and_says_so(shell, postgres):
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    done = shell.run("migrate", DATABASE_URL=url)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"The database {name} at 127.0.0.1 went from version none to ")
    assert f"The database {name} at 127.0.0.1 is at version" in shell.run("migrate", DATABASE_URL=url).out


def test_whoever_only_reads_leaves_an_empty_database_as_it_is_and_says_what_makes_a_schema(shell, postgres):
    empty = postgres.new_database()
    found, doctor = (shell.run(*words, DATABASE_URL=empty) for words in (["search", "x"], ["doctor", "--offline"]))
    assert (found.code, found.out) == (1, "")
    assert "has no schema of paperboy's yet; `paperboy migrate` or `paperboy run` makes it" in found.complaint
    assert (doctor.code, "FAIL  database: The database" in doctor.out) == (1, True)
    tables = "SELECT count(*) FROM pg_class WHERE relname ~ 'paperboy|procrastinate|library'"
    assert postgres.run(tables, empty.rpartition("/")[2]) == [(0,)]


def test_what_is_imported_on_one_machine_is_found_on_another(shell, tmp_path):
    papers = tmp_path / "papers.jsonl"
    lines = [{"id": f"x:{n}", "title": f"Grokking {n}", "abstract": "Delayed."} for n in range(3)]
    papers.write_text("\n".join(map(json.dumps, lines)))
    done = shell.run("import", str(papers))
    assert (done.code, done.out) == (0, f"{papers}: 3 papers read, 3 new, 0 changed\n")
    found = shell.run("search", "grokking", "--json", PAPERBOY_HOME=str(tmp_path / "elsewhere"))
    assert (found.code, len(found.json["hits"])) == (0, 3)


def test_a_search_without_the_database_reads_the_copy_and_says_so(shell, tmp_path):
    papers = tmp_path / "papers.jsonl"
    papers.write_text(json.dumps({"id": "x:1", "title": "Grokking", "abstract": ""}))
    with PostgresServer() as server:
        url = server.new_database()
        assert shell.run("import", str(papers), DATABASE_URL=url).code == 0
    found, listed = (
        shell.run(*words, DATABASE_URL=url) for words in (["search", "grokking"], ["subscriptions", "list"])
    )
    assert found.code == 0
    assert "Grokking" in found.out
    assert "Papers are read from this machine's copy" in found.err
    assert (listed.code, "cannot be reached" in listed.err.splitlines()[-1]) == (1, True)


def test_a_database_of_another_version_is_refused_in_one_sentence(shell, postgres, database_url):
    postgres.run("UPDATE paperboy_version SET version_num = '0001'", database_url.rpartition("/")[2])
    done = shell.run("subscriptions", "list")
    assert (done.code, done.out) == (1, "")
    assert "run `paperboy migrate`" in done.complaint


def test_the_doctor_tells_how_the_database_is(shell):
    done = shell.run("doctor", "--offline")
    (line,) = [line for line in done.out.splitlines() if "database" in line]
    assert re.match(r"ok    database: PostgreSQL 1\d\S*, schema 000\d, answers in [\d.]+ ms, clocks [+-]\d", line)
    assert re.search(r"\d+ of 200 connections taken, 10 for each process at most$", line)


def test_the_doctor_asks_nothing_that_a_role_does_not_need(shell):
    tokens = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "PAPERBOY_SLACK__API_URL": "http://127.0.0.1:1/",
    }
    away = {**tokens, "PAPERBOY_ARXIV__RSS_URL": "http://127.0.0.1:1", "HF_ENDPOINT": "http://127.0.0.1:1"}
    fetch, bot = (shell.run("doctor", "--role", role, **away).out for role in ("fetch", "bot"))
    assert ("FAIL  arXiv" in fetch, "slack" in fetch) == (True, False)
    assert ("arXiv" in bot, "FAIL  slack" in bot) == (False, True)


def test_the_doctor_tells_that_the_database_is_away_and_not_its_password(shell):
    done = shell.run("doctor", "--offline", DATABASE_URL="postgresql://me:hush@127.0.0.1:1/papers")
    assert done.code == 1
    assert "FAIL  database: The database papers at 127.0.0.1 cannot be reached" in done.out
    assert "hush" not in done.out + done.err
