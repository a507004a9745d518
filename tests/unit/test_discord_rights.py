"""What may be done in a channel, reckoned from the REST API's words as Discord reckons it."""

from __future__ import annotations

import discord
import pytest

from bots.discord.rights import allowed, lacking

VIEW, SEND, IN_THREADS, ADMINISTRATOR, CONNECT = 1 << 10, 1 << 11, 1 << 38, 1 << 3, 1 << 20
ME = {"user": {"id": "100"}, "roles": ["7"]}


def server(everyone, role=0, owner="1"):
    roles = [{"id": "200", "permissions": str(everyone)}, {"id": "7", "permissions": str(role)}]
    return {"id": "200", "owner_id": owner, "roles": [*roles, {"id": "8", "permissions": str(ADMINISTRATOR)}]}


def channel(*overwrites):
    written = [{"id": who, "type": kind, "allow": str(more), "deny": str(less)} for who, kind, more, less in overwrites]
    return {"permission_overwrites": written}


@pytest.mark.parametrize(
    ("guild", "place", "may"),
    [
        (server(VIEW), channel(), VIEW),
        (server(VIEW, SEND), channel(), VIEW | SEND),
        (server(VIEW | SEND), channel(("200", 0, 0, SEND)), VIEW),
        (server(VIEW), channel(("200", 0, 0, SEND), ("7", 0, SEND, 0)), VIEW | SEND),
        (server(VIEW), channel(("7", 0, SEND, 0), ("100", 1, 0, SEND | VIEW)), 0),
        (server(VIEW), channel(("8", 0, SEND, 0), ("101", 1, SEND, 0)), VIEW),
        (server(0, ADMINISTRATOR), channel(("200", 0, 0, VIEW)), discord.Permissions.all().value),
        (server(0, owner="100"), channel(), discord.Permissions.all().value),
    ],
)
def test_permissions_are_reckoned_role_by_role_and_then_overwritten_in_order(guild, place, may):
    assert allowed(guild, ME, place).value == may


@pytest.mark.parametrize(
    ("may", "kind", "named"),
    [
        (VIEW | SEND, 0, ""),
        (VIEW, 0, "Send Messages"),
        (SEND, 5, "View Channel"),
        (0, 0, "View Channel and Send Messages"),
        (VIEW | SEND, 11, "Send Messages in Threads"),
        (VIEW | IN_THREADS, 15, "Create Posts"),
        (VIEW | SEND, 15, "Send Messages in Posts"),
        (VIEW | SEND, 16, "Send Messages in Posts"),
        (VIEW | SEND | CONNECT, 2, ""),
        (VIEW | SEND, 2, "Connect"),
        (VIEW, 13, "Connect and Send Messages"),
    ],
)
def test_what_is_missing_is_named_as_discord_names_it(may, kind, named):
    sentence = lacking(discord.Permissions(may), kind, "papers")
    assert (f"allow it {named} there" in sentence) if named else sentence == ""
