"""EDGE. Papers as rows: how records are kept, and how rows become Papers again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from core.papers.happenings import find_happenings, write_happenings
from core.papers.merge import merge_records, merge_same_source, order_listings, order_signals
from core.papers.paper import Listing, Paper, Record, Signal
from core.papers.portions import portions
from core.papers.tokens import token_key
from core.papers.word_index import index_words, unindex_words

RECENT = timedelta(days=14)
AHEAD = timedelta(days=1)  # a source east of us may already list tomorrow; anything later is a mistake of the source
_COLUMNS = "sources, title, authors, abstract, details, published, doi, withdrawn"
_CHUNK = 400


class _Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What no filter asks for."""

    categories: tuple[str, ...] = ()
    updated: datetime | None = None
    version: int | None = None
    comment: str = ""
    journal_ref: str = ""
    license: str = ""
    code_url: str = ""
    project_url: str = ""
    ai_summary: str = ""
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of some records.

    Attributes:
        seen: records given.
        new: papers that the library did not hold.
        changed: papers that it held otherwise.
        listed: new entries of the listing log.
    """

    seen: int = 0
    new: int = 0
    changed: int = 0
    listed: int = 0

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.seen + other.seen, self.new + other.new, self.changed + other.changed, self.listed + other.listed
        )


def ingest_records(connection: sqlite3.Connection, records: Sequence[Record], now: datetime) -> Ingested:
    """Keep records inside the caller's transaction."""
    by_id: dict[str, list[Record]] = {}
    for record in records:
        by_id.setdefault(_whole_characters(record.id), []).append(record)
    total = Ingested(seen=len(records))
    for ids in portions(by_id, _CHUNK):
        rows = _held_rows(connection, ids)
        held = _held_records(connection, [row[0] for row in rows.values()])
        for identifier in ids:
            row = rows.get(identifier)
            known = held.get(row[0], {}) if row else {}
            total += _keep(connection, row, known, by_id[identifier], now)
    return total


def _held_rows(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    query = f"SELECT id, number, {_COLUMNS} FROM papers WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
    return {row[0]: row[1:] for row in connection.execute(query, (json.dumps(ids),))}


def _held_records(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, dict[str, Record]]:
    query = "SELECT paper, source, body FROM records WHERE paper IN (SELECT value FROM json_each(?)) ORDER BY rowid"
    found: dict[int, dict[str, Record]] = {}
    for number, source, body in connection.execute(query, (json.dumps(numbers),)):
        found.setdefault(number, {})[source] = msgspec.json.decode(body, type=Record)
    return found


def _keep(
    connection: sqlite3.Connection,
    row: tuple[Any, ...] | None,
    held: Mapping[str, Record],
    fresh: Sequence[Record],
    now: datetime,
) -> Ingested:
    """Keep what is new in the records of one work."""
    by_source = dict(held)
    for record in fresh:
        said = _writable(replace(record, signals=(), listings=()))
        by_source[said.source] = merge_same_source(by_source[said.source], said) if said.source in by_source else said
    paper = merge_records(by_source.values(), first_seen=now)
    if not paper.title:  # a reading of a work that nobody has described yet: there is nothing to show
        return Ingested()
    values = _row_values(paper)
    number = row[0] if row else _insert_paper(connection, paper, values)
    changed = row is not None and row[1:] != values
    if row is not None and changed:
        _update_paper(connection, number, row[1:], paper, values)
        write_happenings(connection, number, find_happenings(held, by_source), now)
    for source, record in by_source.items():
        if record != held.get(source):
            _write_record(connection, number, source, record)
    _write_signals(connection, number, (signal for record in fresh for signal in record.signals))
    listings = order_listings(listing for record in fresh for listing in record.listings)
    listed = _write_listings(connection, number, listings, now)
    return Ingested(new=int(row is None), changed=int(changed), listed=listed)


def _writable(record: Record) -> Record:
    """Replace halves of surrogate pairs, which JSON may carry and no file can hold."""
    try:
        msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.convert(_whole_characters(msgspec.to_builtins(record)), Record)
    return record


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _whole_characters(item) for name, item in value.items()}
    return [_whole_characters(item) for item in value] if isinstance(value, list | tuple) else value


