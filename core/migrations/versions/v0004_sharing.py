"""What several processes need to share work: names that came up, and a quicker way to the jobs of one lock.

The job queue asks of each job that it gives away whether another of its lock is waiting or under way. Its own index for
that begins with the job's number, so each such question would read all that wait.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE noted_names (
    name text COLLATE "C" PRIMARY KEY,
    at timestamptz NOT NULL
);
CREATE INDEX noted_names_by_age ON noted_names (at);
CREATE INDEX jobs_by_lock ON procrastinate_jobs (lock, priority, id) WHERE status IN ('todo', 'doing');
"""


def upgrade() -> None:
    """Make them."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(TABLES)
