"""What goes wrong in a shell: one sentence each, the right exit code, nothing lost."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal

import pytest

from tests.servers.sources import NOWHERE, addresses
from tests.shells import PATIENCE, Shell

DROP_FROM_BOUNDING_SET, OVERRIDE_PERMISSIONS = 24, 1  # prctl(2), capabilities(7)


MISTAKES = (
    "",
    "publish",
    "search",
    "search x --limit 0",
    "search x --limit many",
    "search --batch queries.txt",
    "search x --batch queries.txt --json",
    "search --batch nowhere.txt --json",
    "digest --date yesterday",
    "digest --format pdf",
    "digest --interests x --subscription y",
    "digest --interests (",
    "fetch --since 23.11.2026",
    "fetch --since 0001-01-01",
    "fetch --since 9999-12-31",
    "import",
    "subscriptions",
    "subscriptions remove",
    "subscriptions add slack:#general x",
    "subscriptions list general",
    "saved discord:general",
    "move",
    "run --only fax",
    "run --only slack",
    "run --role sleeper",
)
UNUSABLE = ("digest", "fetch", "search grokking", "subscriptions list", "run", "migrate")


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    return Shell(tmp_path_factory.mktemp("mistakes"), addresses(NOWHERE)).run_all(MISTAKES)


@pytest.mark.parametrize("words", MISTAKES)
def test_wrong_usage_is_exit_2_and_says_what_is_right(mistaken, words):
    done = mistaken[words]
    assert (done.code, done.out) == (2, "")
    assert re.match(r"(usage: )?paperboy", done.err)
    assert len(done.err.splitlines()) <= 8


@pytest.mark.parametrize(
    ("environment", "sentences"),
    [
        (
            {"PAPERBOY_WEB__PRT": "1", "PAPERBOY_LOG__LEVEL": "loud"},
            ["PAPERBOY_WEB__PRT: there is no such key", "PAPERBOY_LOG__LEVEL: 'loud' is not allowed"],
        ),
        ({"PAPERBOY_CONFIG": "nowhere.toml"}, ["PAPERBOY_CONFIG: nowhere.toml cannot be read"]),
        (
            {"SLACK_BOT_TOKEN": "xoxb-only"},
            ["SLACK_BOT_TOKEN is set, but neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING"],
        ),
        (
            {"PAPERBOY_ARXIV__API_URL": "https://export.arxiv.org/api/query"},
            ["arxiv.min_interval: 0 is too short for export.arxiv.org"],
        ),
    ],
    ids=["unknown and bad", "no file", "half of slack", "arxiv too fast"],
)
def test_settings_that_cannot_be_are_exit_2_and_one_sentence_each(shell, environment, sentences):
    done = shell.run("run", **environment)
    assert (done.code, done.out) == (2, "")
    said = done.err.removeprefix("paperboy: ").splitlines()
    assert len(said) == len(sentences)
    assert all(any(sentence in line for line in said) for sentence in sentences)
    assert not shell.home.exists()


@pytest.mark.parametrize(
    "words", ["subscriptions add slack:#general x", "subscriptions list general", "saved discord:general"]
)
def test_a_place_that_is_none_is_told_how_places_are_written(mistaken, words):
    done = mistaken[words]
    assert done.err.endswith(
        "Addresses are written slack:T123/C456, discord:789 (a person's is discord:@789), email:reader@example.org.\n"
    )


@pytest.mark.parametrize("words", ["search kernel", "subscriptions export"])
def test_an_output_that_cannot_be_written_is_one_sentence(stocked, words):
    done = stocked.run(*words.split(), before=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1))
    assert (done.code, done.complaint) == (1, "The output cannot be written (No space left on device).")


def test_a_command_whose_output_was_closed_does_its_work_in_silence(shell):
    done = shell.run("subscriptions", "add", "slack:T1/C1", "kernels", before=lambda: os.close(1))
    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(shell.run("subscriptions", "list", "--json").json) == 1


def test_words_in_another_encoding_than_the_locales_are_searched_as_well_as_they_can_be(stocked):
    ascii_alone = {"LC_ALL": "C", "LANG": "", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert stocked.run("search", "Schölkopf", before=lambda: None, **ascii_alone).code == 0


@pytest.mark.parametrize("paper", ["", "  "])
def test_why_of_no_paper_is_wrong_usage(shell, paper):
    done = shell.run("why", paper)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("paperboy: Which paper is missing.")


def test_a_subscription_that_is_not_there_is_told_before_anybody_is_asked(shell, sources):
    done = shell.run("digest", "--subscription", "nobody")
    assert (done.code, sources.asked) == (2, [])


def test_a_token_is_never_repeated_where_a_setting_is_refused(shell):
    done = shell.run("run", SLACK_BOT_TOKEN="xoxb-very-secret", SLACK_APP_TOKEN="two words xapp-secret")
    assert done.code == 2
    assert "secret" not in done.err


@pytest.mark.data_folder
def test_a_data_folder_that_is_a_file_is_one_sentence(shell):
    in_the_way = shell.folder / "file"
    in_the_way.write_text("mine", encoding="utf-8")
    for words, done in shell.run_all(UNUSABLE, PAPERBOY_HOME=str(in_the_way)).items():
        assert (done.code, done.out) == (1, ""), words
        assert str(in_the_way) in done.complaint, words
    assert in_the_way.read_text(encoding="utf-8") == "mine"


@pytest.fixture
def powerless():
    """What makes a new process one that permissions bind, as they do not bind root."""
    if os.geteuid() != 0:
        return lambda: None
    system = ctypes.CDLL(None)

    def drop():
        system.prctl(DROP_FROM_BOUNDING_SET, OVERRIDE_PERMISSIONS, 0, 0, 0)

    return drop


@pytest.mark.parametrize("words", ["fetch", "subscriptions add slack:T1/C1 x", "run", "doctor --offline"])
def test_a_data_folder_that_cannot_be_written_is_one_sentence(shell, powerless, words):
    shell.home.mkdir()
    shell.home.chmod(0o555)
    done = shell.run(*words.split(), before=powerless)
    assert done.code == 1
    assert str(shell.home) in (done.out.splitlines()[-1] if words.startswith("doctor") else done.complaint)
    assert list(shell.home.iterdir()) == []


@pytest.mark.data_folder
@pytest.mark.parametrize("name", ["out of reach/a", "a" * 300])
def test_a_place_that_cannot_be_looked_at_is_one_sentence(stocked, powerless, name):
    folder = stocked.folder / "out of reach"
    folder.mkdir(mode=0o000)
    there = str(stocked.folder / name)
    backup = stocked.folder / "backup.tar.gz"
    assert stocked.run("backup", str(backup)).code == 0
    tries = (
        (("doctor", "--offline"), {"PAPERBOY_CONFIG": there}, 2),
        (("restore", str(backup)), {"PAPERBOY_HOME": there}, 1),
        (("move", "--to", there), {}, 1),
        (("backup", there), {}, 1),
    )
    for words, environment, code in tries:
        done = stocked.run(*words, before=powerless, **environment)
        assert (done.code, done.out) == (code, ""), words
        assert there in done.complaint, words
    searched = stocked.run(
        "search", "grokking", before=powerless, PAPERBOY_MODEL__ENABLED="true", PAPERBOY_MODEL__CACHE=there
    )
    assert (searched.code, searched.err) == (0, "")


def test_doctor_shows_no_password_that_an_address_holds(shell):
    done = shell.run("doctor", PAPERBOY_ARXIV__RSS_URL="http://me:geheim@127.0.0.1:9/rss")
    assert "http://***@127.0.0.1:9/rss" in done.out
    assert "geheim" not in done.out + done.err


def fill_the_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.data_folder
@pytest.mark.parametrize("words", ["subscriptions list", "search grokking", "stats"])
def test_a_full_disk_keeps_nobody_from_reading(stocked, words):
    before = stocked.run(*words.split())
    done = stocked.run(*words.split(), before=fill_the_disk)
    assert (done.code, done.out, done.err) == (0, before.out, before.err)


@pytest.mark.data_folder
def test_a_full_disk_loses_no_subscription(stocked):
    held = stocked.run("subscriptions", "list", "--json").json
    done = stocked.run("subscriptions", "add", "slack:T1/C9", "kernels", before=fill_the_disk)
    assert (done.code, done.out) == (1, "")
    assert str(stocked.home) in done.complaint
    assert stocked.run("subscriptions", "list", "--json").json == held
    assert stocked.run("subscriptions", "add", "slack:T1/C9", "kernels").code == 0


@pytest.mark.data_folder
def test_beside_a_running_service_reading_works_and_changing_is_refused_by_its_number(stocked, sources):
    (identifier,) = [item["id"] for item in stocked.run("subscriptions", "list", "--json").json]
    exported = stocked.folder / "subscriptions.jsonl"
    exported.write_text(stocked.run("subscriptions", "export").out, encoding="utf-8")
    with stocked.start("run", **sources.environment) as service:
        service.page()
        changing = [
            "fetch",
            f"import {exported}",
            "subscriptions add slack:T1/C2 x",
            f"subscriptions remove {identifier}",
            f"subscriptions import {exported}",
            "migrate",
            f"move --to {stocked.folder / 'elsewhere'}",
            "run",
        ]
        for words, refused in stocked.run_all(changing).items():
            assert (refused.code, refused.out) == (1, ""), words
            assert str(service.pid) in refused.complaint, words
        reading = ["digest", "search grokking", "why 2611.00001", "subscriptions list", "subscriptions export"]
        for words, done in stocked.run_all([*reading, "doctor --offline"]).items():
            assert (done.code, done.err) == (0, ""), words
        assert "ok    service: running" in done.out
        assert service.end().code == 0
    assert [item["id"] for item in stocked.run("subscriptions", "list", "--json").json] == [identifier]


def test_a_running_service_fetches_by_itself_and_digest_leaves_it_to_that(shell, sources):
    with shell.start("run") as service:
        service.fetched()
        sources.asked.clear()
        assert shell.run("digest", PAPERBOY_FETCH__EVERY_MINUTES="5").code == 0
        assert shell.run("doctor").code == 0
        assert sources.asked == []
        assert service.process.poll() is None


def test_control_c_ends_a_command_in_one_line(shell, sources):
    sources.gate.clear()
    with shell.start("fetch") as fetching:
        fetching.until(lambda: sources.asked)
        done = fetching.end(signal.SIGINT)
    assert (done.code, done.out, done.err) == (1, "", "paperboy: stopped.\n")


def test_a_command_that_crashed_in_the_middle_leaves_the_folder_free(shell, sources):
    sources.gate.clear()
    with shell.start("fetch") as fetching:
        fetching.until(lambda: sources.asked)
        fetching.process.kill()
        fetching.process.wait(PATIENCE)
    sources.gate.set()
    assert shell.run("fetch").code == 0
