"""Slack with several processes: what reaches two of them is done by one, and where nobody can tell, it is done."""

from __future__ import annotations

import pytest

from core.errors import StoreUnreachable
from core.store.postgres import PostgresStore
from tests.fakes import MemoryStore
from tests.integration.slack_rooms import WAYS, open_room
from tests.servers.slack import ALICE, MEMBER, TEAM
from tests.waiting import until

NOWHERE = "http://127.0.0.1:9/nowhere"


def typed(words, trigger):
    about = {"team_id": TEAM, "channel_id": MEMBER, "channel_name": "general", "user_id": ALICE}
    return about | {"command": "/papers", "text": words, "trigger_id": trigger, "response_url": NOWHERE}


def asked(rooms):
    return sorted(str(request.command) for room in rooms for request in room.desk.requests)


@pytest.mark.parametrize("way", WAYS)
async def test_what_reaches_two_processes_is_answered_by_one(way, database_url):
    """A balancer that tries again elsewhere, an envelope or an event that Slack tells over two connections."""
    stores = [await PostgresStore.open(database_url, size=2) for _ in range(2)]
    async with open_room(WAYS[way], store=stores[0]) as one, open_room(WAYS[way], store=stores[1]) as other:
        rooms = (one, other)
        for room in rooms:
            await room.server._send("slash_commands", typed("search command", "t1"))
            await room.server.event(
                "app_mention", event_id="Ev1", user=ALICE, channel=MEMBER, text="<@U0BOT> search event", ts="1.0"
            )
        for name, room in zip(("first", "second"), rooms, strict=True):
            await room.server._send("slash_commands", typed(f"search {name}", "t1"))  # another, whatever its trigger
        await until(lambda: len(asked(rooms)) >= 4)
        assert asked(rooms) == ["search command", "search event", "search first", "search second"]
    for store in stores:
        await store.close()


async def test_where_nobody_can_tell_whether_it_was_taken_it_is_answered():
    class Away(MemoryStore):
        async def is_first(self, name, at):
            raise StoreUnreachable("The database cannot be reached.")

    async with open_room(WAYS["socket"], store=Away()) as room:
        await room.server.slash("search q")
        assert (await room.replied())["text"].startswith("Search: q")
