"""A shell for each test; one library that was filled once, and is copied for whoever only reads it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browsers import CHROMIUM, NO_CHROMIUM, open_chromium
from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.shells import Shell
from tests.stories import tell_stories


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


@pytest.fixture(scope="session", autouse=True)
def beginning(request, tmp_path_factory):
    """Begin the stories with the first test: they wait for a minute to strike, and others can use that time."""
    if not any("stories" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    home = request.getfixturevalue("stocked_home")
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread.submit(tell_stories, tmp_path_factory.mktemp("stories"), home)


@pytest.fixture(scope="session")
def stories(beginning):
    return beginning.result()


@pytest.fixture
def stocked(tmp_path, stocked_home):
    """The morning's papers are here already, and nobody can be asked."""
    shell = Shell(tmp_path, addresses(NOWHERE))
    shutil.copytree(stocked_home, shell.home)
    return shell


@pytest.fixture(scope="session")
def chromium():
    """A real browser, started once."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with open_chromium() as browser:
        yield browser
