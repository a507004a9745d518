"""docs/security.md names tests that exist, and says of the program what is so."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bots.email.links import LASTING
from core.delivery.optin import CONFIRM_WITHIN
from core.settings import SECRETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))
THREATS = [
    line.split(" | ")
    for line in PAGE.partition("## Threats")[2].partition("\n\n## ")[0].splitlines()
    if line[:2] == "| "
]


def test_every_threat_has_an_answer_and_a_test():
    assert len(THREATS) > 30
    for threat in THREATS[1:]:
        assert len(threat) == 3, threat
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", threat[2]), threat[0]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_is_named_exists(path, name):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"(?m)^(async )?def {name}\(", source)


def test_times_and_names_on_the_page_are_those_of_the_program():
    assert timedelta(days=400) == LASTING
    assert "after 400 days (preferences,\nunsubscribing)" in PAGE
    assert timedelta(days=7) == CONFIRM_WITHIN
    for name in re.findall(r"`(PAPERBOY_SECRET_KEY\w*)", PAGE):
        assert name.removesuffix("_FILE") in SECRETS


def test_the_roles_on_the_page_are_those_that_are_made():
    made = re.findall(
        r"(?m)^CREATE ROLE (\w+)", (ROOT / "config/deploy/postgres/roles.sql").read_text(encoding="utf-8")
    )
    assert made == re.findall(r"(?m)^\| `(paperboy_\w+)` \|", PAGE)
