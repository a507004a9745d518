"""The page over a library of the test's own, and what a browser makes of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from starlette.routing import BaseRoute

from bots.reading_room import ReadingRoom
from bots.web.app import create_app
from bots.web.site import Site
from core.papers.paper import Record
from core.store.figures import read_days
from tests.worlds import MONDAY_DATE, World, open_world

VOID = {"meta", "link", "br", "hr", "img", "input"}
SVG_SHAPES = {"polyline"}


class Page(HTMLParser):
    """What a browser makes of a document: its tags, its addresses, its words; and whether every tag is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.fields: dict[str, str] = {}
        self.words = ""
        self.open: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "action"}]
        assert not [name for name in given if name.startswith("on") or name == "style"]
        if tag == "input":
            self.fields[given.get("name") or ""] = given.get("value") or ""
        if tag not in VOID | SVG_SHAPES:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.words += data


@dataclass
class Visit:
    """A visitor of a page, and what is behind it."""

    world: World
    site: Site
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def page(self, path: str) -> Page:
        """Get a page that is there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return Page(answer.text)


async def always_ready() -> Sequence[str]:
    return ()


@asynccontextmanager
async def open_site(
    folder: Path,
    records: Sequence[Record] = (),
    *,
    routes: Sequence[BaseRoute] = (),
    unready: Any = always_ready,
    tried: bool = True,
    **settings: object,
) -> AsyncIterator[Visit]:
    """Open the page over a library with these records; with none, it shows the sample where fetching was tried."""

    async def has_tried() -> bool:
        return tried

    async with open_world(folder, records, **{"home": folder, "model": {"enabled": False}, **settings}) as world:
        room = ReadingRoom(world.house, tried=has_tried)
        site = Site(world.house, room, lambda: read_days(world.house.store, MONDAY_DATE, 7), unready)
        transport = httpx.ASGITransport(create_app(site, routes=routes), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://paperboy.test") as client:
            try:
                yield Visit(world, site, client)
            finally:
                await room.close()
