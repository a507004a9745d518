"""Subscriptions from a file: nothing gets in that could not have been typed, nor whom a reader had deleted."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime

import msgspec
import pytest

from bots.email.links import Signer
from bots.email.people import erase
from bots.house import open_house
from bots.terminal.exported import read_export
from bots.terminal.subscriptions import subscriptions
from core.delivery.optin import VOUCHED
from core.settings import read_settings
from tests.fakes import make_subscription

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
READER = "email:reader@example.org"


@pytest.fixture
def settings(tmp_path):
    return read_settings({"PAPERBOY_HOME": str(tmp_path / "data"), "PAPERBOY_MODEL__ENABLED": "false"})


def line(**changes):
    return json.dumps({**msgspec.to_builtins(make_subscription("a1")), **changes})


def write(tmp_path, *lines):
    path = tmp_path / "subscriptions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"timezone": "Nowhere/X"}, "'Nowhere/X' is not a time zone."),
        ({"days": [9]}, "days [9] are not possible"),
        ({"days": []}, "days [] are not possible"),
        ({"top": 0}, "top 0 is not possible"),
        ({"top": 100_000}, "top 100000 is not possible"),
        ({"at": None}, "at is missing"),
        ({"created_at": "2026-11-23T09:00:00"}, "need a zone"),
        ({"active_from": "2026-11-23T09:00:00"}, "need a zone"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "lie in the years 2000 to 2999"),
        ({"active_from": "9999-12-31T23:59:59-12:00"}, "lie in the years 2000 to 2999"),
        ({"id": "a" * 65}, "64 letters and digits at most"),
        ({"id": ""}, "id '' is not possible"),
        ({"id": "../x"}, "id '../x' is not possible"),
        ({"address": "email:not an address"}, "is not an address"),
        ({"address": "email:nobody"}, "no mail address"),
        ({"address": "slack:T1/C1\nforged"}, "is not an address"),
        ({"address": "slack:#general"}, "is not an address"),
        ({"address": "slack:T1"}, "is not an address"),
        ({"address": "discord:general"}, "is not an address"),
        ({"address": "discord:1/2"}, "is not an address"),
    ],
)
def test_a_line_that_would_stop_every_digest_is_refused_with_its_number(tmp_path, changes, sentence):
    path = write(tmp_path, line(id="a2"), line(**changes))
    found, (problem,) = read_export(path)
    assert [item.id for item in found] == ["a2"]
    assert problem.startswith(f"{path}, line 2: ")
    assert sentence in problem


async def run_import(settings, path):
    return await subscriptions(Namespace(action="import", file=path), settings)


async def test_a_line_that_is_there_twice_is_kept_once(tmp_path, settings, capsys):
    path = write(tmp_path, line(), line(), line(id="a2"))
    assert await run_import(settings, path) == 0
    assert capsys.readouterr() == ("Imported 2; 1 were here already.\n", "")


async def test_whoever_had_everything_deleted_is_not_written_to_because_of_an_old_export(tmp_path, settings, capsys):
    async with open_house(settings, owner=True) as house:
        await erase(house, Signer(settings, house.keys(), house.clock, house.store), READER)
    path = write(tmp_path, line(address="email:READER@example.org"), line(id="a2"))
    assert await run_import(settings, path) == 1
    said = capsys.readouterr()
    assert said.out == "Imported 1; 0 were here already.\n"
    assert "must not be written to" in said.err
    async with open_house(settings, owner=False) as house:
        assert [item.id for item in await house.store.subscriptions()] == ["a2"]


async def test_the_operator_vouches_for_mail_that_is_imported_as_for_mail_that_is_added(tmp_path, settings):
    assert await run_import(settings, write(tmp_path, line(address=READER))) == 0
    async with open_house(settings, owner=False) as house:
        (person,) = await house.store.correspondents()
    assert [(consent.subscription, consent.wording) for consent in person.consents] == [("a1", VOUCHED)]
