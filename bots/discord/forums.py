"""Forum channels, where each digest is a post of its own: a thread that is named by its heading.

The first message of a post has the post's own id, so the parts of a delivery tell by themselves where they lie:
https://docs.discord.com/developers/resources/channel#start-thread-in-forum-or-media-channel
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from bots.discord.failures import DiscordError
from bots.discord.marks import in_place, parts_among
from bots.discord.posts import Posts, message_id
from bots.discord.rest import Rest
from core.chat.cards import shorten
from core.chat.message import Message, plain
from core.delivery.platform import PartSent, Payload
from core.errors import DeliveryFailure

Sent: TypeAlias = PartSent | None
NAME_LIMIT = 100
NO_TEXT = 50008  # "Cannot send messages in a non-text channel"
MOST_POSTS = 20
_REQUIRES_TAG = 1 << 4
_LIKELY = ("papers", "paper", "digest", "paperboy", "research")
NO_TAG = (
    "Posts in this forum need a tag, and there is none that paperboy may use; add one that is not for moderators only "
    "(forum settings, Tags)."
)


def post_name(message: Message) -> str:
    """Return what the post of a message is called: its heading and, where it says so, the day."""
    lines = [message.heading, *(plain(line) for line in message.lines[:1])]
    said = " · ".join(" ".join(line.partition(" · ")[0].split()) for line in lines if line.strip())
    return shorten(said, NAME_LIMIT) or "Papers"


def tags_for(forum: Mapping[str, Any]) -> list[str]:
    """Return the ids of the tags of a new post: one that is called like us, else the first where one is needed.

    Raises:
        DiscordError: one is needed, and there is none for everybody.
    """
    tags = [tag for tag in forum.get("available_tags") or [] if not tag.get("moderated")]
    if likely := _likely(tags):
        return [likely]
    if not int(forum.get("flags") or 0) & _REQUIRES_TAG:
        return []
    if not tags:
        raise DiscordError(DeliveryFailure.FORBIDDEN, NO_TAG)
    return [str(tags[0]["id"])]


def _likely(tags: Iterable[Mapping[str, Any]]) -> str | None:
    named = {str(tag["name"]).strip().lower(): str(tag["id"]) for tag in tags}
    return next((named[name] for name in _LIKELY if name in named), None)


class Forums:
    """Posts digests in forums, and finds them there.

    Args:
        rest: for the calls.
        posts: for the messages in a post.
    """

    def __init__(self, rest: Rest, posts: Posts) -> None:
        self._rest = rest
        self._posts = posts

    async def send(
        self, forum: str, message: Message, bodies: Sequence[Payload], *, key: str, done: Sequence[str], sent: Sent
    ) -> tuple[str, ...]:
        """Make a post of the first body, unless it is there already, and put the others below it; returns all ids."""
        parts = list(done)
        if not parts:
            parts.append(await self._begin(forum, message, in_place(bodies[0], key, 0)))
            if sent is not None:
                await sent(parts[0])
        return await self._posts.send(parts[0], bodies, key=key, done=parts, sent=sent)

    async def _begin(self, forum: str, message: Message, body: Payload) -> str:
        shown = await self._rest.call("GET", "/channels/{channel_id}", channel_id=forum)
        post: Payload = {"name": post_name(message), "message": body}
        if tags := tags_for(shown):
            post["applied_tags"] = tags
        # Posts know no nonce: one that may have been made is looked for instead of being made again.
        path = "/channels/{channel_id}/threads"
        return message_id(await self._rest.call("POST", path, json=post, repeatable=False, channel_id=forum))

    async def find(self, server: str, forum: str, key: str, after: int) -> Sequence[str] | None:
        """Look for the parts of a delivery in the posts that paperboy made since then; None where nobody can look."""
        shown = await self._rest.call("GET", "/guilds/{guild_id}/threads/active", guild_id=server)
        mine = [
            int(thread["id"])
            for thread in shown.get("threads", [])
            if thread.get("parent_id") == forum and thread.get("owner_id") == self._rest.me["id"]
        ]
        for thread in sorted((thread for thread in mine if thread > after), reverse=True)[:MOST_POSTS]:
            messages = await self._posts.since(str(thread), thread - 1)
            if messages is None:
                return None
            if parts := parts_among(messages, key):
                return parts
        return []
