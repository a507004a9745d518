"""The server on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bots.web.server import serve
from core.errors import PaperboyError


async def tell_client(request):
    return PlainTextResponse(f"{request.client.host} by {request.url.scheme}")


def make_app():
    return Starlette(routes=[Route("/", tell_client)])


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
