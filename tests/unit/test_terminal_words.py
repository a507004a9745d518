"""The command line's own words: what is read, what is explained, what is kept out of the log, how far work is."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bots.fetching import counted, odd_lines, outcome_line
from bots.logs import start_logging
from bots.terminal import progress
from bots.terminal.arguments import make_parser
from bots.terminal.main import explain
from bots.terminal.moving import read_target
from bots.terminal.progress import show_progress
from bots.terminal.reading import no_source, read_lines
from core.errors import PaperboyError, QueryError, SettingsError, SourceError, UsageError
from core.papers.ingest import Outcome
from core.search.query import parse
from core.settings import Settings

SETTINGS = Settings.model_validate({"secrets": {"discord_token": "very-secret"}, "digest": {"timezone": "Asia/Tokyo"}})


@pytest.fixture
def log(capsys):
    """Returns what was logged since; logging is as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in ("core", "bots")}
    yield lambda: capsys.readouterr().err
    root.handlers[:], root.level = before[:2]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("words", "attribute", "value"),
    [
        ("search grokking -survey", "query", ["grokking", "-survey"]),
        ("search -survey", "query", ["-survey"]),
        ('search -"large language" --limit 3', "query", ['-"large', 'language"']),
        ("search a - b", "query", ["a", "-", "b"]),
        ("digest --interests -survey", "interests", "-survey"),
        ("subscriptions add slack:T1/C1 x -y at 09:00", "words", ["x", "-y", "at", "09:00"]),
    ],
)
def test_a_word_with_a_dash_is_a_word_of_the_query(words, attribute, value):
    assert getattr(make_parser().parse_args(words.split()), attribute) == value


@pytest.mark.parametrize("words", ["search x --lmit 3", "fetch --all", "search -h"])
def test_options_that_are_none_are_refused_and_help_is_help(words, capsys):
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(words.split())
    assert ended.value.code == (0 if words.endswith("-h") else 2)
    assert "usage: paperboy" in "".join(capsys.readouterr())


def test_a_query_error_is_explained_with_its_place_and_the_right_form():
    with pytest.raises(QueryError) as caught:
        parse('cat:cs.LG "unclosed')
    sentence, query, caret, form = explain(caught.value).splitlines()
    assert sentence.endswith(".")
    assert query[caret.index("^")] == '"'
    assert form.startswith("Write, for example: ")


def test_other_errors_are_their_sentences():
    assert explain(PaperboyError("It broke.")) == "It broke."
    assert explain(UsageError("Not so.", hint="Write: so")) == "Not so.\nWrite: so"
    assert explain(SettingsError("a: is wrong.", "b: is wrong.")) == "a: is wrong.\nb: is wrong."


def test_secrets_never_reach_the_log_not_even_in_a_traceback_of_others(log):
    start_logging(SETTINGS, quiet=False)
    logging.getLogger("bots").info("connecting with %s", "very-secret")
    try:
        int("Bot very-secret")
    except ValueError:
        logging.getLogger("other.library").exception("it failed: very-secret")
    said = log()
    assert "very-secret" not in said
    assert said.count("[secret]") >= 3
    assert "ValueError" in said


def test_commands_log_warnings_only_and_the_service_what_the_setting_says(log):
    start_logging(SETTINGS, quiet=True)
    logging.getLogger("core.http").info("asked")
    logging.getLogger("core.http").warning("waits")
    start_logging(SETTINGS, quiet=False)
    logging.getLogger("core.http").info("answered")
    logging.getLogger("other.library").info("chatter")
    said = log()
    assert [word in said for word in ("asked", "waits", "answered", "chatter")] == [False, True, True, False]


def test_an_outcome_is_one_line_in_the_readers_time():
    retry = datetime(2026, 11, 23, 6, 40, tzinfo=UTC)
    failed = Outcome("arxiv", seen=1, new=1, failure=SourceError("arxiv", "has answered 429", retry_at=retry))
    assert outcome_line(failed, SETTINGS) == (
        "arXiv has answered 429; next try after 15:40 (1 paper read, 1 new, 0 newly listed)"
    )
    well = Outcome("huggingface", seen=1234, new=2, listed=3, odd=["Entry 3 was left out."])
    assert outcome_line(well, SETTINGS) == "Hugging Face: 1,234 papers read, 2 new, 3 newly listed"
    assert list(odd_lines(well)) == ["Hugging Face: Entry 3 was left out."]
    assert outcome_line(Outcome("arxiv"), SETTINGS).endswith(", nothing changed since the last time")


