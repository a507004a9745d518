"""What holds for all tests: properties without deadlines, and skips that can be forbidden."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from core.database import migrate
from tests.servers.postgres import PostgresServer

# A loaded machine is not a mistake; and CI tries the same examples each time, so that it judges the change alone.
settings.register_profile("paperboy", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("paperboy")

NOT_INSTALLABLE = "../shared/data"


def pytest_addoption(parser):
    parser.addoption("--store", choices=["embedded", "postgresql"], default="embedded", help="where commands keep all")
    parser.addoption("--no-skips", action="store_true", help="fail when a test is skipped that an install could run")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    avoidable = [report for report in skipped if NOT_INSTALLABLE not in str(report.longrepr)]
    if session.config.getoption("--no-skips") and avoidable:
        names = "\n  ".join(report.nodeid for report in avoidable)
        reporter.write_line(f"\nskipped, where nothing may be skipped:\n  {names}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL that no test stops."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres):
    """The name of a database of this version, to be copied."""
    url = postgres.new_database()
    migrate(url)
    return url.rpartition("/")[2]


@pytest.fixture
def database_url(postgres, migrated):
    """A database of this version that holds nothing yet."""
    url = postgres.new_database(migrated)
    yield url
    postgres.run(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')
