"""How a PostgreSQL database comes to this version: Alembic's steps, a file each in `versions/`, in one transaction."""
