"""Real answers, recorded by others, where they lie beside the project; skipped everywhere else."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import SourceError
from core.papers.paper import arxiv_id
from core.papers.sources import Backfill, Lookup, Newest, create_source
from core.settings import Settings

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ARXIV = create_source("arxiv", Settings())
HUGGINGFACE = create_source("huggingface", Settings())
(QUERY,) = ARXIV.ask(Lookup(("1605.08386",)))
(OAI,) = ARXIV.ask(Backfill(date(2026, 1, 1), date(2026, 11, 23), ("hep-ex",)))

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="no recorded answers beside the project (../shared/data)")


def check_record(record):
    assert arxiv_id(record.id) == record.id
    assert record.title == " ".join(record.title.split()) != ""
    assert "&amp;" not in record.title + record.abstract
    assert len(set(record.authors)) == len(record.authors)


def test_every_recorded_day_of_hugging_face_is_read_without_a_loss():
    for path in sorted((DATA / "hf_daily").glob("*.json.gz")):
        day = date.fromisoformat(path.name[:10])
        get = HUGGINGFACE.ask(Newest(day, day))[0]
        body = gzip.decompress(path.read_bytes())
        page = HUGGINGFACE.parse(get, body, now=NOW)
        assert page.odd == ()
        assert [record.id for record in page.records] == [entry["paper"]["id"] for entry in json.loads(body)]
        for record in page.records:
            check_record(record)
            assert record.published is not None
            assert {listing.day for listing in record.listings} == {day}
            assert "upvotes" in {signal.name for signal in record.signals}


def test_recorded_answers_of_the_query_api_are_read_or_refused_as_they_should_be():
    refused, read = [], 0
    for path in sorted((DATA / "raw_samples" / "arxiv_api").glob("*.xml")):
        try:
            page = ARXIV.parse(QUERY, path.read_bytes(), now=NOW)
        except SourceError as error:
            refused.append((path.name, error.reason))
            continue
        assert page.odd == ()
        for record in page.records:
            read += 1
            check_record(record)
            assert record.abstract
            assert record.authors
            assert record.categories
            assert record.published is not None
            assert record.version is not None
    assert read > 150
    assert refused
    assert all(reason == "has refused the request (incorrect id format for abc)" for _, reason in refused)


def test_recorded_records_of_oai_pmh_are_read():
    read = 0
    for path in sorted((DATA / "raw_samples" / "oai_pmh" / "hepcrawl").glob("arxiv-physics-*.xml")):
        page = ARXIV.parse(OAI, path.read_bytes(), now=NOW)
        for record in page.records:
            read += 1
            check_record(record)
            assert record.license
            assert record.categories
    assert read > 3
