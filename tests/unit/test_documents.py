"""What README, docs and the settings file say of names: each is there, and each that matters is said."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from core.settings import SECRETS, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TABLES = {name: field.default for name, field in Settings.model_fields.items() if name not in {"home", "secrets"}}
KEYS = {name: {known.alias or key for key, known in type(table).model_fields.items()} for name, table in TABLES.items()}


@pytest.mark.parametrize("name", ["README.md", "config/paperboy.toml"])
def test_every_secret_is_named_where_people_look_for_it(name):
    said = (ROOT / name).read_text(encoding="utf-8")
    assert [secret for secret in SECRETS if secret not in said] == []


def test_the_settings_file_holds_every_setting_and_no_other():
    held = tomllib.loads((ROOT / "config" / "paperboy.toml").read_text(encoding="utf-8"))
    assert {name: set(table) for name, table in held.items()} == KEYS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_setting_and_leads_to_no_file_that_is_not_there(page):
    said = page.read_text(encoding="utf-8")
    set_by = re.findall(r"PAPERBOY_([A-Z]+)__([A-Z_]+)", said)
    assert [(table, key) for table, key in set_by if key.lower() not in KEYS.get(table.lower(), ())] == []
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", said)
    assert [link for link in links if not (page.parent / link).exists()] == []
