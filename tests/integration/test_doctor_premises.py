"""What the doctor says about the machine around paperboy."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from os import utime

import httpx
import pytest

from bots.terminal.backup import NOTE
from bots.terminal.premises import (
    check_backup,
    check_clock,
    check_keys,
    check_log,
    check_rights,
    checks_of_figures,
)
from core.http import Http
from core.keys import KEPT_IN, Keys
from core.papers.sources import Get, Lane
from core.settings import Settings
from tests.fakes import MemoryStore
from tests.worlds import MONDAY, open_world

NEW, OLD = "a new secret of thirty-two characters", "an old secret of thirty-two characters"


def settings_for(home, **tables):
    return Settings.model_validate({"home": home, **tables})


# Rights


def test_a_file_that_others_can_read_is_named_with_the_mend(tmp_path):
    for name in ("state-1.json", "state-1.journal", "deliveries.sqlite3", "notes.txt"):
        (tmp_path / name).touch(mode=0o600)
    tmp_path.chmod(0o755)
    assert [check.well for check in check_rights(settings_for(tmp_path))] == [True]
    (tmp_path / "notes.txt").chmod(0o644)
    assert [check.well for check in check_rights(settings_for(tmp_path))] == [True], "it is not ours"
    (tmp_path / "state-1.journal").chmod(0o644)
    (check,) = check_rights(settings_for(tmp_path))
    assert not check.well
    assert "state-1.journal" in check.details
    assert f"chmod -R go= {tmp_path}" in check.details
    tmp_path.chmod(0o700)
    assert [check.well for check in check_rights(settings_for(tmp_path))] == [True], "nobody gets into the folder"


# Keys


async def keys_line(folder, store, **secrets):
    async with open_world(folder, store=store, home=folder, secrets=secrets) as world:
        check = await check_keys(world.house)
    return check.well, check.details


async def test_where_the_secret_is_and_what_still_needs_an_old_one_is_told(tmp_path):
    store = MemoryStore()
    well, said = await keys_line(tmp_path, store)
    assert well
    assert "none yet" in said
    _, shared = await keys_line(tmp_path, store, database_url="postgresql://paperboy@127.0.0.1/paperboy")
    assert "none yet" in shared
    assert "set PAPERBOY_SECRET_KEY for all of them" in shared
    assert not (tmp_path / KEPT_IN).exists(), "looking makes none"
    await store.keep_sealed("slack:T1", Keys(OLD).box("slack tokens").encrypt(b"x").decode())
    both = {"paperboy_secret_key": NEW, "paperboy_secret_key_old": OLD}
    assert await keys_line(tmp_path, store, paperboy_secret_key=OLD) == (True, "PAPERBOY_SECRET_KEY")
    well, said = await keys_line(tmp_path, store, **both)
    assert well
    assert "1 from before believed, 1 of 1 sealed texts still need them: run `paperboy migrate`" in said
    well, said = await keys_line(tmp_path, store, paperboy_secret_key=NEW)
    assert not well
    assert "No secret opens what is sealed as slack:T1" in said
    (tmp_path / KEPT_IN).write_text(f"{OLD}\n", encoding="ascii")
    _, said = await keys_line(tmp_path, store, database_url="postgresql://paperboy@127.0.0.1/paperboy")
    assert "other machines make another: set PAPERBOY_SECRET_KEY for all of them" in said


# Backups


def test_a_backup_of_last_week_is_too_old_and_none_at_all_is_told(tmp_path):
    settings, now = settings_for(tmp_path), datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert "none is known" in check_backup(settings, now).details
    (tmp_path / NOTE).touch()
    for age, well, told in ((timedelta(hours=5), True, "5.0 hours ago"), (timedelta(days=8), False, "8 days ago")):
        at = (now - age).timestamp()
        utime(tmp_path / NOTE, (at, at))
        check = check_backup(settings, now)
        assert check.well == well
        assert told in check.details


# The clock


@pytest.mark.parametrize(
    ("ahead", "well", "told"),
    [
        ([], True, "not compared"),
        ([0.4, -3.0], True, "within 1 s"),
        ([59.0], True, "within 59 s"),
        ([400.0, 390.0], False, "390 s ahead of"),
        ([-4000.0], False, "4,000 s behind"),
        ([7200.0, 1.0], True, "within 1 s"),
    ],
)
def test_a_clock_that_is_off_is_told_unless_it_is_theirs(ahead, well, told):
    check = check_clock(ahead)
    assert check.well == well
    assert told in check.details


@pytest.mark.parametrize(
    ("headers", "ahead"),
    [
        ({"Date": "Mon, 23 Nov 2026 06:59:30 GMT"}, 30),
        ({"Date": "Mon, 23 Nov 2026 06:58:30 GMT", "Age": "60"}, 30),
        ({"Date": "Mon, 23 Nov 2026 06:59:30 -0000"}, None),
        ({"Date": "yesterday"}, None),
        ({"Date": "Mon, 23 Nov 2026 06:59:30 GMT", "Age": "old"}, None),
        ({}, None),
    ],
)
async def test_an_answer_tells_how_far_our_clock_is_ahead(tmp_path, headers, ahead):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, text="{}"))
    async with open_world(tmp_path) as world:
        http = Http(Settings(), world.house.library, clock=lambda: MONDAY, transport=transport)
        lane = Lane("test", 0)
        answer = await http.get(Get("test", "page", "http://paperboy.test/", lane=lane, accepts=("text/plain",)))
        await http.close()
    assert answer.ahead == ahead


# Log and figures


def test_what_is_logged_is_told():
    assert check_log(Settings()).details == "info and above to stderr, as text on a terminal, JSON elsewhere"
    assert check_log(Settings.model_validate({"log": {"format": "json", "level": "debug"}})).details.endswith("JSON")


async def figures_lines(*, running=False, **table):
    return [check async for check in checks_of_figures(Settings.model_validate({"metrics": table}), running=running)]


async def test_figures_are_asked_for_while_the_service_runs():
    (check,) = await figures_lines()
    assert "switched off" in check.details
    (check,) = await figures_lines(enabled=True, host="0.0.0.0")
    assert "other machines can reach" in check.details
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (check,) = await figures_lines(running=True, enabled=True, port=port)
        assert (check.well, check.details) == (True, f"http://127.0.0.1:{port}/metrics")
    (check,) = await figures_lines(running=True, enabled=True, port=port)
    assert not check.well
    assert "nothing answers" in check.details
