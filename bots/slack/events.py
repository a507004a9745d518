"""What happens in a workspace by itself: links are posted, channels archived, paperboy is invited or thrown out."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from hashlib import blake2b

from bots.slack.blocks import card_blocks
from bots.slack.failures import SlackError, failure_of
from bots.slack.installations import Installations
from bots.slack.places import look_at
from bots.slack.replies import Replies
from bots.slack.requests import NAME, Body, request_at, team_of
from bots.slack.visitors import Visitors
from bots.slack.workspaces import Workspaces
from core.chat import commands as c
from core.clock import Clock, zone_of
from core.delivery.platform import Answer
from core.digests.subscription import Pause, Subscription
from core.errors import StoreError, log_level
from core.papers.paper import arxiv_id
from core.patience import hurried
from core.store import Change, State, Store

log = logging.getLogger(__name__)

MOST_CARDS = 5
LOOKED_UP_WITHIN = 1.0  # seconds
MOST_SEEN = 10_000
LOST = {
    "channel_archive": "is_archived",
    "group_archive": "is_archived",
    "channel_deleted": "channel_not_found",
    "group_deleted": "channel_not_found",
    "channel_left": "not_in_channel",
    "group_left": "not_in_channel",
}
FOUND = {"channel_unarchive", "group_unarchive", "member_joined_channel"}


class Seen:
    """Events that were taken before: Slack repeats one that it thinks unanswered, up to three times."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def is_new(self, body: Body) -> bool:
        """Tell whether an event comes for the first time, and remember it."""
        name = str(body.get("event_id") or "")
        if not name:
            return True
        if name in self._known:
            return False
        if len(self._known) >= MOST_SEEN:
            del self._known[next(iter(self._known))]
        self._known[name] = None
        return True


def _name_of(body: Body) -> str:
    """Return what tells an event, command or press from every other; nothing where nothing does.

    A command that is repeated is the same in every letter, with its trigger; what people wrote is not kept so.
    """
    if name := str(body.get("event_id") or ""):
        return f"event {name}"
    if not body.get("trigger_id"):
        return ""
    whole = json.dumps(body, sort_keys=True, default=str).encode()
    return f"command {blake2b(whole, digest_size=16).hexdigest()}"


class Events:
    """Follows what happens."""

    def __init__(
        self,
        workspaces: Workspaces,
        store: Store,
        installations: Installations,
        replies: Replies,
        visitors: Visitors,
        clock: Clock,
    ) -> None:
        self._workspaces = workspaces
        self._store = store
        self._installations = installations
        self._replies = replies
        self._visitors = visitors
        self._clock = clock

    async def is_first(self, body: Body) -> bool:
        """Tell whether no other process has taken this: Slack, or what stands in between, may repeat it to any of them.

        Where the store is away, nobody knows, and it is taken.
        """
        name = _name_of(body)
        try:
            with hurried(LOOKED_UP_WITHIN):
                return not name or await self._store.is_first(f"slack {name}", self._clock())
        except StoreError as error:
            log.log(log_level(error), "Slack: whether this was taken before is not known: %s", error)
            return True

    async def unfurl(self, answer: Answer, body: Body) -> None:
        """Put cards below links to papers that the library holds; other links stay as they are."""
        event = body["event"]
        person, place = f"{NAME}:{team_of(body)}/{event['user']}", f"{NAME}:{team_of(body)}/{event['channel']}"
        cards = {}
        for link in (event.get("links") or ())[:MOST_CARDS]:
            url = str(link.get("url") or "")
            if (identifier := arxiv_id(url)) is None:
                continue
            message = await self._replies.ask(answer, request_at(c.Show(identifier), person=person, place=place))
            if message.cards:
                cards[url] = {"blocks": card_blocks(message.cards[0])}
        if not cards:
            return
        composed = event.get("source") == "composer"
        where = {"unfurl_id": event.get("unfurl_id"), "source": "composer"}
        if not composed:
            where = {"channel": event["channel"], "ts": event["message_ts"]}
        try:
            api = await self._workspaces.api(team_of(body))
            await api.call(api.client.chat_unfurl, unfurls=cards, **where)
        except SlackError as failure:
            log.warning("Slack: a link got no card: %s", failure)

    async def follow_channel(self, body: Body) -> None:
        """Pause what goes to a channel that was lost, and resume it when the channel is back."""
        event = body["event"]
        channel = event.get("channel")
        name = str(channel.get("id") if isinstance(channel, dict) else channel or "")
        kept = await self._store.subscriptions(f"{NAME}:{team_of(body)}/{name}")
        if event["type"] in LOST:
            reason = str(failure_of(LOST[event["type"]], token=""))
            for item in kept:
                await self._pause(item, reason)
        elif event["type"] in FOUND and any(_is_lost(item) for item in kept):
            await self._resume(team_of(body), name, [item for item in kept if _is_lost(item)])

    async def _pause(self, item: Subscription, reason: str) -> None:
        if item.pause is None:
            now = self._clock()
            paused = replace(item, pause=Pause(reason, now, by_hand=False))
            await self._keep(paused, Change(now, item.address, "paperboy", f"paused #{item.number}: {reason}"))

    async def _resume(self, team: str, channel: str, lost: list[Subscription]) -> None:
        try:
            if await look_at(await self._workspaces.api(team), channel) is not None:
                return
        except SlackError as failure:
            log.info("Slack: whether %s is back is not known: %s", channel, failure)
            return
        now = self._clock()
        for item in lost:
            today = await self._store.delivery(item.id, now.astimezone(zone_of(item.timezone)).date())
            if today is not None and today.state is State.DEAD:
                continue  # the round that looks after lost places brings today's digest back as well
            change = Change(now, item.address, "paperboy", f"resumed #{item.number}: it can be posted to again")
            await self._keep(replace(item, pause=None), change)

    async def _keep(self, item: Subscription, change: Change) -> None:
        try:
            await self._store.replace_subscription(item, change)
        except StoreError as error:  # unsubscribed meanwhile
            log.info("Slack: %s", error)

    async def lose_workspace(self, body: Body) -> None:
        """Drop the tokens of a workspace that removed paperboy; its data follows in thirty days."""
        event = body["event"]
        if event["type"] == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
            return
        team = team_of(body)
        await self._installations.leave(team)
        await self._visitors.forget(f"{NAME}:{team}/")
        log.info("Slack: the workspace %s removed paperboy; its data is deleted in 30 days", team)


def _is_lost(item: Subscription) -> bool:
    return item.pause is not None and not item.pause.by_hand
