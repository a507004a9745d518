"""Mail and page together, in a real browser: subscribe, confirm from the mail, change, mark, search, unsubscribe."""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.acceptance.test_mail import READER, subscribe
from tests.browsers import axe_complaints, open_tab
from tests.servers.mail import PASSWORD, MailServer
from tests.shells import Shell

PHONE_IN_THE_DARK = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": "dark"}
WAYS = {"anne@example.org": {}, "ben@example.org": {"java_script_enabled": False, **PHONE_IN_THE_DARK}}


@contextmanager
def mail_server():
    """A mail server that runs beside the test, which itself waits for a browser."""
    begun, done, made = threading.Event(), asyncio.Event(), []

    async def run():
        async with MailServer(login=True) as mail:
            made.append(mail)
            begun.set()
            await done.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert begun.wait(30)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(30)
        loop.close()


@pytest.fixture
def letters_of(tmp_path, stocked_home, sources):
    """The whole service with a digest that is due; returns how to read what came for an address."""
    with mail_server() as mail:
        shell = Shell(tmp_path, sources.environment)
        shell.begin_with(stocked_home)
        with ThreadPoolExecutor(1) as aside:  # the browser's driver holds the loop of this thread
            aside.submit(lambda: asyncio.run(subscribe(shell))).result()
        environment = {
            "PAPERBOY_EMAIL__SMTP_URL": mail.url,
            "PAPERBOY_EMAIL__FROM": "papers@paperboy.example",
            "SMTP_PASSWORD": PASSWORD,
        }
        with shell.start("run", **environment) as service:

            def read(address):
                return service.until(lambda: [one for one in mail.letters if address in one.recipients])

            yield service.page(), read


def way(letter, kind):
    """The path of a link of a letter; its host is the one of the settings, and the port here is any that was free."""
    found = re.search(rf"https?://[^/\s]+(/{kind}/[\w.~-]+)", letter.part("plain"))
    assert found is not None, letter.part("plain")
    return found[1]


def test_readers_subscribe_confirm_change_mark_search_and_unsubscribe(chromium, letters_of):
    address, read = letters_of
    faults, complaints = [], []
    for reader, options in WAYS.items():
        with open_tab(chromium, address, faults=faults, **options) as tab:

            def press(name, tab=tab):
                tab.get_by_role("button", name=name).first.click()
                return tab.inner_text("main")

            tab.goto("/")
            tab.get_by_label("Mail address").fill(reader)
            tab.get_by_label("Interests").fill("grokking")
            assert reader in press("Subscribe")
            tab.goto(way(read(reader)[0], "email/confirm"))
            complaints += axe_complaints(tab) if not options else []
            assert "It is set up" in press("Yes, send it")
            tab.goto(urlsplit(tab.get_by_role("link", name="Preferences").get_attribute("href")).path)
            complaints += axe_complaints(tab) if not options else []
            tab.get_by_label("Interests").fill("length generalization")
            assert "length generalization" in press("Change")
            tab.get_by_label("Search the library").fill("grokking")
            assert "Grokking in Small Transformers" in press("Search")
    digest = read(READER)[0]
    with open_tab(chromium, address, faults=faults, **PHONE_IN_THE_DARK) as tab:
        tab.goto(way(digest, "email/mark"))
        tab.get_by_role("button", name="Save").click()
        assert "it is among your saved papers" in tab.inner_text("main")
        complaints += axe_complaints(tab)
        tab.goto(way(digest, "digest"))
        assert tab.inner_text("h1") == "Papers for grokking"
        complaints += axe_complaints(tab)
        tab.goto(way(digest, "email/unsubscribe"))
        complaints += axe_complaints(tab)
        tab.get_by_role("button", name="Unsubscribe").click()
        assert "It has ended" in tab.inner_text("main")
    assert complaints == []
    assert faults == []
