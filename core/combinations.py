"""Secrets that make sense only together; pure."""

from __future__ import annotations

from collections.abc import Collection


def slack_problem(given: Collection[str], *, with_page: bool) -> str | None:
    """Return what is wrong with Slack's secrets taken together, in one sentence; None when they go together.

    Three ways work: bot and app token (Socket Mode), bot token and signing secret (HTTP), client id, client secret and
    signing secret (HTTP, many workspaces). A signing secret beside an app token is not used, and does no harm.

    Args:
        given: names of the secrets that are set.
        with_page: whether the web address is served.
    """
    bot, app, signing = ("SLACK_BOT_TOKEN" in given, "SLACK_APP_TOKEN" in given, "SLACK_SIGNING_SECRET" in given)
    client = {"SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"} & set(given)
    if client:
        return _problem_of_many(client, bot=bot, app=app, signing=signing) or _problem_of_page(with_page=with_page)
    if app and not bot:
        return "SLACK_APP_TOKEN is set, but SLACK_BOT_TOKEN is not; Slack needs both (README, Slack in five minutes)."
    if bot and not (app or signing):
        return (
            "SLACK_BOT_TOKEN is set, but neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET (HTTP) is; "
            "Slack needs one of them."
        )
    if signing and not bot:
        return (
            "SLACK_SIGNING_SECRET is set alone; Slack also needs SLACK_BOT_TOKEN (one workspace), or SLACK_CLIENT_ID "
            "and SLACK_CLIENT_SECRET (many)."
        )
    return _problem_of_page(with_page=with_page) if signing and not app else None


def _problem_of_many(client: Collection[str], *, bot: bool, app: bool, signing: bool) -> str | None:
    if len(client) == 1:
        (here,) = client
        missing = "SLACK_CLIENT_SECRET" if here == "SLACK_CLIENT_ID" else "SLACK_CLIENT_ID"
        return f"{here} is set, but {missing} is not; many workspaces need both."
    if bot or app:
        return (
            f"{'SLACK_BOT_TOKEN' if bot else 'SLACK_APP_TOKEN'} and SLACK_CLIENT_ID are both set; the first serves one "
            "workspace, the other those that install paperboy themselves: unset one of them."
        )
    if not signing:
        return "SLACK_CLIENT_ID is set, but SLACK_SIGNING_SECRET is not; without it nobody knows what comes from Slack."
    return None


def _problem_of_page(*, with_page: bool) -> str | None:
    if with_page:
        return None
    return (
        "web.enabled: this is false, but Slack without SLACK_APP_TOKEN is served under the web address; set it to "
        "true, or set SLACK_APP_TOKEN."
    )
