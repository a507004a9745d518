"""Time zones by name."""

from __future__ import annotations

from zoneinfo import available_timezones

from core.zones import zone_names


def test_every_zone_of_the_machine_is_known_and_asked_for_once():
    assert zone_names() == available_timezones()
    assert zone_names() is zone_names()
