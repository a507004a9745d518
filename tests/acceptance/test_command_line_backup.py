"""`paperboy backup` and `restore` as processes."""

from __future__ import annotations

import pytest

QUESTIONS = (
    ("subscriptions", "list", "--json"),
    ("search", "grokking", "--json"),
    ("search", "", "--limit", "100", "--json"),
    ("stats", "--json"),
)


def everything(shell, environment=None):
    answers = [shell.run(*question, **(environment or {})) for question in QUESTIONS]
    assert all((done.code, done.err) == (0, "") for done in answers)
    return [done.out for done in answers]


def test_what_is_restored_answers_as_what_was_backed_up(stocked, tmp_path):
    file, elsewhere = tmp_path / "paperboy.tar.gz", stocked.elsewhere(tmp_path / "elsewhere")
    done = stocked.run("backup", str(file))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Wrote ")
    assert f"MB to {file}. It holds secrets" in done.out
    restored = stocked.run("restore", str(file), **elsewhere)
    assert (restored.code, restored.err) == (0, "")
    assert restored.out.startswith("Restored ")
    assert "1 subscription and 0 marks of " in restored.out
    assert everything(stocked, elsewhere) == everything(stocked)


@pytest.mark.data_folder
def test_a_folder_that_is_not_empty_is_left_as_it_is(stocked, tmp_path):
    file = tmp_path / "paperboy.tar.gz"
    assert stocked.run("backup", str(file)).code == 0
    before = everything(stocked)
    refused = stocked.run("restore", str(file))
    assert (refused.code, refused.out) == (1, "")
    assert "is not empty, and nothing is overwritten" in refused.err
    assert everything(stocked) == before


def test_a_backup_is_made_while_the_service_runs(stocked, tmp_path):
    file, elsewhere = tmp_path / "paperboy.tar.gz", stocked.elsewhere(tmp_path / "elsewhere")
    with stocked.start("run", "--only", "web") as service:
        service.page()
        assert stocked.run("backup", str(file)).code == 0
        service.end()
    assert stocked.run("restore", str(file), **elsewhere).code == 0
    assert everything(stocked, elsewhere)[:3] == everything(stocked)[:3]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("backup",), 2, "the following arguments are required: FILE"),
        (("restore",), 2, "the following arguments are required: FILE"),
        pytest.param(("backup", "b.tar.gz"), 1, "There is nothing in", marks=pytest.mark.data_folder),
        (("restore", "none.tar.gz"), 1, "none.tar.gz cannot be read (No such file or directory)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(shell, words, code, sentence):
    done = shell.run(*words)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err


def test_a_file_that_is_there_is_left_as_it_is(stocked, tmp_path):
    file = tmp_path / "mine"
    file.write_text("mine", encoding="utf-8")
    done = stocked.run("backup", str(file))
    assert (done.code, done.out) == (1, "")
    assert done.complaint.endswith("nothing is overwritten; name another file.")
    assert file.read_text(encoding="utf-8") == "mine"
