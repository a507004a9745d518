"""A person with a browser and a mailbox: subscribe, confirm, mark, change, unsubscribe; with JavaScript or without."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import async_playwright

from bots.web.server import serve
from tests.mailrooms import PLACE, READER, open_mailroom

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--disable-background-networking",
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here; `apt-get install chromium` brings it"
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def served(folder):
    """A mail room whose page is on a real socket."""
    port = free_port()
    async with open_mailroom(folder, base=f"http://127.0.0.1:{port}") as room:
        bound = asyncio.Event()
        serving = asyncio.create_task(serve(room.app, "127.0.0.1", port, lambda *_: bound.set()))
        try:
            await asyncio.wait_for(bound.wait(), 20)
            yield room
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def link_of(mailbox, letter, name):
    """Open a mail's HTML as a mail program does, and return where a link leads."""
    await mailbox.set_content(letter.part("html"))
    return await mailbox.get_by_role("link", name=name).first.get_attribute("href")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
async def test_from_subscribing_to_unsubscribing_in_a_browser(tmp_path, scripts):
    async with served(tmp_path) as room, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, timeout=60_000)
        options = {"color_scheme": "dark", "viewport": {"width": 375, "height": 700}} if scripts else {}
        context = await browser.new_context(java_script_enabled=scripts, **options)
        tab, mailbox = await context.new_page(), await context.new_page()
        store, faults = room.world.house.store, []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        base = room.world.house.settings.web.base_url

        await tab.goto(f"{base}/")
        await tab.get_by_label("Mail address").fill(READER)
        await tab.get_by_label("Interests").fill("grokking")
        await tab.get_by_role("button", name="Subscribe").click()
        await tab.get_by_role("heading", name="Look into your mailbox").wait_for()
        await room.platform.postman.round()
        (asking,) = room.server.letters

        await tab.goto(await link_of(mailbox, asking, "Yes, send it"))
        await tab.get_by_role("button", name="Yes, send it").click()
        await tab.get_by_role("heading", name="It is set up").wait_for()
        assert len(await store.subscriptions(PLACE)) == 1

        digest = await room.digest()
        mark = await link_of(mailbox, digest, "🔖")
        await tab.goto(mark)
        assert await store.marks() == []
        await tab.get_by_role("button", name="Save").click()
        await tab.get_by_role("status").wait_for()
        assert [found.kind for found in await store.marks()] == ["saved"]

        await tab.goto(await link_of(mailbox, digest, "Preferences"))
        await tab.get_by_role("link", name="Grokking in Small Transformers").wait_for()
        await tab.get_by_label("Papers at most").fill("9")
        await tab.get_by_role("button", name="Change").click()
        await tab.get_by_role("status").wait_for()
        assert (await store.subscriptions(PLACE))[0].top == 9
        if scripts:
            wide = await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, "nothing is to be scrolled sideways on a phone"

        await tab.goto(await link_of(mailbox, digest, "View in browser"))
        await tab.get_by_text("Grokking in Small Transformers").first.wait_for()
        await tab.goto(await link_of(mailbox, digest, "Unsubscribe"))
        await tab.get_by_role("button", name="Unsubscribe").click()
        await tab.get_by_role("heading", name="It has ended").wait_for()
        assert await store.subscriptions(PLACE) == []
        assert faults == []
        await context.close()
        await browser.close()
