"""What Slack's error codes mean for a delivery, and what a person can do about them; pure.

Codes: https://docs.slack.dev/reference/methods/chat.postMessage#errors and the pages of the other methods used here.
"""

from __future__ import annotations

from core.errors import DeliveryError
from core.errors import DeliveryFailure as Kind

INVITE = "type /invite @paperboy there"
REINSTALL = 'add it under "OAuth & Permissions" of the app at https://api.slack.com/apps and install the app again'

GONE = {
    "channel_not_found": f"paperboy sees no such channel: if it is private, {INVITE}; if deleted, subscribe another.",
    "is_archived": "The Slack channel is archived; unarchive it, or subscribe in another one.",
    "is_inactive": "The Slack channel is archived or deleted; unarchive it, or subscribe in another one.",
    "user_not_found": "Slack finds no such person; who has another account now can subscribe with it.",
    "users_not_found": "Slack finds no such person; who has another account now can subscribe with it.",
    "user_disabled": "The Slack account of this person is switched off; an admin can switch it on again.",
}
FORBIDDEN = {
    "not_in_channel": f"paperboy is not in this Slack channel; {INVITE}.",
    "restricted_action": "The workspace's settings keep paperboy from posting here; an admin can allow it.",
    "restricted_action_read_only_channel": "This Slack channel is read-only; an admin can let paperboy post.",
    "restricted_action_thread_only_channel": "This Slack channel takes threads only; subscribe in another one.",
    "restricted_action_non_threadable_channel": "This Slack channel takes no threads; subscribe in another one.",
    "restricted_action_thread_locked": "This Slack thread is locked; unlock it, or subscribe in a channel.",
    "missing_scope": f"The Slack app lacks the scope {{needed}}; {REINSTALL}.",
    "no_permission": f"paperboy may not do this in Slack; {INVITE}.",
    "cannot_dm_bot": "Slack lets a bot not write to another bot; subscribe as a person, or in a channel.",
    "user_not_visible": "Slack keeps this person apart from paperboy; subscribe a channel, or ask an admin.",
    "team_access_not_granted": "The Slack app may not work in this workspace; an admin can approve it there.",
    "messages_tab_disabled": 'The app takes no direct messages; switch "Messages Tab" on under "App Home".',
    "ekm_access_denied": "The workspace's administrators have suspended posting here, and can allow it again.",
}
RATE_LIMITED = {"ratelimited", "rate_limited"}
REVOKED = {
    "invalid_auth": "Slack does not accept {token}; copy it again from the app's page at https://api.slack.com/apps.",
    "not_authed": "{token} is missing.",
    "token_revoked": "{token} was revoked; install the app again and set the new one.",
    "token_expired": "{token} has expired; install the app again and set the new one.",
    "account_inactive": "{token} belongs to a removed app or workspace; install the app again and set the new one.",
    "team_disabled": "{token} belongs to a workspace that was switched off; install the app in another one.",
    "user_removed_from_team": "{token} belongs to a removed app; install the app again and set the new one.",
    "not_allowed_token_type": "{token} is a token of another kind; bot tokens begin with xoxb-, app tokens with xapp-.",
}
RETRY = {
    "ratelimited": "Slack asks to wait.",
    "rate_limited": "Slack asks to wait.",
    "message_limit_exceeded": "Slack takes no more messages from this workspace for now.",
    "team_added_to_org": "The workspace is being moved by Slack.",
    "org_login_required": "The workspace is being moved by Slack.",
    "request_timeout": "Slack did not get the whole request.",
}
# These say themselves that some of it may have happened.
UNKNOWN = {
    "internal_error": "Slack had an error of its own.",
    "fatal_error": "Slack had an error of its own.",
    "service_unavailable": "Slack is not available.",
}
GONE_MESSAGES = {
    "message_not_found": "The message is not there any more.",
    "cant_update_message": "The message is not there any more, or not paperboy's.",
}
REJECTED = GONE_MESSAGES | {
    "edit_window_closed": "The workspace's settings let nobody change a message that old; an admin can allow it.",
    "msg_too_long": "Slack finds the message too long.",
    "msg_blocks_too_long": "Slack finds the message too long.",
    "invalid_blocks": "Slack does not accept the form of the message.",
    "invalid_blocks_format": "Slack does not accept the form of the message.",
    "no_text": "Slack does not accept an empty message.",
    "thread_not_found": "The Slack thread is gone.",
}
KINDS = (
    (Kind.GONE, GONE),
    (Kind.FORBIDDEN, FORBIDDEN),
    (Kind.REVOKED, REVOKED),
    (Kind.RETRY, RETRY),
    (Kind.UNKNOWN, UNKNOWN),
    (Kind.REJECTED, REJECTED),
)


class SlackError(DeliveryError):
    """A call that Slack did not take; `code` is Slack's word for it, empty where it said none."""

    def __init__(self, kind: Kind, message: str, *, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(kind, message, retry_after=retry_after)
        self.code = code


def failure_of(code: str, *, token: str, needed: str = "", retry_after: float | None = None) -> SlackError:
    """Return the failure that an error code stands for.

    Args:
        code: Slack's word, as `not_in_channel`.
        token: name of the setting that holds the token in use.
        needed: the missing scopes, where Slack names them.
        retry_after: seconds, where Slack names them.
    """
    for kind, sentences in KINDS:
        if code in sentences:
            sentence = sentences[code].format(token=token, needed=needed or "that this needs")
            return SlackError(kind, f"{sentence} ({code})", code=code, retry_after=retry_after)
    return SlackError(Kind.REJECTED, f"Slack refused: {code}.", code=code)
