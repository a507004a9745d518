"""The page with mail switched on, over a library of the test's own and a mail server on loopback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bots.email.adapter import Email
from bots.reading_room import ReadingRoom
from bots.web.app import create_app
from bots.web.site import Site
from core.store.figures import read_days
from tests.servers.mail import MailServer, Received
from tests.sites import Page, always_ready
from tests.worlds import MONDAY_DATE, World, make_record, open_world, upvotes

READER = "reader@example.org"
PLACE = f"email:{READER}"
BASE = "https://papers.example"
RECORDS = (
    make_record("2611.00001", "Grokking in Small Transformers", signals=upvotes(41)),
    make_record("2611.00002", "Kernel Methods Revisited"),
    make_record("2611.00003", "A Survey of Grokking"),
)


@dataclass
class MailRoom:
    """What a test holds: the world, the platform, the mail server, a browser without cookies or with."""

    world: World
    platform: Email
    server: MailServer
    client: httpx.AsyncClient
    app: Any

    async def form(self, path: str) -> dict[str, str]:
        """Return the hidden fields of a page's last form."""
        answer = await self.client.get(path)
        return {"csrf": Page(answer.text).fields.get("csrf", "")}

    async def subscribe(self, email: str = READER, **fields: str) -> httpx.Response:
        token = await self.form("/subscribe")
        values = {"interests": "grokking", "at": "08:00", "timezone": "UTC", "days": "daily", "top": "3"}
        return await self.client.post("/subscribe", data={"email": email, **values, **fields, **token})

    async def confirmation(self, **fields: str) -> str:
        """Subscribe, and return the path of the link in the mail."""
        before = len(self.server.letters)
        assert (await self.subscribe(**fields)).status_code == 200
        await self.platform.postman.round()
        (letter,) = self.server.letters[before:]
        return path_in(letter, "confirm")

    async def join(self, **fields: str) -> None:
        """Subscribe and confirm."""
        path = await self.confirmation(**fields)
        token = await self.form(path)
        assert (await self.client.post(path, data=token)).status_code == 200

    async def digest(self) -> Received:
        """Let the digest of the next morning be delivered."""
        before = len(self.server.letters)
        await self.world.tick(self.world.now.replace(hour=8, minute=0))
        (letter,) = self.server.letters[before:]
        return letter

    async def press(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of a page."""
        return await self.client.post(path, data={**await self.form(path), **fields})


def path_in(letter: Received, kind: str) -> str:
    """Return the path of the first link of a kind in a mail."""
    found = re.search(rf"{re.escape(BASE)}(/(?:email/)?{kind}/[\w.-]+)", letter.part("plain"))
    assert found is not None, letter.part("plain")
    return found[1]


@asynccontextmanager
async def open_mailroom(
    folder: Path, *, records: Any = RECORDS, base: str = BASE, **settings: Any
) -> AsyncIterator[MailRoom]:
    """Open one; a setting is a table by its name."""
    async with MailServer() as server:
        email = server.settings(
            operator="Ada Lovelace", postal_address="1 Main Street, London", **settings.pop("email", {})
        )
        tables = {"home": folder, "model": {"enabled": False}, "email": email, **settings}
        tables["web"] = {"base_url": base, "subscribes_per_hour": 1_000, **settings.get("web", {})}
        async with open_world(folder, records, **tables) as world:
            house = world.house
            platform = Email(house.settings, lambda: world.now, house.store)
            platform._ready.set()
            object.__setattr__(house, "clock", lambda: world.now)
            world.courier._platforms["email"] = platform
            world.courier._places["email"] = world.courier._places["fake"]
            room = ReadingRoom(house)
            site = Site(house, room, lambda: read_days(house.store, MONDAY_DATE, 7), always_ready)
            app = create_app(site, routes=platform.routes(house))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 1))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                try:
                    yield MailRoom(world, platform, server, client, app)
                finally:
                    await platform.close()
                    await room.close()
