"""The real client against real sockets: bodies that are too much, too slow or cut off, and proxies in the way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from core.errors import SourceError
from core.http import Http
from core.papers.sources import Get, Lane
from core.settings import Settings
from tests.fake_library import FakeLibrary

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


class Server:
    """Answers every connection with what `reply` writes, and counts."""

    def __init__(self, reply):
        self.reply = reply
        self.connections = 0
        self.sent = 0
        self.tasks = []

    async def serve(self, reader, writer):
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await reader.readuntil(b"\r\n\r\n")
                await self.reply(self, writer)
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def __aenter__(self):
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self.listening.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def get(self, **fields):
        port = self.listening.sockets[0].getsockname()[1]
        return Get("local", "list", f"http://127.0.0.1:{port}/list", Lane("local"), ("application/json",), **fields)


@pytest.fixture
async def http():
    async def no_sleep(seconds):
        await asyncio.sleep(0)

    client = Http(Settings(), FakeLibrary(), sleep=no_sleep)
    yield client
    await client.close()


async def pour_200_mib(server, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(200 * 16):
        writer.write(CHUNK)
        server.sent += 0x10000
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def cut_off(server, writer):
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n[1")


async def dribble(server, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def answer(server, writer):
    writer.write(HEAD + b"Content-Length: 3\r\nConnection: close\r\n\r\n[1]")


async def test_a_body_of_200_mib_is_given_up_after_32(http):
    async with Server(pour_200_mib) as server:
        with pytest.raises(SourceError, match="has sent more than 32 MiB, which was not read"):
            await http.get(server.get())
    assert server.connections == 1
    assert server.sent < 64 * 2**20


async def test_a_body_that_is_cut_off_is_tried_three_times_and_never_taken_for_whole(http):
    async with Server(cut_off) as server:
        with pytest.raises(SourceError, match="could not be reached"):
            await http.get(server.get())
    assert server.connections == 3


async def test_a_body_that_never_ends_runs_into_the_deadline(http):
    async with Server(dribble) as server:
        with pytest.raises(SourceError, match=r"did not answer within 0\.3 s"):
            await http.get(server.get(deadline=0.3))


async def test_a_port_where_nobody_listens_is_said_to_be_unreachable(http):
    async with Server(answer) as server:
        get = server.get()
    with pytest.raises(SourceError, match=r"^local: could not be reached") as caught:
        await http.get(get)
    assert caught.value.retry_at is None
    with pytest.raises(SourceError) as again:
        await http.get(get)
    assert again.value.retry_at is not None


async def test_loopback_never_goes_through_a_proxy(monkeypatch):
    async with Server(cut_off) as proxy:
        address = proxy.get().url.removesuffix("/list")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        http = Http(Settings(), FakeLibrary())
        async with Server(answer) as server:
            assert (await http.get(server.get())).body == b"[1]"
        await http.close()
    assert proxy.connections == 0
