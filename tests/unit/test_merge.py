"""Several records of one work -> one Paper: which source wins, which version wins, and what is never lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from core.papers.merge import PRECEDENCE, is_older, merge_records, merge_same_source, order_listings, order_signals
from core.papers.paper import Listing, Record
from tests.shelves import NOON, listed, make_record, make_signal

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
SECOND = datetime(2026, 9, 20, tzinfo=UTC)


def test_arxiv_says_what_a_paper_is_and_hugging_face_where_its_code_is():
    arxiv = make_record(
        title="The Title", abstract="From arXiv.", authors=("Ada Lovelace",), code_url="https://a.org/x"
    )
    face = make_record(
        title="the title!",
        source="huggingface",
        abstract="From Hugging Face.",
        authors=("Lovelace",),
        code_url="https://github.com/ada/engine",
        ai_summary="Short.",
    )
    for records in ((arxiv, face), (face, arxiv)):
        paper = merge_records(records)
        assert (paper.title, paper.abstract, paper.authors) == ("The Title", "From arXiv.", ("Ada Lovelace",))
        assert (paper.code_url, paper.ai_summary) == ("https://github.com/ada/engine", "Short.")


def test_a_source_that_is_silent_leaves_the_word_to_the_next():
    paper = merge_records([make_record(), make_record(source="huggingface", abstract="Only here.", title="other")])
    assert (paper.title, paper.abstract) == ("Grokking", "Only here.")


def test_an_import_never_overrules_a_source():
    imported = make_record(source="import", title="Old", abstract="Old.", categories=("cs.AI",))
    face = make_record(source="huggingface", title="New", abstract="New.")
    paper = merge_records([imported, face])
    assert (paper.title, paper.abstract, paper.categories) == ("New", "New.", ("cs.AI",))


def test_a_source_that_the_table_does_not_name_fills_what_nobody_says():
    paper = merge_records([make_record(source="biorxiv", doi="10.1101/1", title="Theirs"), make_record()])
    assert (paper.title, paper.doi, paper.sources) == ("Grokking", "10.1101/1", ("biorxiv", "arxiv"))


def test_every_field_that_a_record_can_say_has_its_row_in_the_table():
    apart = {"id", "source", "withdrawn", "signals", "listings"}
    assert set(PRECEDENCE) == set(Record.__dataclass_fields__) - apart


def test_a_feed_without_a_comment_does_not_erase_the_one_that_the_api_gave():
    api = make_record(comment="12 pages", doi="10.1/x", version=1, updated=FIRST)
    feed = make_record(title="Grokking, Better", version=1)
    merged = merge_same_source(api, feed)
    assert (merged.title, merged.comment, merged.doi) == ("Grokking, Better", "12 pages", "10.1/x")


def test_a_newer_version_overwrites_and_an_older_one_fills_gaps_only():
    old = make_record(title="First Try", version=1, updated=FIRST, license="https://l.org")
    new = make_record(title="Second Try", version=2, updated=SECOND)
    for held, fresh in ((old, new), (new, old)):
        merged = merge_same_source(held, fresh)
        assert (merged.title, merged.version, merged.updated) == ("Second Try", 2, SECOND)
        assert merged.license == "https://l.org"


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        (make_record(version=1), make_record(version=2), True),
        (make_record(version=2), make_record(version=1), False),
        (make_record(version=1), make_record(version=1), False),
        (make_record(updated=FIRST), make_record(updated=SECOND), True),
        (make_record(version=2, updated=FIRST), make_record(version=1, updated=SECOND), False),
        (make_record(version=1), make_record(updated=SECOND), False),
        (make_record(), make_record(), False),
    ],
)
def test_versions_tell_what_is_older_and_dates_where_versions_are_silent(one, other, older):
    assert is_older(one, other) is older


def test_the_order_in_which_versions_arrive_does_not_matter():
    versions = [
        make_record(title=f"Try {number}", version=number, updated=FIRST + timedelta(days=number))
        for number in (1, 2, 3)
    ]
    papers = {merge_records(order) for order in permutations(versions)}
    assert len(papers) == 1
    assert papers.pop().title == "Try 3"


def test_a_withdrawal_that_any_source_tells_counts():
    paper = merge_records([make_record(withdrawn=True), make_record(source="huggingface")])
    assert paper.withdrawn


def test_a_feed_that_knows_nothing_of_a_withdrawal_does_not_undo_it():
    withdrawn = make_record(version=2, withdrawn=True)
    assert merge_same_source(withdrawn, make_record(version=2)).withdrawn
    assert merge_same_source(withdrawn, make_record()).withdrawn
    assert merge_same_source(withdrawn, make_record(version=1)).withdrawn


def test_a_later_version_that_is_not_withdrawn_brings_a_paper_back():
    assert not merge_same_source(make_record(version=2, withdrawn=True), make_record(version=3)).withdrawn


def test_readings_and_listings_of_all_records_are_kept():
    arxiv = make_record(listings=listed(date(2026, 10, 7)))
    face = make_record(
        source="huggingface",
        signals=(make_signal("upvotes", 3),),
        listings=listed(date(2026, 10, 6), "huggingface", "daily"),
    )
    paper = merge_records([arxiv, face, face], first_seen=NOON)
    assert paper.signals == (make_signal("upvotes", 3),)
    assert [listing.source for listing in paper.listings] == ["huggingface", "arxiv"]
    assert paper.first_seen == NOON


def test_records_of_two_works_are_never_made_one():
    with pytest.raises(ValueError, match="exactly one work"):
        merge_records([make_record("2610.00001"), make_record("2610.00002", source="huggingface")])
    with pytest.raises(ValueError, match="exactly one work"):
        merge_records([])


def test_of_several_readings_in_one_hour_the_last_is_kept():
    readings = [
        make_signal("upvotes", 3, NOON + timedelta(minutes=5)),
        make_signal("upvotes", 2, NOON),
        make_signal("upvotes", 4, NOON + timedelta(hours=1)),
        make_signal("stars", 9, NOON + timedelta(minutes=1)),
    ]
    assert [(signal.name, signal.value) for signal in order_signals(readings)] == [
        ("stars", 9),
        ("upvotes", 3),
        ("upvotes", 4),
    ]


def test_readings_of_two_sources_do_not_replace_each_other():
    readings = [make_signal("points", 1, source="hackernews"), make_signal("points", 2, source="lobsters")]
    assert set(order_signals(readings)) == set(readings)


def test_a_source_lists_a_paper_once_and_a_replacement_lists_nothing():
    day = date(2026, 10, 7)
    listings = [
        Listing("arxiv", day, "replace"),
        Listing("arxiv", day, "cross"),
        Listing("arxiv", day, "new"),
        Listing("arxiv", day + timedelta(days=1), "new"),
        Listing("huggingface", day, "daily"),
    ]
    assert order_listings(listings) == (Listing("arxiv", day, "new"), Listing("huggingface", day, "daily"))
    assert order_listings([Listing("arxiv", day, "replace-cross")]) == ()
