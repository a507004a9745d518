"""Slack: slash commands and buttons over Socket Mode, answers by response_url, digests by chat.postMessage."""

from bots.slack.slack import Slack

__all__ = ["Slack"]
