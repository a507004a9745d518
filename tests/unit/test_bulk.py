"""Files of papers: every known shape, every kind of breakage, and an import that was killed."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import UsageError
from core.papers import bulk
from core.papers.bulk import import_file
from core.papers.formats import Unreadable, is_daily_list, read_daily_list, read_object
from core.papers.windows import Newest, OnDay
from tests.shelves import NOON, open_library

SNAPSHOT = {
    "id": "hep-th/9901001",
    "submitter": "A. Person",
    "authors": "Ada Lovelace and Ch. Babbage",
    "title": "Engines\n  and their   Notes",
    "comments": "12 pages",
    "journal-ref": "Ann. 3 (1999) 1",
    "doi": "10.1000/xyz",
    "categories": "hep-th cs.LG",
    "license": None,
    "abstract": "  We study\nengines. ",
    "versions": [
        {"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"},
        {"version": "v2", "created": "Tue, 24 Jul 2007 20:10:27 GMT"},
    ],
    "update_date": "2008-11-26",
    "authors_parsed": [["Lovelace", "Ada", ""], ["Babbage", "Ch.", "Jr."], ["CERN"]],
}
OWN = {"id": "scifact:4983", "title": "Microstructural Development", "abstract": ""}
ENTRY = {
    "paper": {
        "id": "2610.00007",
        "title": "A Daily Paper",
        "summary": "About it.",
        "publishedAt": "2026-10-05T17:00:00.000Z",
        "submittedOnDailyAt": "2026-10-06T00:00:00.000Z",
        "upvotes": 12,
        "githubRepo": "https://github.com/a/b",
    },
    "numComments": 2,
}


def lines(*items):
    return "".join(f"{json.dumps(item)}\n" for item in items)


def ignore(done, total):
    assert 0 <= done <= total


@pytest.fixture
async def library(tmp_path):
    async with open_library(tmp_path) as opened:
        yield opened


async def load(path, library, progress=ignore):
    return await import_file(path, library, now=NOON, progress=progress)


def test_a_line_of_arxivs_snapshot_is_arxivs_own_record():
    record = read_object(SNAPSHOT)
    assert (record.id, record.source, record.title) == ("hep-th/9901001", "arxiv", "Engines and their Notes")
    assert record.authors == ("Ada Lovelace", "Ch. Babbage Jr.", "CERN")
    assert record.categories == ("hep-th", "cs.LG")
    assert record.published == datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)
    assert record.updated == datetime(2007, 7, 24, 20, 10, 27, tzinfo=UTC)
    assert (record.version, record.abstract, record.journal_ref) == (2, "We study engines.", "Ann. 3 (1999) 1")
    assert record.listings == ()


def test_a_snapshot_line_without_parsed_authors_gives_them_as_written():
    record = read_object({**SNAPSHOT, "authors_parsed": None})
    assert record.authors == ("Ada Lovelace", "Ch. Babbage")


def test_a_snapshot_line_with_broken_dates_gives_none():
    record = read_object({**SNAPSHOT, "versions": [{"version": "v1", "created": "once"}]})
    assert (record.published, record.updated, record.version) == (None, None, 1)


def test_a_withdrawn_paper_of_the_snapshot_is_known_as_such():
    assert read_object({**SNAPSHOT, "comments": "This paper has been withdrawn by the author"}).withdrawn


def test_our_own_format_needs_an_id_a_title_and_an_abstract_alone():
    record = read_object(OWN)
    assert (record.id, record.source, record.abstract) == ("scifact:4983", "import", "")


def test_our_own_format_takes_what_is_known_besides():
    record = read_object(
        {
            "id": "arXiv:2310.01234v2",
            "title": "T",
            "abstract": "A",
            "authors": "Ada Lovelace; Charles Babbage",
            "categories": "cs.LG stat.ML",
            "published": "2023-10-02",
            "code_url": "javascript:alert(1)",
            "unknown": {"is": "ignored"},
        }
    )
    assert (record.id, record.version) == ("2310.01234", 2)
    assert record.authors == ("Ada Lovelace", "Charles Babbage")
    assert record.categories == ("cs.LG", "stat.ML")
    assert record.published == datetime(2023, 10, 2, tzinfo=UTC)
    assert record.code_url == ""


@pytest.mark.parametrize("identifier", ["4983", 4983, "pmid:1", "W/2-x.y"])
def test_an_id_may_be_of_any_kind(identifier):
    assert read_object({**OWN, "id": identifier}).id == str(identifier)


@pytest.mark.parametrize(
    ("item", "part"),
    [
        ([], "not a JSON object"),
        ({"title": "T"}, "id is missing"),
        ({"id": "x:1"}, "title is missing"),
        ({"id": "x:1", "title": []}, "title must be a text"),
        ({**OWN, "id": None}, "id must be a whole number or a text"),
        ({**OWN, "authors": ["A", 5]}, "authors[1] must be a text"),
        ({**OWN, "abstract": 3}, "abstract must be a text"),
        ({**OWN, "keywords": "x"}, "keywords must be a list"),
        ({**OWN, "version": 10**30}, "version must be a whole number"),
        ({**OWN, "version": -1}, "version must be a whole number"),
        ({"id": "x:1", "title": " \n"}, "no title"),
        ({**OWN, "published": "02.03.2026"}, "published must be a date such as 2026-03-02, not '02.03.2026'"),
        ({**OWN, "updated": "2026-13-45"}, "updated must be a date"),
        ({"id": "x:1", "title": "T" * 1_001}, "the title of x:1 has more than 1,000 characters"),
        ({"id": "", "title": "T"}, "id ''"),
        ({"id": "two words", "title": "T"}, "blanks"),
        ({"id": "x" * 201, "title": "T"}, "too long"),
        ({**SNAPSHOT, "versions": [1]}, "versions[0] must be an object"),
    ],
)
def test_an_object_that_is_no_paper_says_why(item, part):
    with pytest.raises(Unreadable) as caught:
        read_object(item)
    assert part in str(caught.value)
    assert not set("`$|") & set(str(caught.value))


def test_a_daily_list_is_listed_for_the_day_in_its_name_and_read_at_its_end():
    page = read_daily_list([ENTRY], "2026-10-05.json.gz", NOON)
    (record,) = page.records
    assert [(listing.source, listing.day) for listing in record.listings] == [("huggingface", date(2026, 10, 5))]
    upvotes = next(signal for signal in record.signals if signal.name == "upvotes")
    assert (upvotes.value, upvotes.at) == (12, datetime(2026, 10, 5, 23, 59, tzinfo=UTC))


def test_a_daily_list_without_a_day_in_its_name_goes_by_its_entries():
    other = {"paper": {**ENTRY["paper"], "id": "2610.00008", "submittedOnDailyAt": "2026-10-07T01:00:00Z"}}
    untold = {"paper": {"id": "2610.00009", "title": "T"}}
    page = read_daily_list([ENTRY, other, untold], "list.json", NOON)
    assert [record.listings[0].day for record in page.records] == [date(2026, 10, 6), date(2026, 10, 7)]
    assert any("no day" in sentence for sentence in page.odd)


def test_a_reading_is_never_dated_ahead_of_now():
    page = read_daily_list([ENTRY], "2026-10-08.json", NOON)
    assert {signal.at for signal in page.records[0].signals} == {NOON}


def test_a_daily_list_is_known_by_its_entries():
    assert is_daily_list([ENTRY])
    assert not is_daily_list([OWN])
    assert not is_daily_list({"paper": 1})


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_is_read_packed_or_not(tmp_path, library, packed):
    body = ("\ufeff" + lines(SNAPSHOT, OWN) + "\n").encode()
    path = tmp_path / "papers.jsonl"
    path.write_bytes(gzip.compress(body) if packed else body)
    report = await load(path, library)
    assert (report.read, report.new, report.bad) == (2, 2, ())
    assert list(await library.papers(["scifact:4983", "hep-th/9901001"])) == ["scifact:4983", "hep-th/9901001"]
    assert (await library.window_size(Newest())).count == 0


async def test_a_daily_list_brings_its_listings(tmp_path, library):
    path = tmp_path / "2026-10-06.json"
    path.write_text(json.dumps([ENTRY]))
    report = await load(path, library)
    assert (report.read, report.new) == (1, 1)
    assert (await library.window_size(OnDay(date(2026, 10, 6)))).count == 1


async def test_an_array_of_our_own_papers_is_read_too(tmp_path, library):
    path = tmp_path / "papers.json"
    path.write_text(json.dumps([OWN, {"id": "x:1"}]))
    report = await load(path, library)
    assert (report.read, len(report.bad)) == (1, 1)
    assert report.bad[0].startswith(f"{path}, entry 2: ")


async def test_a_bad_line_is_told_with_its_number_and_the_rest_goes_on(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    path.write_bytes(b"{broken\n" + lines(OWN).encode() + b"\xff\xfe\n[1]\n" + b"[" * 100_000 + b"\n")
    report = await load(path, library)
    assert report.read == 1
    assert [sentence.split(": ")[0] for sentence in report.bad] == [f"{path}, line {n}" for n in (1, 3, 4, 5)]


async def test_a_packed_file_that_ends_too_soon_keeps_what_came_before(tmp_path, library):
    path = tmp_path / "papers.jsonl.gz"
    many = [{**OWN, "id": f"x:{n}", "abstract": f"{n * 7919 % 1009} {'word ' * (n % 13)}"} for n in range(20_000)]
    path.write_bytes(gzip.compress(lines(*many).encode())[:-5_000])
    report = await load(path, library)
    assert 0 < report.read < 20_000
    assert "broken from here on" in report.bad[-1]
    assert await library.count() == report.read


async def test_a_file_that_only_looks_packed_is_told(tmp_path, library):
    path = tmp_path / "papers.jsonl.gz"
    path.write_bytes(b"\x1f\x8bnonsense")
    report = await load(path, library)
    assert report.read == 0
    assert len(report.bad) == 1


async def test_an_array_that_is_no_json_is_told(tmp_path, library):
    path = tmp_path / "list.json"
    path.write_text("[1, 2")
    assert "not JSON" in (await load(path, library)).bad[0]


async def test_a_file_that_is_not_there_is_one_sentence(tmp_path, library):
    with pytest.raises(UsageError, match=r"none\.jsonl cannot be read: No such file"):
        await load(tmp_path / "none.jsonl", library)


async def test_what_may_have_no_end_is_not_begun(tmp_path, library):
    os.mkfifo(tmp_path / "pipe")
    for endless in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(UsageError, match=f"{endless} cannot be read: it is not a regular file"):
            await load(endless, library)


async def test_blank_lines_by_the_million_are_told_as_progress(tmp_path, library):
    path = tmp_path / "blank.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * (bulk.LINES * 5) + lines(OWN).encode()))
    seen = []
    report = await load(path, library, lambda done, total: seen.append(done))
    assert (report.read, report.bad_count, len(seen)) == (1, 0, 6)


async def test_the_place_in_a_file_never_goes_back(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    blank = "\n" * bulk.LINES
    path.write_text(blank + lines(OWN) + blank + lines({**OWN, "id": "x:2"}))
    for _ in range(2):
        turns = 0

        def kill_late(done, total):
            nonlocal turns
            turns += 1
            if turns == 2:
                raise Killed

        with pytest.raises(Killed):
            await load(path, library, kill_late)
    report = await load(path, library)
    assert (report.resumed, report.read) == (2 * bulk.LINES, 1)
    assert await library.count() == 2


@pytest.mark.parametrize("alphabet", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("array", [False, True])
async def test_a_file_in_another_alphabet_is_one_sentence(tmp_path, library, alphabet, array):
    path = tmp_path / "papers.json"
    body = json.dumps([OWN] * 30) if array else lines(OWN) * 30
    path.write_bytes(body.encode(alphabet))
    report = await load(path, library)
    assert report.bad == (f"{path} cannot be read: it is not text in UTF-8; write it as such.",)
    assert report.bad_count == 1


async def test_a_latin_1_array_is_one_sentence(tmp_path, library):
    path = tmp_path / "papers.json"
    path.write_bytes(json.dumps([{**OWN, "title": "Über"}], ensure_ascii=False).encode("latin-1"))
    assert "not text in UTF-8" in (await load(path, library)).bad[0]


async def test_lines_in_latin_1_are_told_once_and_the_others_are_read(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    foreign = json.dumps({**OWN, "title": "Über"}, ensure_ascii=False).encode("latin-1") + b"\n"
    path.write_bytes(lines(OWN).encode() + foreign * (bulk.BATCH * 2))
    report = await load(path, library)
    assert report.bad == (f"{path}, line 2: this is not text in UTF-8; write the file as such.",)
    assert (report.read, report.bad_count) == (1, bulk.BATCH * 2)


async def test_a_line_of_one_zero_byte_does_not_end_a_file(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    path.write_bytes(lines(OWN).encode() + b"\0\n\0" + b"\n" + lines({**OWN, "id": "x:2"}).encode() + b"\0")
    report = await load(path, library)
    assert report.read == 2
    assert [sentence.split(", ")[1] for sentence in report.bad] == [f"line {n}: this is not JSON." for n in (2, 3, 5)]


async def test_an_empty_file_is_no_mistake(tmp_path, library):
    path = tmp_path / "empty.jsonl"
    path.touch()
    report = await load(path, library)
    assert (report.read, report.bad) == (0, ())


async def test_a_line_beyond_all_measure_costs_itself_alone(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    with path.open("w") as file:
        file.write('{"id": "x:1", "title": "' + "x" * (bulk.MAX_LINE * 2) + '"}\n')
        file.write(lines(OWN))
    report = await load(path, library)
    assert (report.read, len(report.bad)) == (1, 1)
    assert "line 1: it is longer than" in report.bad[0]


async def test_repeating_an_import_changes_nothing(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    path.write_text(lines(SNAPSHOT, OWN))
    await load(path, library)
    report = await load(path, library)
    assert (report.read, report.new, report.changed, report.resumed) == (2, 0, 0, 0)


class Killed(BaseException):
    """What ends an import in its middle."""


async def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    path.write_text(lines(*({**OWN, "id": f"x:{n}"} for n in range(2 * bulk.BATCH + 10))))

    def kill(done, total):
        raise Killed

    with pytest.raises(Killed):
        await load(path, library, kill)
    assert await library.count() == bulk.BATCH
    seen = []
    report = await load(path, library, lambda done, total: seen.append((done, total)))
    assert (report.resumed, report.read, report.new) == (bulk.BATCH, bulk.BATCH + 10, bulk.BATCH + 10)
    assert await library.count() == 2 * bulk.BATCH + 10
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


async def test_a_file_that_changed_since_it_was_interrupted_is_read_from_its_start(tmp_path, library):
    path = tmp_path / "papers.jsonl"
    many = [{**OWN, "id": f"x:{n}"} for n in range(bulk.BATCH + 10)]
    path.write_text(lines(*many))

    def kill(done, total):
        raise Killed

    with pytest.raises(Killed):
        await load(path, library, kill)
    path.write_text(lines(SNAPSHOT, *many))
    report = await load(path, library)
    assert (report.resumed, report.read, report.new) == (0, bulk.BATCH + 11, 11)


@pytest.mark.parametrize("array", [False, True])
async def test_only_the_first_bad_lines_are_told_and_all_are_counted(tmp_path, library, array):
    path = tmp_path / "papers.json"
    many = bulk.MAX_BAD + 1_700
    path.write_text(json.dumps([*[1] * many, OWN]) if array else "x\n" * many + lines(OWN))
    report = await load(path, library)
    assert (report.read, len(report.bad), report.bad_count) == (1, bulk.MAX_BAD, many)
