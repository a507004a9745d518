"""Slack as the tests make it: Socket Mode unless they say otherwise, and a store in memory."""

from __future__ import annotations

from typing import Any

from bots.slack import Slack
from bots.slack.access import Access
from core.settings import Settings
from tests.fakes import MemoryStore
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET

SECRET_KEY = "the key of the tests, which is long enough"
BASE_URL = "https://papers.example.org"
SOCKET = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN}
HTTP = {"bot_token": BOT_TOKEN, "signing_secret": SIGNING_SECRET}
MANY = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "signing_secret": SIGNING_SECRET}


def slack_at(api_url: str, *, by: dict[str, str] = SOCKET, **changes: Any) -> Slack:
    """Make a Slack whose Web API is at this address."""
    access = Access(**by, api_url=api_url, base_url=BASE_URL)
    secrets = changes.pop("secrets", {"paperboy_secret_key": SECRET_KEY})
    settings = Settings.model_validate({"secrets": secrets, "web": {"base_url": BASE_URL}})
    return Slack(access, settings, **({"store": MemoryStore()} | changes))
