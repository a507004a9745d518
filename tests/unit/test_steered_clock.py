"""Where machines share a database, all go by its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.clock import SteeredClock

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Wall:
    """A machine's own clock."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


async def test_until_it_was_told_it_is_the_machines_own():
    assert SteeredClock(Wall(NOON))() == NOON


async def test_two_machines_whose_clocks_are_half_a_minute_apart_agree():
    walls = [Wall(NOON - timedelta(seconds=15)), Wall(NOON + timedelta(seconds=15))]
    clocks = [SteeredClock(wall) for wall in walls]

    async def ask():
        return NOON

    ahead = [await clock.follow(ask) for clock in clocks]
    assert ahead == [timedelta(seconds=15), timedelta(seconds=-15)]
    assert [clock() for clock in clocks] == [NOON, NOON]
    for wall in walls:
        wall.now += timedelta(hours=1)
    assert [clock() for clock in clocks] == [NOON + timedelta(hours=1)] * 2


async def test_half_of_the_time_that_asking_took_lies_behind_the_answer():
    wall = Wall(NOON)
    clock = SteeredClock(wall)

    async def ask():
        wall.now += timedelta(seconds=2)
        return NOON + timedelta(seconds=31)

    assert await clock.follow(ask) == timedelta(seconds=30)
    assert clock() == NOON + timedelta(seconds=32)
