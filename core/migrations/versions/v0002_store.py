"""The state that must not be lost: subscriptions, deliveries, marks, small facts.

Names and addresses are compared byte by byte (`COLLATE "C"`), so that their order is that of the other stores, and an
index answers what begins with a text.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE subscriptions (
    id text COLLATE "C" PRIMARY KEY,
    address text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    interests text NOT NULL,
    at time,
    timezone text NOT NULL,
    days smallint[] NOT NULL CHECK (days <@ '{0,1,2,3,4,5,6}'),
    top integer NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    active_from timestamptz NOT NULL,
    when_ready boolean NOT NULL,
    weekly boolean NOT NULL,
    quiet boolean NOT NULL,
    no_repeats boolean NOT NULL,
    pause_reason text,
    pause_since timestamptz,
    pause_by_hand boolean,
    look_at timestamptz NOT NULL DEFAULT '-infinity',
    looked_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT subscriptions_number UNIQUE (address, number),
    CONSTRAINT subscriptions_pause CHECK (num_nulls(pause_reason, pause_since, pause_by_hand) IN (0, 3))
);
COMMENT ON COLUMN subscriptions.look_at IS 'before this instant it is not due';
COMMENT ON COLUMN subscriptions.looked_at IS 'what the clock said of whoever found that out';
CREATE INDEX subscriptions_to_look_at ON subscriptions (look_at);
CREATE INDEX subscriptions_looked_at ON subscriptions (looked_at);
CREATE INDEX subscriptions_by_maker ON subscriptions (created_by);
CREATE INDEX subscriptions_stopped ON subscriptions (id) WHERE NOT pause_by_hand;

CREATE TABLE changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    address text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    what text NOT NULL
);
CREATE INDEX changes_by_place ON changes (address, id);
CREATE INDEX changes_by_person ON changes (person);

CREATE TABLE deliveries (
    subscription text COLLATE "C" NOT NULL,
    day date NOT NULL,
    address text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unknown', 'dead')),
    due_at timestamptz NOT NULL,
    composed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    papers text[] COLLATE "C" NOT NULL,
    ranks integer[] NOT NULL,
    reasons text[] NOT NULL,
    message text NOT NULL,
    upto bigint NOT NULL,
    not_before timestamptz,
    attempts integer NOT NULL CHECK (attempts >= 0),
    parts text[] NOT NULL,
    note text NOT NULL,
    silence text NOT NULL,
    lacking text[] NOT NULL,
    told text[] NOT NULL,
    PRIMARY KEY (subscription, day),
    CONSTRAINT deliveries_sent CHECK (state <> 'sent' OR message = ''),
    CONSTRAINT deliveries_shown CHECK (
        cardinality(papers) = cardinality(ranks) AND cardinality(papers) = cardinality(reasons)
    )
);
CREATE INDEX deliveries_open ON deliveries (due_at) WHERE state IN ('pending', 'sending', 'unknown');
CREATE INDEX deliveries_by_place ON deliveries (address, composed_at);
CREATE INDEX deliveries_lacking ON deliveries (composed_at) WHERE state = 'sent' AND lacking <> '{}';
CREATE INDEX deliveries_settled ON deliveries (composed_at) WHERE state IN ('sent', 'dead');
CREATE INDEX deliveries_by_paper ON deliveries USING gin (papers);

CREATE TABLE marks (
    person text COLLATE "C" NOT NULL,
    paper text COLLATE "C" NOT NULL,
    about text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (person, paper, about),
    CONSTRAINT marks_about CHECK (about = CASE WHEN kind IN ('up', 'down') THEN 'vote ' || place ELSE kind END)
);
COMMENT ON COLUMN marks.about IS 'what a person has one of for a paper: a vote in each place, or a kind anywhere';
CREATE INDEX marks_by_place ON marks (place, at);

CREATE TABLE kept_texts (
    token text COLLATE "C" PRIMARY KEY,
    text text NOT NULL,
    used date NOT NULL
);
CREATE INDEX kept_texts_by_use ON kept_texts (used);

CREATE TABLE small_facts (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE sealed_texts (
    name text COLLATE "C" PRIMARY KEY,
    text text NOT NULL
);

CREATE TABLE correspondents (
    name text COLLATE "C" PRIMARY KEY,
    document text NOT NULL
);

CREATE TABLE letters (
    key text COLLATE "C" PRIMARY KEY,
    step text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX letters_by_age ON letters (at);
"""


def upgrade() -> None:
    """Make the tables."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(TABLES)
