"""A shell for each test; one library that was filled once, and is copied for whoever only reads it."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browsers import CHROMIUM, NO_CHROMIUM, open_chromium
from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.shells import Databases, Shell
from tests.stories import tell_stories


def pytest_collection_modifyitems(config, items):
    """What is about data folders alone has nothing to say of databases."""
    if config.getoption("--store") == "postgresql":
        about_folders = pytest.mark.skip(reason="it is about the data folder, and runs without --store postgresql")
        for item in items:
            if item.get_closest_marker("data_folder"):
                item.add_marker(about_folders)


@pytest.fixture(scope="session")
def databases(request):
    """With `--store postgresql`, what every command keeps is in a database."""
    if request.config.getoption("--store") == "postgresql":
        Shell.databases = Databases(request.getfixturevalue("postgres"), request.getfixturevalue("migrated"))
    yield
    Shell.databases = None


@pytest.fixture
def sources():
    with SourcesServer() as server:
        yield server


@pytest.fixture
def shell(tmp_path, sources):
    """A first start: an empty folder, and sources that answer."""
    return Shell(tmp_path, sources.environment)


@pytest.fixture(scope="session")
def stocked_home(tmp_path_factory, databases):
    folder = tmp_path_factory.mktemp("stock")
    with SourcesServer() as server:
        filled = Shell(folder, server.environment)
        assert filled.run("fetch").code == 0
        assert filled.run("subscriptions", "add", "slack:T1/C1", "grokking", "at", "08:00").code == 0
    return filled.home


@pytest.fixture(scope="session", autouse=True)
def beginning(request, tmp_path_factory, databases):
    """Begin the stories with the first test: they wait for a minute to strike, and others can use that time.

    Where several processes share the tests, the first one tells them for all.
    """
    if not any("stories" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    shared = "PYTEST_XDIST_WORKER" in os.environ
    place = tmp_path_factory.getbasetemp().parent if shared else tmp_path_factory.getbasetemp()
    told = place / "stories.pickle"
    try:
        place.joinpath("stories.begun").touch(exist_ok=False)
    except FileExistsError:
        yield told
        return
    home = request.getfixturevalue("stocked_home")
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(write_stories, told, tmp_path_factory.mktemp("stories"), home)
        yield told


def write_stories(told, folder, home):
    """Tell the stories, and write them, or what went wrong."""
    try:
        stories = tell_stories(folder, home)
    except BaseException as error:  # noqa: BLE001 - raised again by whoever asks for them
        stories = error
    draft = told.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(stories))
    draft.replace(told)


@pytest.fixture(scope="session")
def stories(beginning):
    while not beginning.exists():
        time.sleep(0.2)
    stories = pickle.loads(beginning.read_bytes())
    if isinstance(stories, BaseException):
        raise stories
    return stories


@pytest.fixture
def stocked(tmp_path, stocked_home):
    """The morning's papers are here already, and nobody can be asked."""
    shell = Shell(tmp_path, addresses(NOWHERE))
    shell.begin_with(stocked_home)
    return shell


@pytest.fixture(scope="module")
def chromium():
    """A real browser. It ends with its module: while its driver runs, asynchronous tests cannot (it holds the loop)."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with open_chromium() as browser:
        yield browser
