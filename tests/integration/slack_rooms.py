"""Where Slack is tried in both modes: a Slack on loopback, a platform that listens, and a page where it comes in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette

from bots.slack import Slack
from bots.web.server import serve
from core.chat.commands import Press, Request
from core.chat.message import Button, Card, Kind, Message
from tests.fakes import MemoryStore
from tests.servers.slack import SlackServer, Waits
from tests.slacks import HTTP, SOCKET, slack_at

PAGES = (Button("Back", "page", "0 q"), Button("More", "page", "10 q"), Button("Share here", "share", "5 q"))
HITS = Message(Kind.ANSWER, heading="Search: q", cards=(Card("2310.01234", "A paper"),), buttons=PAGES)
WAYS = {"socket": SOCKET, "http": HTTP}


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


class Desk:
    """Answers what it was told to, as soon as it may, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[Any, Message | Exception] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def commands(self) -> list[Any]:
        return [request.command for request in self.requests]

    async def answer(self, request: Request) -> Message:
        self.requests.append(request)
        await self.may_answer.wait()
        command = request.command
        found = self.answers.get(command.action if isinstance(command, Press) else command)
        found = found or self.answers.get(type(command), HITS)
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Room:
    """What a test holds in its hands."""

    server: SlackServer
    slack: Slack
    desk: Desk
    store: MemoryStore
    clock: Clock
    page: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    async def replied(self, count: int = 1) -> dict[str, Any]:
        """Return an answer when so many have come."""
        await self.server.until(lambda: len(self.server.replies) >= count)
        return self.server.replies[count - 1]

    async def opened(self) -> dict[str, Any]:
        """Return the modal that was opened, when it is."""
        await self.server.until(lambda: any(view["type"] == "modal" for view in self.server.views.values()))
        return next(view for view in self.server.views.values() if view["type"] == "modal")

    async def shows(self, words: str) -> dict[str, Any]:
        """Return the modal when it shows some words."""
        await self.server.until(
            lambda: any(view["type"] == "modal" and words in str(view) for view in self.server.views.values())
        )
        return next(view for view in self.server.views.values() if view["type"] == "modal" and words in str(view))

    async def drawn(self, user: str, words: str = "") -> dict[str, Any]:
        """Return a person's App Home when it shows some words."""
        await self.server.until(lambda: user in self.server.homes and words in str(self.server.homes[user]))
        return self.server.homes[user]


@contextlib.asynccontextmanager
async def open_room(by: dict[str, str], **changes: Any) -> AsyncIterator[Room]:
    """Open a room; where Slack comes over HTTP, behind a page of our own server."""
    desk, store, clock = Desk(), changes.pop("store", None) or MemoryStore(), changes.pop("clock", None) or Clock()
    prepare = changes.pop("prepare", None)
    async with SlackServer() as server:
        server.now = lambda: clock().timestamp()
        if prepare is not None:
            prepare(server)
        slack = slack_at(server.api_url, by=by, store=store, clock=clock, sleep=Waits(), **changes)
        room = Room(server, slack, desk, store, clock)
        async with contextlib.AsyncExitStack() as stack:
            if "app_token" not in by:
                room.page = await stack.enter_async_context(page_of(slack))
                server.http_url = f"{room.page}/slack/events"
            await stack.enter_async_context(listening(slack, desk))
            yield room


@contextlib.asynccontextmanager
async def listening(platform: Any, desk: Any) -> AsyncIterator[Any]:
    """Be connected, as the service is."""

    async def answer(request: Request) -> Message:
        return await desk.answer(request)  # looked up at each request: tests put another in its place

    task = asyncio.create_task(platform.listen(answer))
    try:
        await asyncio.wait_for(platform.ready(), 20)
        yield platform
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await platform.close()


@contextlib.asynccontextmanager
async def page_of(slack: Slack) -> AsyncIterator[str]:
    """Serve what Slack calls, as the service does; yields the address."""
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    app = Starlette(routes=list(slack.routes(None)))  # type: ignore[arg-type]
    serving = asyncio.create_task(
        serve(app, "127.0.0.1", 0, lambda host, port: bound.set_result(f"http://{host}:{port}"))
    )
    try:
        yield await bound
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
