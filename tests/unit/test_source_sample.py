from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.errors import SourceError
from core.papers.paper import arxiv_id
from core.papers.sources import Lookup, Newest
from core.papers.sources.sample import Sample
from core.settings import Settings, config_file

SOURCE = Sample(Settings())
(GET,) = SOURCE.ask(Newest(date(2026, 11, 23), date(2026, 11, 22)))


def parse(now):
    return SOURCE.parse(GET, config_file("sample.json").read_bytes(), now=now)


def test_the_sample_is_the_same_at_any_time():
    assert parse(datetime(2026, 11, 23, tzinfo=UTC)) == parse(datetime(2031, 1, 1, tzinfo=UTC))


def test_the_sample_holds_a_dozen_whole_papers():
    records = parse(datetime(2026, 11, 23, tzinfo=UTC)).records
    assert len(records) == 12
    assert all(arxiv_id(record.id) == record.id for record in records)
    assert all(record.title and record.authors and record.published and record.listings for record in records)
    assert all(150 < len(record.abstract) < 450 for record in records)


def test_every_record_of_the_sample_names_it_so_that_it_can_be_marked():
    records = parse(datetime(2026, 11, 23, tzinfo=UTC)).records
    assert {record.source for record in records} == {"sample"}
    assert {listing.source for record in records for listing in record.listings} == {"sample"}


def test_the_sample_shows_a_digest_that_has_something_to_rank():
    upvotes = {record.signals[0].value for record in parse(datetime(2026, 11, 23, tzinfo=UTC)).records}
    assert len(upvotes) >= 6


def test_the_sample_answers_no_look_ups():
    assert SOURCE.ask(Lookup(("2611.10001",))) == ()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"about": "x", "day": "soon", "papers": []}'])
def test_a_broken_sample_is_a_failure_in_one_sentence(body):
    with pytest.raises(SourceError, match=r"^sample: cannot be read"):
        SOURCE.parse(GET, body, now=datetime(2026, 11, 23, tzinfo=UTC))
