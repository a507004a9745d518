"""`fetch` and `import` as processes."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import resource
import time
from dataclasses import replace

import pytest

from core.errors import LibraryError
from core.papers.library import LIBRARY_FILE, Library
from tests.servers.sources import MISSED, WORKS, Refusal

MANY = 8000


def count_papers(home):
    async def count():
        library = await Library.open(home / LIBRARY_FILE, read_only=True)
        try:
            return await library.count()
        finally:
            await library.close()

    return asyncio.run(count())


def write_papers(path, number):
    lines = (
        json.dumps({"id": f"set:{n}", "title": f"Paper {n} of many", "abstract": f"It is number {n}. " * 20}) + "\n"
        for n in range(number)
    )
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def test_fetch_says_one_line_a_source(shell):
    done = shell.run("fetch")
    assert done.code == 0
    lines = re.findall(r"(.+), (\d+) new, (.+)\n", done.out)
    assert [(read, listed) for read, _, listed in lines] == [
        ("Hugging Face: 3 papers read", "3 newly listed"),
        ("arXiv: 4 papers read", "4 newly listed"),
        ("Hacker News: 1 paper read", "0 newly listed"),
    ]
    # Whichever source brings a paper first brings it as a new one: they are asked side by side.
    assert sum(int(new) for _, new, _ in lines) == count_papers(shell.home) == 5


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Refusal(429, "Rate exceeded."), "arXiv has answered 429; next try after"),
        (Refusal(200, "<html>captive portal</html>"), "arXiv has answered"),
        (Refusal(404), "arXiv has answered 404"),
    ],
    ids=["429", "html", "404"],
)
def test_one_source_that_fails_is_exit_1_and_costs_the_others_nothing(shell, sources, fault, words):
    sources.faults = dict.fromkeys(("/rss", "/list"), fault)
    done = shell.run("fetch")
    assert done.code == 1
    assert words in done.out
    assert "Hugging Face: 3 papers read, " in done.out
    assert count_papers(shell.home) == 3
    hits = shell.run("search", "grokking", "--json").json["hits"]
    assert [hit["id"] for hit in hits] == ["2611.00001", "2611.00003"]


def test_what_looked_odd_is_said_beside_and_is_no_failure(shell, sources):
    sources.works = (*WORKS, replace(WORKS[0], id="not-an-id"))
    done = shell.run("fetch", "--source", "huggingface")
    assert done.code == 0
    assert "paperboy: Hugging Face: Entry 4 of Hugging Face's daily answer was left out: 'not-an-id'" in done.err
    assert done.out == "Hugging Face: 3 papers read, 3 new, 3 newly listed\n"


def test_one_source_alone_can_be_asked(shell, sources):
    done = shell.run("fetch", "--source", "huggingface")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert all(path.startswith("/hf/") for path in sources.asked)


@pytest.mark.parametrize("environment", [{}, {"PAPERBOY_HACKERNEWS__ENABLED": "false"}])
def test_a_source_that_is_not_switched_on_is_wrong_usage(shell, sources, environment):
    done = shell.run("fetch", "--source", "hackernews" if environment else "nature", **environment)
    assert (done.code, done.out) == (2, "")
    assert "There are: huggingface, arxiv" in done.err
    assert sources.asked == []


def test_since_harvests_what_was_announced_before(shell, sources):
    assert shell.run("fetch", "--source", "arxiv").code == 0
    assert MISSED.id not in shell.run("search", MISSED.title, "--json").out
    assert shell.run("fetch", "--source", "arxiv", "--since", f"{sources.day:%Y}-01-01").code == 0
    assert shell.run("search", MISSED.title, "--json").json["hits"][0]["id"] == MISSED.id


def test_an_import_can_be_repeated(shell):
    papers = write_papers(shell.folder / "papers.jsonl", 30)
    assert shell.run("import", papers).out == f"{papers}: 30 papers read, 30 new, 0 changed\n"
    again = shell.run("import", papers)
    assert (again.code, again.err) == (0, "")
    assert again.out == f"{papers}: 30 papers read, 0 new, 0 changed\n"


def test_several_files_and_compressed_ones_are_read(shell, sources):
    papers = write_papers(shell.folder / "papers.jsonl", 3)
    daily = shell.folder / f"{sources.day}.json.gz"
    entries = [{"paper": {"id": work.id, "title": work.title, "summary": work.abstract}} for work in WORKS]
    daily.write_bytes(gzip.compress(json.dumps(entries).encode()))
    done = shell.run("import", papers, str(daily))
    assert (done.code, done.err) == (0, "")
    assert count_papers(shell.home) == 3 + len(WORKS)
    assert sources.asked == []


def test_bad_lines_are_named_and_cost_themselves_alone(shell):
    papers = shell.folder / "papers.jsonl"
    good = json.dumps({"id": "a:1", "title": "Good", "abstract": ""})
    papers.write_text(f"{good}\nnot json\n{{}}\n\n[1]\n", encoding="utf-8")
    done = shell.run("import", str(papers))
    assert done.code == 1
    assert [line.split(":")[1] for line in done.err.splitlines()] == [f" {papers}, line {n}" for n in (2, 3, 5)]
    assert done.out == f"{papers}: 1 paper read, 1 new, 0 changed\n"


def test_of_many_bad_lines_the_first_are_named_and_the_rest_is_counted(shell):
    papers = shell.folder / "papers.jsonl"
    papers.write_text("garbage\n" * 1234, encoding="utf-8")
    done = shell.run("import", str(papers))
    assert done.code == 1
    assert len(done.err.splitlines()) == 21
    assert done.err.splitlines()[-1] == f"paperboy: {papers}: ... and 1,214 more bad lines"


@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere.jsonl", "No such file or directory"), ("/dev/zero", "it is not a regular file")],
)
def test_what_is_no_file_is_wrong_usage_before_anything_is_read(shell, name, words):
    done = shell.run("import", write_papers(shell.folder / "papers.jsonl", 3), name)
    assert (done.code, done.out) == (2, "")
    assert done.complaint == f"{name} cannot be read: {words}."
    assert not shell.home.exists()


def test_an_import_that_was_killed_goes_on_where_it_was(shell):
    papers = write_papers(shell.folder / "papers.jsonl", MANY)

    def begun():
        try:
            return count_papers(shell.home)
        except LibraryError:
            return 0

    with shell.start("import", papers) as running:
        deadline = time.monotonic() + 60
        while not begun():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running.process.kill()
        running.process.wait()
    held = count_papers(shell.home)
    assert 0 < held < MANY
    done = shell.run("import", papers)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{papers}: {MANY - held:,} papers read, {MANY - held:,} new")
    assert f"{held:,} lines had been done before" in done.out
    assert count_papers(shell.home) == MANY


def test_a_full_disk_is_one_sentence_and_what_was_kept_stays(shell):
    papers = write_papers(shell.folder / "papers.jsonl", 3000)

    def make_files_small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    done = shell.run("import", papers, before=make_files_small)
    assert (done.code, done.out) == (1, "")
    assert "library" in done.complaint
    assert shell.run("import", papers).code == 0
    assert count_papers(shell.home) == 3000
