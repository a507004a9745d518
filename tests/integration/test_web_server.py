"""The server on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bots.web.connections import bounded, most_connections
from bots.web.server import serve
from core.errors import PaperboyError

PATIENCE = 0.5
"""Seconds in which a whole request gets through, also on a busy machine."""


async def tell_client(request):
    return PlainTextResponse(f"{request.client.host} by {request.url.scheme}")


async def read_body(request):
    return PlainTextResponse(await request.body())


async def take_long(_request):
    await asyncio.sleep(3 * PATIENCE)
    return PlainTextResponse("at last")


def make_app():
    return Starlette(
        routes=[Route("/", tell_client), Route("/body", read_body, methods=["POST"]), Route("/slow", take_long)]
    )


@contextlib.asynccontextmanager
async def running(app, **options):
    bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, lambda host, port: bound.set_result(port), **options))
    try:
        yield await bound
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def look(port, **headers):
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{port}/", headers=headers)


async def test_port_zero_picks_a_free_one_reports_it_and_serves_there():
    async with running(make_app()) as port:
        assert port > 0
        answer = await look(port)
    assert answer.text == "127.0.0.1 by http"
    assert "server" not in answer.headers


async def test_only_proxies_that_are_named_are_believed_what_they_say_of_their_clients():
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    async with running(make_app(), proxies=("127.0.0.1",)) as port:
        assert (await look(port, **said)).text == "203.0.113.9 by https"
    async with running(make_app(), proxies=("192.0.2.0/24",)) as port:
        assert (await look(port, **said)).text == "127.0.0.1 by http"
    async with running(make_app()) as port:
        assert (await look(port, **said)).text == "127.0.0.1 by http"


async def test_the_port_is_free_again_once_serving_was_cancelled():
    async with running(make_app()) as port:
        pass
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.parametrize("setting", ["web", "metrics"])
async def test_a_port_in_use_is_one_sentence_that_names_the_setting(setting):
    sentence = rf"^{setting}\.port: \d+ at 127\.0\.0\.1 .*PAPERBOY_{setting.upper()}__PORT.*\.$"
    async with running(make_app()) as port:
        with pytest.raises(PaperboyError, match=sentence):
            await serve(make_app(), "127.0.0.1", port, lambda host, port: None, setting=setting)


async def test_an_address_of_another_machine_is_one_sentence():
    with pytest.raises(PaperboyError, match=r"^web\.(host|port): .*192\.0\.2\.1.*\.$"):
        await serve(make_app(), "192.0.2.1", 0, lambda host, port: None)


async def hang_on(port, words=b"GET / HTTP/1.1\r\nHost: a.test\r\nX-"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    await writer.drain()
    return reader, writer


async def is_hung_up_on(reader):
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nX-",
        b"POST /body HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_a_request_that_does_not_come_whole_is_hung_up_on(words):
    async with running(make_app(), speaks=bounded(patience=PATIENCE)) as port:
        reader, writer = await hang_on(port, words)
        assert await is_hung_up_on(reader)
        writer.close()


async def test_a_second_request_that_does_not_come_whole_is_hung_up_on_too():
    async with running(make_app(), speaks=bounded(patience=PATIENCE)) as port:
        whole = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
        reader, writer = await hang_on(port, whole + whole[:-2])
        assert (await reader.readuntil(b"by http")).startswith(b"HTTP/1.1 200")
        assert await is_hung_up_on(reader)
        writer.close()


async def test_whoever_waits_for_an_answer_is_not_hung_up_on():
    async with (
        running(make_app(), speaks=bounded(patience=PATIENCE)) as port,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        answer = await client.get(f"http://127.0.0.1:{port}/slow")
    assert answer.text == "at last"


async def test_so_many_connections_that_files_would_run_short_are_hung_up_on():
    async with running(make_app(), speaks=bounded(most=1)) as port:
        held, first = await hang_on(port)
        turned_away, second = await hang_on(port)
        assert await is_hung_up_on(turned_away)
        first.write(b"a: b\r\n\r\n")
        assert (await held.readuntil(b"by http")).startswith(b"HTTP/1.1 200")
        for writer in (first, second):
            writer.close()


def test_the_page_leaves_files_for_everything_else():
    assert 1 <= most_connections() <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
