"""Which of Discord's shards a process connects, by its setting."""

from __future__ import annotations

import pytest

from bots.discord.division import Division
from bots.discord.listener import Listener
from core.allowed import check_shards
from core.errors import SettingsError
from core.settings import read_settings


async def share(division, total):
    async with division.joined(total) as member, member.share() as found:
        return found.numbers, found.total


async def test_without_a_setting_one_process_connects_all():
    assert Division().total is None
    assert await share(Division(), 3) == ((0, 1, 2), 3)


@pytest.mark.parametrize(
    ("setting", "numbers", "total"), [("0-3/8", (0, 1, 2, 3), 8), ("7/8", (7,), 8), ("0/1", (0,), 1)]
)
async def test_the_setting_names_which_of_how_many(setting, numbers, total):
    division = Division(setting)
    assert division.total == total
    assert await share(division, total) == (numbers, total)


@pytest.mark.parametrize("setting", ["8", "0-8/8", "3-1/8", "-1/8", "a/8", "0-3/0", "0-3 / 8"])
def test_what_names_no_shards_is_refused(setting):
    with pytest.raises(ValueError, match="as 0-3/8"):
        check_shards(setting)
    with pytest.raises(SettingsError) as caught:
        read_settings({"PAPERBOY_DISCORD__SHARDS": setting})
    assert "PAPERBOY_DISCORD__SHARDS" in str(caught.value)
    assert "0-3/8" in str(caught.value)


async def test_a_connection_knows_of_the_servers_of_its_shards_alone():
    """Discord spreads servers by (id >> 22) % shards."""
    servers = [number << 22 for number in range(8)]
    some = Listener(shards=4, numbers=(1, 2))
    assert [some.knows_of(server) for server in servers] == [False, True, True, False] * 2
    assert all(Listener(shards=4).knows_of(server) for server in servers)