def _row_values(paper: Paper) -> tuple[Any, ...]:
    details = _Details(**{name: getattr(paper, name) for name in _Details.__struct_fields__})
    return (
        _array(paper.sources),
        paper.title,
        _array(paper.authors),
        paper.abstract,
        msgspec.json.encode(details).decode(),
        _instant(paper.published) if paper.published else None,
        paper.doi,
        int(paper.withdrawn),
    )


def _array(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode()


def _instant(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")


def _insert_paper(connection: sqlite3.Connection, paper: Paper, values: tuple[Any, ...]) -> int:
    assert paper.first_seen is not None
    cursor = connection.execute(
        f"INSERT INTO papers (id, title_key, first_seen, change, {_COLUMNS}) "  # noqa: S608 - constants
        "VALUES (?, ?, ?, (SELECT coalesce(max(change), 0) + 1 FROM papers), ?, ?, ?, ?, ?, ?, ?, ?)",
        (paper.id, token_key(paper.title), _instant(paper.first_seen), *values),
    )
    number = cursor.lastrowid
    assert number is not None
    index_words(connection, number, paper.title, paper.abstract, values[2])
    file_paper(connection, number, paper.categories, paper.sources)
    return number


def _update_paper(
    connection: sqlite3.Connection, number: int, before: tuple[Any, ...], paper: Paper, values: tuple[Any, ...]
) -> None:
    _, title, authors, abstract, *_ = before
    unindex_words(connection, number, title, abstract, authors)
    connection.execute(
        f"UPDATE papers SET (title_key, change, {_COLUMNS}) = "  # noqa: S608 - constants
        "(?, (SELECT max(change) + 1 FROM papers), ?, ?, ?, ?, ?, ?, ?, ?) WHERE number = ?",
        (token_key(paper.title), *values, number),
    )
    index_words(connection, number, paper.title, paper.abstract, values[2])
    file_paper(connection, number, paper.categories, paper.sources)


def file_paper(connection: sqlite3.Connection, number: int, categories: Iterable[str], sources: Iterable[str]) -> None:
    """File a paper under its categories and its sources, for filters."""
    connection.execute("DELETE FROM paper_categories WHERE paper = ?", (number,))
    connection.executemany(
        "INSERT OR IGNORE INTO paper_categories VALUES (?, ?)", [(category, number) for category in categories]
    )
    connection.executemany(
        "INSERT OR IGNORE INTO paper_sources VALUES (?, ?)", [(source, number) for source in sources]
    )


def _write_record(connection: sqlite3.Connection, number: int, source: str, record: Record) -> None:
    connection.execute(
        "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (paper, source) DO UPDATE SET body = excluded.body",
        (number, source, msgspec.json.encode(record)),
    )


def _write_signals(connection: sqlite3.Connection, number: int, signals: Iterable[Signal]) -> None:
    """Append readings; one that says what the newest of its day says, or is followed in its hour, is not kept."""
    readings = order_signals(signals)
    for signal in readings:
        at = _instant(signal.at)
        key = (number, signal.name, signal.source)
        last = connection.execute(
            "SELECT value FROM signals WHERE paper = ? AND name = ? AND source = ? AND hour >= ? AND at <= ? "
            "ORDER BY hour DESC LIMIT 1",
            (*key, at[:10], at),
        ).fetchone()
        if last != (signal.value,):
            connection.execute(
                "INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET at = excluded.at, value = excluded.value WHERE excluded.at >= at",
                (*key, at[:13], at, signal.value),
            )
    if any(signal.name == "upvotes" for signal in readings):
        newest = "SELECT value FROM signals WHERE paper = ?1 AND name = 'upvotes' ORDER BY at DESC LIMIT 1"
        connection.execute(f"UPDATE papers SET upvotes = ({newest}) WHERE number = ?1", (number,))  # noqa: S608 - constant


def _write_listings(connection: sqlite3.Connection, number: int, listings: Iterable[Listing], now: datetime) -> int:
    listed = 0
    for listing in listings:
        if listing.day > (now + AHEAD).date():
            continue
        row = (number, listing.source, listing.day.isoformat(), listing.kind)
        sql = "INSERT INTO listings (paper, source, day, kind) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        listed += connection.execute(sql, row).rowcount
        if listing.kind == "new":  # one category's batch may have shown as a cross-list what is new in another
            sql = "UPDATE listings SET kind = 'new' WHERE paper = ? AND source = ? AND day = ? AND kind = 'cross'"
            connection.execute(sql, row[:3])
    return listed


def read_papers(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Paper]:
    """Return the papers that are held of these, by id, in the order asked for."""
    found: dict[str, Paper] = {}
    for chunk in portions(dict.fromkeys(ids), _CHUNK):
        papers = {paper.id: paper for paper in _read_by(connection, "id", chunk).values()}
        found.update((identifier, papers[identifier]) for identifier in chunk if identifier in papers)
    return found


def read_numbered(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Paper]:
    """Return the papers that are held of these few, by number, in no order."""
    return _read_by(connection, "number", numbers)


def _read_by(connection: sqlite3.Connection, column: str, values: Sequence[str | int]) -> dict[int, Paper]:
    query = (
        f"SELECT number, id, first_seen, {_COLUMNS} FROM papers "  # noqa: S608 - constants
        f"WHERE {column} IN (SELECT value FROM json_each(?))"
    )
    rows = connection.execute(query, (json.dumps(values),)).fetchall()
    numbers = json.dumps([row[0] for row in rows])
    signals, listings = _read_signals(connection, numbers), _read_listings(connection, numbers)
    return {row[0]: _paper(row, signals.get(row[0], []), listings.get(row[0], [])) for row in rows}


def _paper(row: tuple[Any, ...], signals: Sequence[Signal], listings: Sequence[Listing]) -> Paper:
    _, identifier, first_seen, sources, title, authors, abstract, details, published, doi, withdrawn = row
    rest = msgspec.json.decode(details, type=_Details)
    return Paper(
        id=identifier,
        title=title,
        abstract=abstract,
        authors=msgspec.json.decode(authors, type=tuple[str, ...]),
        published=datetime.fromisoformat(published) if published else None,
        doi=doi,
        withdrawn=bool(withdrawn),
        sources=msgspec.json.decode(sources, type=tuple[str, ...]),
        signals=_recent(signals),
        listings=tuple(listings),
        first_seen=datetime.fromisoformat(first_seen),
        **{name: getattr(rest, name) for name in _Details.__struct_fields__},
    )


def _recent(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """Keep the readings of the 14 days up to the newest, and of each name and source the last one before these."""
    if not signals:
        return ()
    start = signals[-1].at - RECENT
    before = {(signal.name, signal.source): signal for signal in signals if signal.at < start}
    return (*sorted(before.values(), key=lambda signal: signal.at), *(s for s in signals if s.at >= start))


def _read_signals(connection: sqlite3.Connection, numbers: str) -> dict[int, list[Signal]]:
    found: dict[int, list[Signal]] = {}
    query = (
        "SELECT paper, name, source, at, value FROM signals WHERE paper IN (SELECT value FROM json_each(?)) "
        "ORDER BY at, name"
    )
    for number, name, source, at, value in connection.execute(query, (numbers,)):
        found.setdefault(number, []).append(Signal(name, value, datetime.fromisoformat(at), source))
    return found


def _read_listings(connection: sqlite3.Connection, numbers: str) -> dict[int, list[Listing]]:
    found: dict[int, list[Listing]] = {}
    query = (
        "SELECT paper, source, day, kind FROM listings WHERE paper IN (SELECT value FROM json_each(?)) "
        "ORDER BY day, sequence"
    )
    for number, source, day, kind in connection.execute(query, (numbers,)):
        found.setdefault(number, []).append(Listing(source, date.fromisoformat(day), kind))
    return found
