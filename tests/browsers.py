"""A real browser for tests: the system's Chromium, headless, with a profile of its own, talking to loopback alone."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from bots.web.app import create_app
from bots.web.server import serve
from core.papers.paper import Record
from tests.sites import Visit, open_site

CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "there is no Chromium on this machine; `apt-get install chromium` brings it"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000  # ms


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Start Chromium; each context of it has a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, timeout=60_000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(browser: Browser, address: str, *, faults: list[str], **options: Any) -> Iterator[Tab]:
    """Open a tab; what the console complains of, what asks elsewhere and what pops up is noted among the faults."""
    context = browser.new_context(base_url=address, **options)
    try:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        tab.on("request", lambda asked: faults.append(asked.url) if not _is_own(asked.url, address) else None)
        yield tab
    finally:
        context.close()


def _is_own(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:", "about:"))


def axe_complaints(tab: Tab) -> list[str]:
    """What axe finds wrong with a page, a line each."""
    found = Axe().run(tab)
    return [
        f"{tab.url}: {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


@contextmanager
def served_site(folder: Path, records: Sequence[Record], **options: Any) -> Iterator[tuple[str, Visit]]:
    """Serve a page on a real socket, from a thread of its own; yields its address and what is behind it."""
    loop = asyncio.new_event_loop()
    ready: list[tuple[str, Visit]] = []
    begun, done = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with open_site(folder, records, **options) as visit:

            def bound(host: str, port: int) -> None:
                ready.append((f"http://{host}:{port}", visit))
                begun.set()

            app = create_app(visit.site, routes=options.get("routes", ()))
            serving = asyncio.create_task(serve(app, "127.0.0.1", 0, bound))
            await done.wait()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert begun.wait(30), "the page was not served"
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(30)
        loop.close()
