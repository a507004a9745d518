"""EDGE. What PostgreSQL says that went wrong, as one sentence for a person, without the address and its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg.errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from core.errors import StoreError, StoreUnreachable
from core.spelling import NO_TEXT


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into one sentence for a person, without the password.

    Raises:
        StoreUnreachable: it does not answer, or the connection broke.
        StoreError: what else is wrong, and what helps.
    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, OSError) as error:
        raise (StoreUnreachable if _is_unreachable(error) else StoreError)(_sentence(error, url)) from error
    except UnicodeEncodeError as error:
        raise StoreError(NO_TEXT) from error


def _is_unreachable(error: Exception) -> bool:
    """Whether the server could not be reached, hung up or is shutting down, rather than refusing what was asked.

    https://www.postgresql.org/docs/16/errcodes-appendix.html
    """
    if not isinstance(error, psycopg.OperationalError):
        return isinstance(error, OSError)
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P")) or error.sqlstate == "53300"


def place(url: str) -> str:
    """Return a database's name and host, for people."""
    try:
        known = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # such as a parameter that there is not
        return "at the address given"
    return f"{known.get('dbname') or 'the default database'} at {known.get('host') or 'localhost'}"


def _sentence(error: Exception, url: str) -> str:
    where = place(url)
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidSchemaName):
        new = " if it is new, run `paperboy migrate` as the role that owns it;" if "for schema" in str(error) else ""
        return f"The database {where} refuses its user ({_first_line(error)});{new} docs/operating.md names the rights."
    if _is_unreachable(error):
        return f"The database {where} cannot be reached ({_first_line(error)})."
    return f"The database {where} cannot be used ({_first_line(error)})."


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
