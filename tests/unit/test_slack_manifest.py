"""config/slack_manifest*.yaml and docs/slack.md against what the code uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bots.slack import doctor
from bots.slack.access import EVENTS_PATH, REDIRECT_PATH
from bots.slack.listener import LEFT, SHORTCUT, make_app
from core.settings import SECRETS
from tests.slacks import slack_at

ROOT = Path(__file__).resolve().parents[2]
SCOPES_OF_METHODS = {
    "auth_test": set(),
    "auth_revoke": set(),
    "apps_connections_open": set(),
    "oauth_v2_access": set(),
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_unfurl": {"links:write"},
    "chat_getPermalink": set(),
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "users_conversations": {"channels:read", "groups:read"},
    "users_info": {"users:read"},
    "users_list": {"users:read"},
    "views_open": set(),
    "views_push": set(),
    "views_update": set(),
    "views_publish": set(),
}
SCOPES_OF_EVENTS = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "channel_archive": {"channels:read"},
    "channel_deleted": {"channels:read"},
    "channel_left": {"channels:read"},
    "channel_unarchive": {"channels:read"},
    "group_archive": {"groups:read"},
    "group_deleted": {"groups:read"},
    "group_left": {"groups:read"},
    "group_unarchive": {"groups:read"},
    "link_shared": {"links:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.im": {"im:history"},
    "tokens_revoked": set(),
}


def read(name):
    return yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


@pytest.fixture(name="manifest", params=["slack_manifest.yaml", "slack_manifest_http.yaml"])
def read_manifest(request):
    return read(request.param)


def used_methods():
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "bots" / "slack").glob("*.py"))
    return {name for source in sources for name in re.findall(r"\.client\.([a-z]+_[A-Za-z_0-9]+)\b", source)}


async def test_the_manifest_names_the_events_that_are_listened_to_and_no_other(manifest):
    slack = slack_at("http://127.0.0.1:1/api/", clock=None)
    app = make_app(slack._api.client, slack._parts, None)
    heard = {name for name in manifest["settings"]["event_subscriptions"]["bot_events"] if await hears(app, name)}
    assert heard == set(SCOPES_OF_EVENTS) == set(manifest["settings"]["event_subscriptions"]["bot_events"])
    assert set(LEFT) < heard


async def hears(app, name):
    """Whether some listener of slack-bolt's app takes an event."""
    kind, _, channel = name.partition(".")
    body = {"type": "event_callback", "event": {"type": kind, "channel_type": channel}}
    request = AsyncBoltRequest(body=body, mode="socket_mode")
    for listener in app._async_listeners:
        if await listener.async_matches(req=request, resp=BoltResponse(status=200)):
            return True
    return False


def test_the_manifest_asks_for_the_scopes_of_methods_and_events_and_for_no_other(manifest):
    methods = (SCOPES_OF_METHODS[method] for method in used_methods())
    needed = {"commands"}.union(*methods, *SCOPES_OF_EVENTS.values())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed


def test_every_method_in_the_table_is_still_called():
    assert used_methods() == set(SCOPES_OF_METHODS)


def test_the_doctor_asks_for_the_scopes_of_the_manifest(manifest):
    assert list(doctor.NEEDED) == manifest["oauth_config"]["scopes"]["bot"]


def test_the_manifest_switches_on_what_the_adapter_listens_to(manifest):
    features, settings = manifest["features"], manifest["settings"]
    assert [item["command"] for item in features["slash_commands"]] == ["/papers"]
    assert [(item["callback_id"], item["type"]) for item in features["shortcuts"]] == [(SHORTCUT, "message")]
    assert features["unfurl_domains"] == ["arxiv.org", "huggingface.co"]
    assert settings["interactivity"]["is_enabled"] is True
    assert settings["org_deploy_enabled"] is False
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert features["bot_user"]["display_name"] == "paperboy"


def test_one_manifest_is_for_the_socket_and_the_other_for_http():
    socket, http = read("slack_manifest.yaml"), read("slack_manifest_http.yaml")
    assert (socket["settings"]["socket_mode_enabled"], http["settings"]["socket_mode_enabled"]) == (True, False)
    assert (socket["settings"]["token_rotation_enabled"], http["settings"]["token_rotation_enabled"]) == (False, True)
    assert "https://" not in str(socket)
    host = "https://papers.example.org"
    assert http["oauth_config"].pop("redirect_urls") == [host + REDIRECT_PATH]
    assert http["features"]["slash_commands"][0].pop("url") == host + EVENTS_PATH
    for part, keys in (
        ("event_subscriptions", ["request_url"]),
        ("interactivity", ["request_url", "message_menu_options_url"]),
    ):
        assert {http["settings"][part].pop(key) for key in keys} == {host + EVENTS_PATH}
    for manifest in (socket, http):
        del manifest["settings"]["socket_mode_enabled"], manifest["settings"]["token_rotation_enabled"]
    assert http == socket


def test_the_manifest_keeps_slacks_limits(manifest):
    about = manifest["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 174 <= len(about["long_description"]) <= 4000
    assert all(len(item["description"]) <= 2000 for item in manifest["features"]["slash_commands"])
    assert all(
        len(item["name"]) <= 24 and len(item["description"]) <= 150 for item in manifest["features"]["shortcuts"]
    )
    assert len(manifest["features"]["unfurl_domains"]) <= 5


def test_the_guide_names_the_files_secrets_addresses_and_scopes_that_exist():
    guide = (ROOT / "docs" / "slack.md").read_text(encoding="utf-8")
    assert {name for name in SECRETS if name.startswith("SLACK_")} <= set(re.findall(r"SLACK_[A-Z_]+", guide))
    for words in ("slack_manifest.yaml", "slack_manifest_http.yaml", "connections:write", "/invite @paperboy"):
        assert words in guide
    for words in ("/slack/install", "/slack/oauth_redirect", "/slack/events", "/privacy", "/support", "Marketplace"):
        assert words in guide
    for scope in doctor.NEEDED:
        assert f"`{scope}`" in guide
