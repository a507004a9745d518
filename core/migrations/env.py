"""EDGE. Runs the steps over the connection that `core.database.migrate` opened; Alembic imports it by its place."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from core.database import VERSION_TABLE

opened = context.config.attributes["connection"]
engine = create_engine("postgresql+psycopg://", creator=lambda: opened, poolclass=StaticPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose(close=False)
