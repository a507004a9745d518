"""The whole service while its database is stopped and started again."""

from __future__ import annotations

import httpx
import pytest

from core.database import migrate
from tests.servers.postgres import PostgresServer
from tests.shells import PATIENCE, Shell


@pytest.fixture
def server():
    with PostgresServer() as made:
        yield made


def readiness(page):
    return httpx.get(f"{page}/readyz", trust_env=False, timeout=PATIENCE)


def test_the_service_goes_on_by_itself_and_says_in_two_lines_what_happened(tmp_path, sources, server):
    url = server.new_database()
    migrate(url)
    shell = Shell(tmp_path, {**sources.environment, "DATABASE_URL": url})
    with shell.start("run") as service:
        page = service.page()
        service.fetched()
        assert readiness(page).status_code == 200
        server.stop()
        away = readiness(page)
        assert (away.status_code, away.text.count("the store cannot be read")) == (503, 1)
        assert httpx.get(f"{page}/stats", trust_env=False, timeout=PATIENCE).status_code == 503
        server.start()
        service.until(lambda: readiness(page).status_code == 200)
        service.until(lambda: "the database is back" in service.err)
        assert shell.run("subscriptions", "add", "slack:T1/C1", "grokking").code == 0
        ended = service.end()
    assert ended.code == 0
    lines = [line for line in ended.err.splitlines() if "core.database" in line]
    assert ["ERROR" in line for line in lines] == [True, False]
    assert "All that needs it waits, and goes on by itself when it is back." in lines[0]
    loud = [line for line in ended.err.splitlines() if " ERROR " in line or " WARNING " in line]
    others = [line for line in loud if line not in lines]
    assert len(others) <= 1, others  # that papers of other machines do not come in
