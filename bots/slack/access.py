"""How paperboy gets into Slack: which of three ways the secrets name, and where Slack is."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import Settings

EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"


@dataclass(frozen=True, slots=True)
class Access:
    """Secrets and addresses. Three combinations work, and the settings let no other through.

    bot and app token: one workspace, over a connection that paperboy opens itself (Socket Mode);
    bot token and signing secret: one workspace, which calls paperboy over HTTP;
    client id, client secret and signing secret: any number of workspaces, which install paperboy themselves.

    Attributes:
        api_url: of the Web API, as https://slack.com/api/.
        authorize_url: where people allow the app into their workspace.
        base_url: of the page, under which Slack reaches paperboy.
    """

    bot_token: str = ""
    app_token: str = ""
    signing_secret: str = ""
    client_id: str = ""
    client_secret: str = ""
    api_url: str = "https://slack.com/api/"
    authorize_url: str = "https://slack.com/oauth/v2/authorize"
    base_url: str = "http://127.0.0.1:8080"

    @classmethod
    def from_settings(cls, settings: Settings) -> Access:
        """Read it from the settings."""

        def secret(name: str) -> str:
            value = getattr(settings.secrets, f"slack_{name}")
            return value.get_secret_value() if value is not None else ""

        names = ("bot_token", "app_token", "signing_secret", "client_id", "client_secret")
        return cls(
            **{name: secret(name) for name in names},
            api_url=settings.slack.api_url,
            authorize_url=settings.slack.authorize_url,
            base_url=settings.web.base_url,
        )

    @property
    def has_socket(self) -> bool:
        """Whether paperboy opens the connection, rather than Slack."""
        return bool(self.app_token)

    @property
    def is_for_many(self) -> bool:
        """Whether workspaces install paperboy themselves."""
        return not self.bot_token

    @property
    def install_url(self) -> str:
        """Where a workspace begins to install it."""
        return self.base_url + INSTALL_PATH

    @property
    def redirect_url(self) -> str:
        """Where Slack sends people back to."""
        return self.base_url + REDIRECT_PATH
