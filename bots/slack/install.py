"""Installing paperboy into a workspace: the page with the button, and what Slack sends people back to.

https://docs.slack.dev/authentication/installing-with-oauth
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from html import escape

import aiohttp
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.access import INSTALL_PATH, REDIRECT_PATH, Access
from bots.slack.api import proxy_for, sdk_log
from bots.slack.doctor import NEEDED
from bots.slack.installations import STATE_LASTS, Installations, States
from core.clock import Clock
from core.errors import StoreError
from core.keys import Keys

log = logging.getLogger(__name__)

TIMEOUT = 10
FAILURES = {
    "access_denied": "The installation was cancelled, and nothing was changed.",
    "invalid_browser": "This browser did not begin the installation, or it took no cookie; begin again.",
    "invalid_state": "The installation took longer than ten minutes, or was finished before; begin again.",
    "missing_code": "Slack sent no code; begin again.",
    "invalid_code": "Slack did not confirm the installation; begin again.",
    "storage_error": "The installation could not be kept; paperboy's log says why. Begin again later.",
    "enterprise": (
        "paperboy cannot be installed for a whole Enterprise organization yet, and has given the permission back. "
        "Choose one workspace of it instead: begin again, and pick the workspace at the top right of Slack's page."
    ),
}
OTHER = "Slack ended the installation; begin again."

Installed = Callable[[Installation], Awaitable[None]]
"""Told of each workspace that has installed paperboy."""


class InstallFlow(AsyncOAuthFlow):
    """slack-bolt's flow with pages of ours, and a clear word for what is not supported."""

    def __init__(
        self, access: Access, installations: Installations, keys: Callable[[], Keys], clock: Clock, installed: Installed
    ) -> None:
        client = AsyncWebClient(base_url=access.api_url, timeout=TIMEOUT, retry_handlers=[], logger=sdk_log)
        client.proxy = proxy_for(access.api_url)
        settings = AsyncOAuthSettings(
            client_id=access.client_id,
            client_secret=access.client_secret,
            scopes=list(NEEDED),
            redirect_uri=access.redirect_url,
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            callback_options=AsyncCallbackOptions(success=self._tell_success, failure=self._tell_failure),
            authorization_url=access.authorize_url,
            installation_store=installations,
            state_store=States(keys, clock, lambda: secrets.token_urlsafe(16)),
            state_expiration_seconds=int(STATE_LASTS.total_seconds()),
            logger=sdk_log,
        )
        super().__init__(client=client, logger=sdk_log, settings=settings)
        self._access = access
        self._installed = installed

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:  # noqa: ARG002 - its signature
        """Return the page with the button."""
        uses = "".join(f"<li>{escape(why)} (<code>{escape(scope)}</code>)</li>" for scope, why in NEEDED.items())
        return _page(
            "Add paperboy to Slack",
            "<p>paperboy brings the day's research papers that matter to your channels, every morning.</p>"
            f'<p><a href="{escape(url)}">Add to Slack</a></p>'
            f"<p>It asks for the permission to:</p><ul>{uses}</ul>"
            "<p>It reads no conversation and pings nobody. Removing the app takes its token back at once; what your "
            "workspace kept in it is deleted 30 days later, or at once when an owner asks for it in App Home.</p>"
            '<p><a href="/privacy">Privacy</a> · <a href="/support">Support</a></p>',
        )

    async def run_installation(self, code: str) -> Installation | None:
        """Exchange the code; None where Slack does not confirm it or cannot be reached."""
        try:
            return await super().run_installation(code)
        except (aiohttp.ClientError, TimeoutError, SlackApiError, AttributeError, KeyError) as error:
            log.warning("Slack: an installation could not be finished: %s", type(error).__name__)
            return None

    async def handle_callback(self, request: AsyncBoltRequest) -> BoltResponse:
        """Finish an installation, or say in one sentence why not."""
        try:
            return await super().handle_callback(request)
        except _EnterpriseError:
            return self._failed("enterprise", 400)
        except StoreError as error:
            log.error("Slack: an installation could not be kept: %s", error)
            return self._failed("storage_error", 500)

    async def store_installation(self, request: AsyncBoltRequest, installation: Installation) -> None:  # noqa: ARG002 - as above
        """Keep it, unless it is for a whole organization: then its token is given back."""
        if installation.is_enterprise_install or not installation.team_id:
            try:
                await self.client.auth_revoke(token=installation.bot_token)
            except (aiohttp.ClientError, TimeoutError, SlackApiError) as error:
                log.warning("Slack: an organization's token could not be given back: %s", type(error).__name__)
            raise _EnterpriseError
        installation.user_token = installation.user_refresh_token = None
        await self.settings.installation_store.async_save(installation)
        log.info("Slack: installed in the workspace %s", installation.team_id)
        await self._installed(installation)

    async def _tell_success(self, args: AsyncSuccessArgs) -> BoltResponse:
        name = escape(args.installation.team_name or "your workspace")
        link = escape(f"https://slack.com/app_redirect?app={args.installation.app_id}&team={args.installation.team_id}")
        return _respond(
            200,
            "paperboy is installed",
            f"<p>It is in {name} now. In a channel, type <code>/invite @paperboy</code> and then "
            "<code>/papers subscribe</code>.</p>"
            f'<p><a href="{link}">Open Slack</a></p>',
        )

    async def _tell_failure(self, args: AsyncFailureArgs) -> BoltResponse:
        if args.reason == "storage_error" and args.error is not None:
            log.error("Slack: an installation could not be kept: %s", args.error)
        return self._failed(args.reason, args.suggested_status_code)

    def _failed(self, reason: str, status: int) -> BoltResponse:
        words = f'<p>{FAILURES.get(reason, OTHER)}</p><p><a href="{INSTALL_PATH}">Begin again</a></p>'
        return _respond(status, "paperboy is not installed", words)


class _EnterpriseError(Exception):
    """An installation is for a whole organization."""


def _respond(status: int, title: str, words: str) -> BoltResponse:
    headers: dict[str, str | Sequence[str]] = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return BoltResponse(status=status, headers=headers, body=_page(title, words))


def _page(title: str, words: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{words}</body></html>'
