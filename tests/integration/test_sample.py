"""The bundled sample is marked wherever it is shown, also where nothing of it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bots.house import open_sample
from core.settings import Settings
from tests.fakes import MemoryStore

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize(("interests", "some"), [("", True), ('"no such phrase at all"', False)])
async def test_every_digest_of_the_sample_is_marked(interests, some):
    async with open_sample(Settings(), MemoryStore(), lambda: NOW) as newsroom:
        message = (await newsroom.front_page(NOW, interests=interests)).message
    assert message.sample
    assert bool(message.cards) is some
