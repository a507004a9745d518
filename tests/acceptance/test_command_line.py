"""`digest`, `search` and `why` as processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import system_clock
from core.papers.plan import keep_state, source_states
from tests.servers.sources import WORKS, Refusal
from tests.shells import PAPERBOY, ROOT
from tests.worlds import make_record

GROKKING = ["Grokking in Small Transformers", "A Survey of Grokking"]
LATEX = "Bounds in ℓ₂ for Sparse Attention"


def titles(document):
    return [paper["title"] for paper in document["papers"]]


def grow_stale(shell):
    """Let the last answers of all sources be an hour old."""

    async def age():
        async with shell.house(owner=True) as house:
            for state in (await source_states(house.library)).values():
                if state.ok_at is not None:
                    await keep_state(house.library, replace(state, ok_at=state.ok_at - timedelta(hours=1)))

    asyncio.run(age())


def add_paper(shell, day):
    """Put in a paper that arXiv listed on a day."""

    async def add():
        async with shell.house(owner=True) as house:
            await house.library.ingest([make_record("2611.00099", "Of the Next Day", day=day)], now=system_clock())

    asyncio.run(add())


def test_the_first_digest_fetches_and_the_next_one_does_not(shell, sources):
    first = shell.run("digest")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("Papers for everything\n")
    assert "5 of 5 new papers" in first.out
    assert first.out.index("Grokking in Small Transformers") < first.out.index(LATEX)
    assert "https://arxiv.org/abs/2611.00001" in first.out
    assert "41 upvotes on Hugging Face" in first.out
    asked = len(sources.asked)
    assert asked > 0
    assert shell.run("digest").out == first.out
    assert len(sources.asked) == asked


def test_a_stale_library_is_filled_before_the_digest(stocked, sources):
    grow_stale(stocked)
    sources.works = (*WORKS, replace(WORKS[0], id="2611.00077", title="Hot off the Press"))
    assert "Hot off the Press" in stocked.run("digest", **sources.environment).out


def test_a_day_that_is_over_is_shown_without_asking_anybody(stocked, sources):
    grow_stale(stocked)
    later = sources.day + timedelta(days=1)
    add_paper(stocked, later)
    before = len(sources.asked)
    over = stocked.run("digest", "--date", str(sources.day), "--format", "json", **sources.environment)
    assert len(titles(over.json)) == len(WORKS)
    assert len(sources.asked) == before
    stocked.run("digest", "--date", str(later), **sources.environment)
    assert len(sources.asked) > before


def test_stored_papers_are_shown_when_nobody_answers_and_the_digest_says_who_did_not(stocked):
    grow_stale(stocked)
    done = stocked.run("digest")
    assert done.code == 0
    assert "Grokking in Small Transformers" in done.out
    assert "SAMPLE" not in done.out
    assert "arXiv" in done.out.partition("Thank you")[0]
    assert "could not be reached" in done.out


def test_json_and_html_are_one_document_and_nothing_else(stocked):
    document = stocked.run("digest", "--format", "json")
    assert (document.code, document.err) == (0, "")
    assert titles(document.json)[0] == "Grokking in Small Transformers"
    assert LATEX in titles(document.json)
    page = stocked.run("digest", "--format", "html")
    assert (page.code, page.err) == (0, "")
    assert page.out.lower().startswith("<!doctype html>")
    assert page.out.endswith("</html>\n")
    assert all(title in page.out for title in (*GROKKING, LATEX))


def test_interests_choose(stocked):
    chosen = stocked.run("digest", "--interests", "grokking -survey", "--format", "json").json
    assert titles(chosen) == GROKKING[:1]
    assert "matches grokking" in chosen["papers"][0]["why"]
    silent = stocked.run("digest", "--interests", '"dark matter halo"')
    assert silent.code == 0
    assert "none matched" in silent.out


def test_a_leading_dash_excludes_and_is_no_option(stocked):
    assert titles(stocked.run("digest", "--interests", "-grokking", "--format", "json").json)
    hits = stocked.run("search", "grokking", "-survey", "--json").json["hits"]
    assert [hit["id"] for hit in hits] == ["2611.00001"]


def test_a_date_names_the_day_of_the_lists(stocked, sources):
    assert len(titles(stocked.run("digest", "--date", str(sources.day), "--format", "json").json)) == len(WORKS)
    other = stocked.run("digest", "--date", str(sources.day - timedelta(days=9)), "--format", "json")
    assert (other.code, titles(other.json)) == (0, [])


def test_the_digest_of_a_subscription_is_the_one_it_would_get(stocked):
    identifier = stocked.run("subscriptions", "list").out.split()[0]
    assert sorted(titles(stocked.run("digest", "--subscription", identifier, "--format", "json").json)) == sorted(
        GROKKING
    )
    unknown = stocked.run("digest", "--subscription", "nobody")
    assert (unknown.code, unknown.out) == (2, "")
    assert "There is no subscription 'nobody'." in unknown.err


@pytest.mark.parametrize("form", ["text", "html", "json"])
def test_without_any_source_the_sample_is_shown_and_marked(shell, sources, form):
    sources.faults["/"] = Refusal(404)
    done = shell.run("digest", "--format", form)
    assert done.code == 0
    assert done.complaint.startswith("No source could be reached (")
    assert all(name in done.complaint for name in ("Hugging Face", "arXiv", "Hacker News"))
    assert "SAMPLE" in done.out if form != "json" else done.json["sample"] is True


def test_search_shows_what_was_found_and_why(stocked):
    done = stocked.run("search", "sparse", "attention")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "1 of 1 paper"
    assert LATEX in done.out
    assert "$" not in done.out
    assert "https://arxiv.org/abs/2611.00004" in done.out
    assert stocked.run("search", "xylophones").out == "Nothing was found.\n"


def test_search_in_an_empty_library_says_how_to_fill_it(shell):
    done = shell.run("search", "grokking")
    assert (done.code, done.err) == (0, "")
    assert "paperboy import" in done.out


def test_search_json_is_one_object_as_promised(stocked):
    done = stocked.run("search", "grokking", "--json", "--limit", "1")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert set(done.json) == {"query", "hits"}
    (hit,) = done.json["hits"]
    assert set(hit) == {"id", "title", "score", "why"}
    assert (hit["id"], done.json["query"]) == ("2611.00001", "grokking")


def test_a_batch_answers_every_line_and_a_bad_one_says_why(stocked):
    queries = stocked.folder / "queries.txt"
    queries.write_text('grokking\n\n"unclosed\nkernel methods\n', encoding="utf-8")
    done = stocked.run("search", "--batch", str(queries), "--json", "--limit", "2")
    assert done.code == 1
    place, sentence = f"{queries}, line 3: ", done.complaint
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["query"] for answer in answers] == ["grokking", "", '"unclosed', "kernel methods"]
    assert [hit["id"] for hit in answers[3]["hits"]] == ["2611.00002"]
    assert answers[2] == {"query": '"unclosed', "hits": [], "error": sentence.removeprefix(place)}
    assert [set(answer) for answer in answers[:2]] == [{"query", "hits"}] * 2
    assert sentence.startswith(place)


def test_an_empty_query_finds_everything(stocked):
    queries = stocked.folder / "queries.txt"
    queries.write_text(" \n", encoding="utf-8")
    for words in (("",), ("--batch", str(queries)), ("--batch", str(queries), "--words")):
        done = stocked.run("search", *words, "--json")
        assert (done.code, done.err, done.json["query"]) == (0, "", "")
        assert {hit["id"] for hit in done.json["hits"]} == {f"2611.0000{number}" for number in range(1, 6)}


def test_a_batch_of_plain_words_reads_no_query_language(stocked):
    queries = stocked.folder / "queries.txt"
    queries.write_text('"unclosed grokking\n-grokking OR (\n', encoding="utf-8")
    done = stocked.run("search", "--batch", str(queries), "--words", "--json")
    assert (done.code, done.err) == (0, "")
    assert all(json.loads(line)["hits"] for line in done.out.splitlines())


def test_a_malformed_query_is_pointed_at(stocked):
    done = stocked.run("search", 'cat:cs.LG ("unclosed')
    assert (done.code, done.out) == (2, "")
    query, caret = done.err.splitlines()[1:3]
    assert query[caret.index("^")] == '"'


def test_why_tells_a_paper_that_waits_from_one_that_was_never_fetched(stocked):
    known = stocked.run("why", "https://arxiv.org/abs/2611.00001v3")
    assert known.code == 0
    assert "Grokking in Small Transformers" in known.out
    assert "#1 grokking" in known.out
    assert "never fetched" in stocked.run("why", "0704.0001").out
    assert stocked.run("why", "2611.00001", "--subscription", "nobody").code == 2


def test_python_dash_m_bots_is_the_same_program(stocked):
    done = stocked.run("search", "grokking", "--json", command=(sys.executable, "-m", "bots"), PYTHONPATH=str(ROOT))
    assert done.json == stocked.run("search", "grokking", "--json").json


def test_whoever_stops_reading_hears_no_complaint(stocked):
    queries = stocked.folder / "queries.txt"
    queries.write_text("grokking\n" * 1500, encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{PAPERBOY} search --batch {queries} --json | head -n 1"],
        env=stocked.environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["query"] == "grokking"
    assert done.stderr == b""


def test_a_terminal_that_knows_only_ascii_is_no_failure(stocked):
    done = stocked.run("digest", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert "for Sparse Attention" in done.out
