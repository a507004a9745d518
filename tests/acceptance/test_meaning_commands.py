"""Commands and the service with a model: a very small real one, brought by the operator as two files."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.model_files import DIMENSIONS, write_model
from tests.servers.sources import NOWHERE, addresses
from tests.shells import Shell

PAPERS = (
    ("x:1", "Grokking", "Grokking grokking."),
    ("x:2", "Cars", "Cars cars cars."),
    ("x:3", "Kernel", "Kernel kernel."),
    ("x:4", "Wheat", "Rust."),
)


@pytest.fixture
def offline(tmp_path):
    """A shell whose model is in a folder, whose cache is its own, and that reaches nobody."""
    files = write_model(tmp_path / "brought")
    return Shell(
        tmp_path,
        {
            **addresses(NOWHERE),
            "PAPERBOY_MODEL__ENABLED": "true",
            "PAPERBOY_MODEL__CACHE": str(tmp_path / "cache"),
            "PAPERBOY_MODEL__WAYS": "path",
            "PAPERBOY_MODEL__PATH": str(tmp_path / "brought"),
            "PAPERBOY_MODEL__PATH_MODEL_SHA256": files.model_sha256,
            "PAPERBOY_MODEL__PATH_TOKENIZER_SHA256": files.tokenizer_sha256,
            "PAPERBOY_MODEL__DIMENSIONS": str(DIMENSIONS),
            "PAPERBOY_MODEL__QUERY_PREFIX": "",
            "PAPERBOY_MODEL__LEAST_COSINE": "-1",
        },
    )


@pytest.fixture
def papers(tmp_path):
    path = tmp_path / "papers.jsonl"
    lines = [json.dumps({"id": number, "title": title, "abstract": abstract}) for number, title, abstract in PAPERS]
    path.write_text("\n".join(lines))
    return path


def batch(shell, folder, *queries):
    (folder / "queries").write_text("\n".join(queries))
    done = shell.run("search", "--batch", str(folder / "queries"), "--words", "--limit", "3", "--json")
    assert done.code == 0
    return [json.loads(line) for line in done.out.splitlines()], done.err


def test_an_import_reads_its_papers_for_meaning_and_searches_find_them_so(offline, papers):
    assert offline.run("search", "cars").out == "The library is empty; paperboy fetch or paperboy import fills it.\n"
    assert offline.run("import", str(papers)).code == 0
    found = offline.run("search", "cars", "--json").json
    assert found["hits"][0]["id"] == "x:2"
    assert found["hits"][0]["why"] == "title matches"
    assert "near in meaning" in {why for hit in found["hits"] for why in hit["why"].split("; ")}
    assert "words alone" not in offline.run("search", "cars").out


def test_the_doctor_tells_how_many_papers_are_read_and_what_is_wrong_with_the_model(offline, papers, tmp_path):
    offline.run("import", str(papers))
    assert "meaning: bge-small-en-v1.5, int8 (MIT); 4 of 4 papers read" in offline.run("doctor", "--offline").out
    (model,) = (tmp_path / "cache").glob("*/model.onnx")
    model.write_bytes(b"broken")
    sick = offline.run("doctor", "--offline")
    assert sick.code == 1
    assert "FAIL  meaning:" in sick.out
    assert "not the file it should be" in sick.out


def test_damaged_vectors_are_told_with_what_helps_and_that_helps(offline, papers):
    offline.run("import", str(papers))
    (vectors,) = offline.home.glob("vectors-*.sqlite3")
    whole = vectors.read_bytes()
    vectors.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    sick = offline.run("doctor", "--offline")
    assert (sick.code, f"The vectors {vectors} are damaged; no paper is lost: remove this file" in sick.out) == (
        1,
        True,
    )
    vectors.unlink()
    assert offline.run("import", str(papers)).code == 0
    assert "4 of 4 papers read" in offline.run("doctor", "--offline").out


def test_vectors_whose_file_is_whole_and_whose_numbers_are_not_are_told_too(offline, papers):
    offline.run("import", str(papers))
    (vectors,) = offline.home.glob("vectors-*.sqlite3")
    with closing(sqlite3.connect(vectors)) as file, file:
        file.execute("UPDATE blocks SET scales = x'00'")
    sick = offline.run("doctor", "--offline")
    assert (sick.code, f"FAIL  meaning: {vectors} is broken" in sick.out) == (1, True)


def test_a_model_that_cannot_be_used_is_told_in_a_sentence_and_words_answer(offline, papers):
    offline.environment["PAPERBOY_MODEL__DIMENSIONS"] = "12"
    brought = offline.run("import", str(papers))
    assert "The model makes vectors of 8 numbers, not of 12." in brought.out + brought.err
    assert "Traceback" not in brought.err
    sick = offline.run("doctor", "--offline")
    assert sick.code == 1
    assert "not of 12. Search goes by words alone, until [model] names another one." in sick.out
    found = offline.run("search", "cars", "--json")
    assert [hit["id"] for hit in found.json["hits"]] == ["x:2"]


def test_a_batch_waits_until_every_paper_is_read(offline, papers, tmp_path):
    without = {"PAPERBOY_MODEL__ENABLED": "false"}
    assert offline.run("import", str(papers), **without).code == 0
    lines, err = batch(offline, tmp_path, "cars", "grokking")
    assert [line["hits"][0]["id"] for line in lines] == ["x:2", "x:1"]
    assert {"near in meaning"} & {why for line in lines for hit in line["hits"] for why in hit["why"].split("; ")}
    assert err == ""


def test_where_the_model_cannot_be_had_commands_work_by_words_and_say_so(offline, papers, tmp_path):
    shutil.rmtree(tmp_path / "brought")
    loaded = offline.run("import", str(papers))
    assert loaded.code == 0
    assert loaded.complaint.startswith("The model could not be had. path: ")
    assert loaded.complaint.endswith("Search goes on by words.")
    found = offline.run("search", "cars")
    assert "Cars" in found.out
    assert "Searched by words alone: the model that finds meaning is not here yet." in found.out
    sick = offline.run("doctor", "--offline")
    assert "until then search goes by words alone" in sick.out
    lines, err = batch(offline, tmp_path, "cars")
    assert [hit["id"] for hit in lines[0]["hits"]] == ["x:2"]
    assert "The model could not be had" in err


def test_the_service_gets_the_model_and_reads_beside_its_work(offline, papers):
    without = {"PAPERBOY_MODEL__ENABLED": "false"}
    assert offline.run("import", str(papers), **without).code == 0
    with offline.start("run", "--only", "web") as service:
        service.until(lambda: "4 papers were read for meaning" in service.err)
        found = offline.run("search", "cars", "--json").json
        assert "near in meaning" in {why for hit in found["hits"] for why in hit["why"].split("; ")}
        assert service.end().code == 0


def test_the_service_starts_and_answers_though_the_model_cannot_be_had(offline, papers, tmp_path):
    shutil.rmtree(tmp_path / "brought")
    offline.run("import", str(papers))
    with offline.start("run", "--only", "web") as service:
        service.page()
        service.until(lambda: "Search goes on by words; next try in an hour." in service.err)
        assert service.end().code == 0


def test_a_changed_model_reads_again_while_the_old_one_answers(offline, papers, tmp_path):
    offline.run("import", str(papers))
    (old,) = offline.home.glob("vectors-*.sqlite3")
    changed = {"PAPERBOY_MODEL__MAX_TOKENS": "32"}
    assert "words alone" not in offline.run("search", "cars", **changed).out
    with offline.start("run", "--only", "web", **changed) as service:
        service.until(lambda: "4 papers were read for meaning" in service.err)
        service.until(lambda: not old.exists())
        assert service.end().code == 0
    assert "words alone" not in offline.run("search", "cars", **changed).out
