"""A shell for each test; one library that was filled once, and is copied for whoever only reads it."""

from __future__ import annotations

import shutil

import pytest

from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.shells import Shell


@pytest.fixture
def sources():
    with SourcesServer() as server:
        yield server


@pytest.fixture
def shell(tmp_path, sources):
    """A first start: an empty folder, and sources that answer."""
    return Shell(tmp_path, sources.environment)


@pytest.fixture(scope="session")
def stocked_home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stock")
    with SourcesServer() as server:
        filled = Shell(folder, server.environment)
        assert filled.run("fetch").code == 0
        assert filled.run("subscriptions", "add", "slack:T1/C1", "grokking", "at", "08:00").code == 0
    return filled.home


@pytest.fixture
def stocked(tmp_path, stocked_home):
    """The morning's papers are here already, and nobody can be asked."""
    shell = Shell(tmp_path, addresses(NOWHERE))
    shutil.copytree(stocked_home, shell.home)
    return shell