@pytest.mark.parametrize(("number", "words"), [(0, "0 papers"), (1, "1 paper"), (12345, "12,345 papers")])
def test_numbers_have_their_nouns(number, words):
    assert counted(number, "paper") == words


def test_away_from_a_terminal_progress_is_a_line_now_and_then():
    said = io.StringIO()
    with redirect_stderr(said), show_progress("papers.jsonl") as meter:
        meter.update(1, 10)
        assert said.getvalue() == ""
        meter._said -= progress.LINE_EVERY
        meter.update(5, 10, "arxiv")
        meter.update(6, 10)
    assert said.getvalue().startswith("papers.jsonl: 50 %, arxiv, ")
    assert said.getvalue().count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_progress_is_a_bar_that_leaves_nothing_behind():
    said = Terminal()
    with redirect_stderr(said), show_progress("Fetching") as meter:
        meter.update(3, 4, "arxiv")
        meter._progress.refresh()
    assert "Fetching" in said.getvalue()
    assert "arxiv" in said.getvalue()
    assert said.getvalue().rstrip().endswith("\x1b[2K")


def test_lines_of_a_file_are_numbered_as_an_editor_does(tmp_path):
    path = tmp_path / "queries.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\n  two\ra  \r\nthree")
    assert list(read_lines(path)) == [(1, "one"), (2, ""), (3, "two\ra"), (4, "three")]
    path.write_bytes(b"")
    assert list(read_lines(path)) == []
    path.write_bytes(b"\xff\xfe\x00")
    for bad in (path, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match=str(bad)):
            list(read_lines(bad))


def test_a_line_without_an_end_is_refused():
    with pytest.raises(UsageError, match="/dev/zero, line 1 has more than 1,000,000 characters"):
        list(read_lines(Path("/dev/zero")))


@pytest.mark.parametrize(
    ("url", "path"),
    [("file:///srv/a%20b", "/srv/a b"), ("/srv/paperboy", "/srv/paperboy"), ("backup", "backup")],
)
def test_a_target_of_a_move_is_a_folder(url, path):
    assert read_target(url) == Path(path)


@pytest.mark.parametrize("url", ["postgresql://db/papers", "postgres://me:secret@db:5432/papers?sslmode=require"])
def test_or_a_database(url):
    assert read_target(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file://",
        "file://host/srv",
        "postgresql://me:a@b@db/x",
        "//host/srv",
        "https://example.org/x",
        "mysql://me:hush@db/x",
        "postgresql//me:hush@db/x",
        "me:hush@db/x",
    ],
)
def test_a_target_that_is_neither_a_folder_nor_a_database_is_refused_with_what_is_allowed(url):
    allowed = r"allowed is a folder, as file:///.*, or a database, as postgresql://"
    with pytest.raises(UsageError, match=allowed) as refused:
        read_target(url)
    assert "hush" not in str(refused.value)


def test_what_all_sources_have_in_common_is_said_once():
    tail = "could not be reached (no way) since 17:39"
    assert no_source([f"arXiv {tail}", f"Hacker News {tail}", f"Hugging Face {tail}"]) == (
        f"No source could be reached (Hugging Face, arXiv and Hacker News {tail}). This is the bundled sample."
    )
    assert no_source([f"arXiv {tail}, next try 17:40", f"Hugging Face {tail}"]) == (
        f"No source could be reached (Hugging Face and arXiv {tail}). This is the bundled sample."
    )
    assert no_source([f"arXiv {tail}", "Hugging Face has answered 503 since 17:39"]) == (
        f"No source could be reached (arXiv {tail}; Hugging Face has answered 503 since 17:39). "
        "This is the bundled sample."
    )
