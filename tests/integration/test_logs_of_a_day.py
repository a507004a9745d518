"""What a day leaves in the log: every decision about a digest, by its name, and nobody's words."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest

from core.chat import commands as c
from core.chat.desk import Desk
from core.errors import DeliveryError, DeliveryFailure, StoreError
from tests.fakes import make_change, make_subscription
from tests.logged import Lines, logging_to
from tests.worlds import MONDAY, make_record, open_world, upvotes

WORDS = "kernel of my secret idea"


@contextmanager
def logged():
    with logging_to(stream := Lines(), level="debug", format="json"):
        yield lambda: stream.documents


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, [make_record("2611.00001", "Kernels", signals=upvotes(3))]) as opened:
        yield opened


async def subscribe(world, name="s1", **changes):
    values = {"interests": WORDS, "created_at": MONDAY - timedelta(days=9), "active_from": MONDAY - timedelta(days=9)}
    item = make_subscription(name, "fake:somebody@example.org", **values | changes)
    await world.house.store.add_subscription(item, make_change())
    return item


FAILURES = {
    "sent": [],
    "later": [DeliveryError(DeliveryFailure.RETRY, "it is away")],
    "given up": [DeliveryError(DeliveryFailure.REJECTED, "too long")],
    "paused": [DeliveryError(DeliveryFailure.FORBIDDEN, "somebody@example.org must not be written to")],
}


@pytest.mark.parametrize("fate", FAILURES)
async def test_each_decision_about_a_digest_is_a_line_that_names_it(world, fate):
    await subscribe(world)
    world.platform.failures += FAILURES[fate]
    with logged() as lines:
        await world.tick(MONDAY.replace(hour=8))
    key = f"s1/{MONDAY.date()}"
    told = [line["message"] for line in lines() if line.get("delivery") == key]
    assert told[0].startswith(f"delivery {key} queued: ")
    expected = {"sent": "sent by fake", "later": "it is away (retry)", "given up": "given up: too long"}
    assert expected.get(fate, "subscription s1 paused: ") in " ".join(told[1:])
    whole = json.dumps(lines())
    assert WORDS not in whole
    assert "somebody@example.org" not in whole


async def test_interests_that_cannot_be_read_any_more_are_not_quoted(world):
    await subscribe(world, interests=f'"{WORDS}')
    with logged() as lines:
        await world.tick(MONDAY.replace(hour=8))
    (line,) = [line for line in lines() if line["level"] == "ERROR"]
    assert line["message"].startswith("subscription s1 cannot be read at character ")
    assert WORDS not in json.dumps(lines())


@pytest.mark.parametrize("asked", [f"search {WORDS}", f'search "{WORDS}', f"subscribe {WORDS} at 08:00", f"no {WORDS}"])
async def test_each_command_is_one_line_with_a_name_and_without_its_words(world, asked):
    with logged() as lines:
        await world.desk.answer(c.Request(asked, "fake:ada@example.org", "fake:room", may_manage=True))
    mine = [line for line in lines() if line["part"] == "core.chat.desk"]
    assert len(mine) == 1
    assert mine[0]["request"]
    assert " on fake" in mine[0]["message"]
    for secret in (WORDS, "ada@example.org"):
        assert secret not in json.dumps(lines())


async def test_a_store_that_fails_is_told_as_an_error_of_its_own(world):
    async def fail(*_):
        raise StoreError("/data/state-1.journal cannot be written (No space left on device).")

    desk = Desk(inquiries=world.house.inquiries, orders=world.house.orders(fail), send=fail, clock=world.house.clock)
    with logged() as lines:
        await desk.answer(c.Request(c.Send(1), "fake:U1", "fake:C1", may_manage=True))
    (line,) = lines()
    assert (line["level"], line["request"]) == ("ERROR", "1")
    assert line["message"].startswith("send failed on fake: /data/state-1.journal cannot be written")
