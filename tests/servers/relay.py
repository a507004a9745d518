"""A TCP relay between a client and a server on loopback, which can lose what the server says or break everything."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class Relay:
    """Passes bytes on at a port of its own.

    Attributes:
        port: where clients connect.
        swallows: while set, what the server says is lost and nobody is told; the server hears everything.
        cut_after: once the client has said this, nothing of what the server says gets through any more.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = 0
        self.swallows = False
        self.cut_after: bytes | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.break_all()
        await self._server.wait_closed()

    def url(self, url: str) -> str:
        """Return a database's address by way of this relay."""
        return url.replace(f":{self._target}/", f":{self.port}/")

    def break_all(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, server_writer}
        ways = [self._pass(reader, server_writer, said=True), self._pass(server_reader, writer, said=False)]
        await asyncio.gather(*ways)
        self._writers -= {writer, server_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, said: bool) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                if said and self.cut_after is not None and self.cut_after in part:
                    self.swallows = True
                if said or not self.swallows:
                    writer.write(part)
                    await writer.drain()
        writer.transport.abort()
