"""What arXiv's answers say, form by form."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import SourceError
from core.papers.paper import Listing
from core.papers.sources import Backfill, Lookup, Newest
from core.papers.sources.arxiv import Arxiv
from core.papers.sources.arxiv.names import decode_tex, read_creators
from core.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MONDAY = date(2026, 11, 23)
SOURCE = Arxiv(Settings())
FEED = SOURCE.ask(Newest(MONDAY, date(2026, 11, 20), ("cs.LG",)))[0]
LIST = SOURCE.instead(FEED, None)[0]
QUERY = SOURCE.ask(Lookup(("2311.00001", "math.GT/0309136")))[0]
OAI = SOURCE.ask(Backfill(date(2026, 11, 18), date(2026, 11, 20), ("cs.LG",)))[0]


def parse(get, fixture):
    return SOURCE.parse(get, (FIXTURES / fixture).read_bytes(), now=NOW)


def by_id(page):
    return {record.id: record for record in page.records}


def test_a_feed_entry_is_read_whole():
    record = by_id(parse(FEED, "arxiv_feed.xml"))["2611.00001"]
    assert record.title == r"Paper boys and $\ell_2$ & other norms"
    assert record.abstract == r"We deliver papers with $O(n \log n)$ shoes."
    assert record.authors == ("Paulo André Lima de Castro", "Jürgen Müller", "Sammy Davis, Jr.", "Łukasz Nowak")
    assert record.categories == ("cs.LG", "stat.ML")
    assert (record.version, record.doi, record.journal_ref) == (
        1,
        "10.1000/paper.1",
        "Journal of Mornings 1 (2026) 1-9",
    )
    assert record.license == "http://creativecommons.org/licenses/by/4.0/"
    assert record.published is None


def test_new_papers_and_cross_lists_are_listed_on_the_day_of_the_batch_as_new_york_writes_it():
    records = by_id(parse(FEED, "arxiv_feed.xml"))
    assert records["2611.00001"].listings == (Listing("arxiv", MONDAY, "new"),)
    assert records["2611.00002"].listings == (Listing("arxiv", MONDAY, "cross"),)


def test_replacements_are_updates_and_never_listings():
    records = by_id(parse(FEED, "arxiv_feed.xml"))
    assert (records["2501.00003"].listings, records["2501.00003"].version) == ((), 4)
    assert records["2501.00004"].listings == ()
    assert records["2501.00004"].withdrawn


def test_an_announce_type_nobody_knows_is_kept_unlisted_and_said():
    body = (FIXTURES / "arxiv_feed.xml").read_bytes().replace(b">cross<", b">surprise<")
    page = SOURCE.parse(FEED, body, now=NOW)
    assert by_id(page)["2611.00002"].listings == ()
    assert "announced 2611.00002 as 'surprise'" in page.odd[0]


def test_a_feed_entry_without_a_proper_id_is_left_out_and_said():
    body = (FIXTURES / "arxiv_feed.xml").read_bytes().replace(b"oai:arXiv.org:2611.00002v1", b"oai:arXiv.org:what")
    page = SOURCE.parse(FEED, body, now=NOW)
    assert len(page.records) == 3
    assert page.odd == ("An entry of arXiv's feed was left out: 'oai:arXiv.org:what' is not an arXiv identifier.",)


def test_a_feed_entry_with_hardly_anything_is_kept_on_the_day_of_asking():
    entry = (
        "<entry><id>oai:arXiv.org:math.GT/0309136v2</id><title>Old</title><announce_type>new</announce_type></entry>"
    )
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode()
    (record,) = SOURCE.parse(FEED, body, now=NOW).records
    assert (record.id, record.version, record.authors, record.abstract) == ("math.GT/0309136", 2, (), "")
    assert record.listings == (Listing("arxiv", MONDAY, "new"),)


def test_a_feed_that_is_full_says_that_it_is_cut():
    entry = "<entry><id>oai:arXiv.org:2611.{:05}v1</id><title>T</title><announce_type>new</announce_type></entry>"
    entries = "".join(entry.format(number) for number in range(2000))
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}</feed>'.encode()
    page = SOURCE.parse(FEED, body, now=NOW)
    assert len(page.records) == 2000
    assert "cut at 2000 entries" in page.odd[0]


def test_an_empty_feed_is_no_failure_and_no_paper():
    page = parse(FEED, "arxiv_feed_empty.xml")
    assert (page.records, page.follow, page.odd) == ((), (), ())


def test_a_category_without_a_feed_is_named():
    with pytest.raises(SourceError, match=r"arxiv: has no feed for the category cs\.LG") as caught:
        parse(FEED, "arxiv_feed_error.xml")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("get", "body", "reason"),
    [
        (FEED, b"", "not XML"),
        (FEED, b"<feed><entry>", "not XML"),
        (FEED, b"<html><body>Busy</body></html>", "not an Atom feed"),
        (FEED, b"<!DOCTYPE f [<!ENTITY a 'b'>]><feed/>", "declares entities"),
        (QUERY, b"Rate exceeded.", "not XML"),
        (QUERY, b"<html/>", "not an Atom feed"),
        (OAI, b"<html/>", "not OAI-PMH"),
        (OAI, b"<OAI-PMH>", "not XML"),
        (LIST, b"<html><body>Please prove that you are human</body></html>", r"not the list of cs\.LG"),
        (LIST, b"", r"not the list of cs\.LG"),
        (
            LIST,
            b"<h3>Showing new listings for Monday, 31 February 2026</h3>",
            r"dated its list of cs\.LG '31 Feb 2026'",
        ),
        (LIST, b"<h3>Showing new listings for Monday, 3 Foo 2026</h3>", r"not the list of cs\.LG"),
    ],
)
def test_what_is_not_an_answer_is_a_failure_in_one_sentence(get, body, reason):
    with pytest.raises(SourceError, match=f"^arxiv: has .*{reason}"):
        SOURCE.parse(get, body, now=NOW)


def test_a_query_entry_is_read_whole_with_its_primary_category_first():
    record = parse(QUERY, "arxiv_query.xml").records[0]
    assert (record.id, record.version) == ("2311.00001", 3)
    assert (record.title, record.abstract) == ("On morning rounds", "Rounds are studied at dawn.")
    assert record.authors == ("Ada Example", "Bob Example")
    assert record.categories == ("cs.LG", "stat.ML")
    assert record.published == datetime(2023, 11, 1, 9, 30, tzinfo=UTC)
    assert record.updated == datetime(2024, 2, 1, 12, tzinfo=UTC)
    assert (record.comment, record.doi, record.journal_ref) == (
        "12 pages, 3 figures",
        "10.1000/paper.2",
        "J. Dawn 2 (2024)",
    )
    assert record.listings == ()


def test_an_old_style_id_is_read_and_a_withdrawal_in_the_comment_counts():
    record = parse(QUERY, "arxiv_query.xml").records[1]
    assert (record.id, record.version, record.authors) == ("math.GT/0309136", 1, ())
    assert record.withdrawn


def test_an_error_entry_is_told_in_arxivs_words():
    with pytest.raises(SourceError, match=r"has refused the request \(incorrect id format for zzz\)") as caught:
        parse(QUERY, "arxiv_query_error.xml")
    assert caught.value.status == 400


def test_a_paper_titled_error_is_a_paper():
    body = (FIXTURES / "arxiv_query.xml").read_bytes().replace(b"Knots in twine", b"Error")
    assert SOURCE.parse(QUERY, body, now=NOW).records[1].title == "Error"


def test_an_empty_page_against_its_own_total_is_a_failure_and_an_honest_one_is_not():
    body = '<feed xmlns="http://www.w3.org/2005/Atom"><totalResults>{}</totalResults></feed>'
    with pytest.raises(SourceError, match="an empty page although it counts 12 results"):
        SOURCE.parse(QUERY, body.format(12).encode(), now=NOW)
    assert SOURCE.parse(QUERY, body.format(0).encode(), now=NOW).records == ()


def test_a_query_entry_that_names_no_paper_is_left_out_and_said():
    body = (FIXTURES / "arxiv_query.xml").read_bytes().replace(b"/abs/2311.00001v3", b"/abs/whatever")
    page = SOURCE.parse(QUERY, body, now=NOW)
    assert [record.id for record in page.records] == ["math.GT/0309136"]
    assert "names no paper" in page.odd[0]


def test_three_thousand_authors_of_one_entry_are_all_kept():
    names = "".join(f"<author><name>Author {number}</name></author>" for number in range(3303))
    entry = f"<entry><id>http://arxiv.org/abs/2311.00001v1</id><title>Us</title>{names}</entry>"
    body = f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'.encode()
    assert len(SOURCE.parse(QUERY, body, now=NOW).records[0].authors) == 3303


def test_a_list_page_gives_papers_and_cross_lists_of_its_day_and_leaves_replacements_out():
    records = by_id(parse(LIST, "arxiv_list.html"))
    assert {identifier: record.listings[0].kind for identifier, record in records.items()} == {
        "2611.00001": "new",
        "2611.00005": "new",
        "2611.00002": "cross",
    }
    assert all(record.listings[0].day == MONDAY for record in records.values())


def test_a_list_page_shows_most_of_a_paper():
    record = by_id(parse(LIST, "arxiv_list.html"))["2611.00001"]
    assert record.title == r"Paper boys and $\ell_2$ & norms"
    assert record.abstract == "We deliver papers."
    assert record.authors == ("Ada Example", "Zoë Example")
    assert record.categories == ("cs.LG", "stat.ML")
    assert record.comment == "3 pages"


def test_a_missed_paper_is_listed_on_the_day_it_was_announced():
    record = by_id(parse(OAI, "arxiv_oai.xml"))["2611.00007"]
    assert record.listings == (Listing("arxiv", date(2026, 11, 18), "new"),)
    assert record.title == "Missed on Wednesday"
    assert record.authors == ("Ada Example Jr", "The Round Collaboration")
    assert record.published == datetime(2026, 11, 17, tzinfo=UTC)
    assert (record.license, record.doi) == ("http://creativecommons.org/licenses/by/4.0/", "10.1000/gap")


def test_what_only_changed_or_lies_elsewhere_is_not_listed_and_what_crosses_over_is():
    records = by_id(parse(OAI, "arxiv_oai.xml"))
    assert records["1901.00008"].listings == ()
    assert records["2611.00009"].listings == ()
    assert records["2611.00010"].listings == (Listing("arxiv", date(2026, 11, 18), "cross"),)


def test_a_deleted_record_is_passed_over_and_one_without_content_is_said():
    page = parse(OAI, "arxiv_oai.xml")
    assert "2611.00011" not in by_id(page)
    assert page.odd == ()
    bare = b"<OAI-PMH><ListRecords><record><header/></record></ListRecords></OAI-PMH>"
    assert "holds no arXiv metadata" in SOURCE.parse(OAI, bare, now=NOW).odd[0]


def test_a_harvested_record_without_a_proper_id_is_left_out_and_said():
    body = (FIXTURES / "arxiv_oai.xml").read_bytes().replace(b"<id>2611.00007</id>", b"<id>??</id>")
    page = SOURCE.parse(OAI, body, now=NOW)
    assert "2611.00007" not in by_id(page)
    assert "'??' is not an arXiv identifier" in page.odd[0]


def test_an_expired_token_is_told_in_arxivs_words():
    body = b'<OAI-PMH><error code="badResumptionToken">unknown or expired token</error></OAI-PMH>'
    with pytest.raises(SourceError, match=r"has refused the request \(badResumptionToken: unknown or expired token\)"):
        SOURCE.parse(OAI, body, now=NOW)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (r"Fran\c{c}ois Chollet, S{\o}ren Auer", ("François Chollet", "Søren Auer")),
        (r"Petar Veli\v ckovi\'c, Aleksander M\k{a}dry", ("Petar Veličković", "Aleksander Mądry")),
        ("Ada Example III, Bob Example, III", ("Ada Example III", "Bob Example, III")),
        ("Ada Example, Ada Example", ("Ada Example",)),
        ("", ()),
    ],
)
def test_creators_are_split_and_their_accents_decoded(text, names):
    assert read_creators(text) == names


@pytest.mark.parametrize("name", ["O'Brien & Sons 100% #1 ~x $y$", "{braces}", "Müller"])
def test_a_name_without_a_backslash_stays_as_it_is(name):
    assert decode_tex(name) == name


@pytest.mark.parametrize("name", ["{\\'e", "\\", "a\\", "\\unknown{x} y", "\\'"])
def test_broken_tex_never_fails(name):
    assert isinstance(decode_tex(name), str)
