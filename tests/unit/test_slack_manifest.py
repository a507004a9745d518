"""config/slack_manifest.yaml and docs/slack.md against what the code uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bots.slack import api, doctor

ROOT = Path(__file__).resolve().parents[2]
SCOPES_OF_METHODS = {
    "auth_test": set(),
    "apps_connections_open": set(),
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_getPermalink": set(),
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "users_info": {"users:read"},
    "users_list": {"users:read"},
}


@pytest.fixture(name="manifest")
def read_manifest():
    return yaml.safe_load((ROOT / "config" / "slack_manifest.yaml").read_text(encoding="utf-8"))


def used_methods():
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "bots" / "slack").glob("*.py"))
    return {name for source in sources for name in re.findall(r"\.client\.([a-z]+_[A-Za-z_]+)", source)}


def test_the_manifest_asks_for_the_scopes_of_the_methods_that_are_called_and_for_no_other(manifest):
    needed = {"commands"}.union(*(SCOPES_OF_METHODS[method] for method in used_methods()))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed


def test_every_method_in_the_table_is_still_called():
    assert used_methods() == set(SCOPES_OF_METHODS)


def test_the_doctor_asks_for_the_scopes_of_the_manifest(manifest):
    assert list(doctor.NEEDED) == manifest["oauth_config"]["scopes"]["bot"]


def test_the_manifest_switches_on_what_the_adapter_listens_to(manifest):
    assert [item["command"] for item in manifest["features"]["slash_commands"]] == ["/papers"]
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["token_rotation_enabled"] is False
    assert manifest["features"]["app_home"]["messages_tab_enabled"] is True
    assert manifest["features"]["app_home"]["messages_tab_read_only_enabled"] is False
    assert manifest["features"]["bot_user"]["display_name"] == "paperboy"


def test_the_manifest_keeps_slacks_limits(manifest):
    about = manifest["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 174 <= len(about["long_description"]) <= 4000
    assert all(len(item["description"]) <= 2000 for item in manifest["features"]["slash_commands"])


def test_the_guide_names_the_files_tokens_and_scopes_that_exist():
    guide = (ROOT / "docs" / "slack.md").read_text(encoding="utf-8")
    assert {api.BOT_TOKEN, api.APP_TOKEN} <= set(re.findall(r"SLACK_[A-Z_]+", guide))
    assert "config/slack_manifest.yaml" in guide
    assert "connections:write" in guide
    assert "/invite @paperboy" in guide
    for scope in doctor.NEEDED:
        assert f"`{scope}`" in guide
