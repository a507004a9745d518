"""The truth about papers, row by row as every machine's library holds it.

`core/papers/replicated.py` names the tables and their columns; here they are as they were when this step was written.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = """
CREATE TABLE library_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), identity text NOT NULL, layout integer NOT NULL
);
INSERT INTO library_head (identity, layout) VALUES (replace(gen_random_uuid()::text, '-', ''), 2);

CREATE TABLE library_batches (
    batch bigint PRIMARY KEY, token text NOT NULL, listed bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE library_removed (name text, key jsonb, batch bigint NOT NULL, PRIMARY KEY (name, key));

CREATE TABLE library_papers (
    number bigint PRIMARY KEY, id text NOT NULL UNIQUE, change bigint NOT NULL, withdrawn bigint NOT NULL,
    published text, upvotes double precision, doi text NOT NULL, first_seen text NOT NULL, sources text NOT NULL,
    title text NOT NULL, authors text NOT NULL, abstract text NOT NULL, details text NOT NULL, batch bigint NOT NULL
);
CREATE TABLE library_records (
    rowid bigint PRIMARY KEY, paper bigint NOT NULL, source text NOT NULL, body bytea NOT NULL, batch bigint NOT NULL
);
CREATE TABLE library_signals (
    paper bigint, name text, source text, hour text, at text NOT NULL, value double precision NOT NULL,
    batch bigint NOT NULL, PRIMARY KEY (paper, name, source, hour)
);
CREATE TABLE library_listings (
    sequence bigint PRIMARY KEY, paper bigint NOT NULL, source text NOT NULL, day text NOT NULL, kind text NOT NULL,
    batch bigint NOT NULL
);
CREATE TABLE library_happenings (
    rowid bigint PRIMARY KEY, paper bigint NOT NULL, kind text NOT NULL, detail text NOT NULL, at text NOT NULL,
    batch bigint NOT NULL
);
CREATE TABLE library_facts (name text PRIMARY KEY, value text NOT NULL, batch bigint NOT NULL);
INSERT INTO library_facts SELECT 'identity', identity, 0 FROM library_head;
CREATE INDEX library_removed_by_batch ON library_removed (batch);
CREATE INDEX library_papers_by_batch ON library_papers (batch);
CREATE INDEX library_records_by_batch ON library_records (batch);
CREATE INDEX library_signals_by_batch ON library_signals (batch);
CREATE INDEX library_listings_by_batch ON library_listings (batch);
CREATE INDEX library_happenings_by_batch ON library_happenings (batch);
CREATE INDEX library_facts_by_batch ON library_facts (batch);

CREATE TABLE library_models (
    key text PRIMARY KEY, model text NOT NULL, centre bytea NOT NULL, subjects bytea NOT NULL, whole_at timestamptz
);
CREATE TABLE library_vectors (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL REFERENCES library_models ON DELETE CASCADE, upto bigint NOT NULL, numbers bytea NOT NULL,
    digests bytea NOT NULL, rows bytea NOT NULL, scales bytea NOT NULL, offsets bytea NOT NULL
);
CREATE INDEX library_vectors_by_key ON library_vectors (key, place);
"""


def upgrade() -> None:
    """Make the tables."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(_TABLES)
