"""Digests through a real SMTP server that refuses, puts off, breaks off, and wants TLS."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from bots.email.adapter import Email
from core.errors import DeliveryError, DeliveryFailure
from core.settings import Settings
from core.store import State
from tests.contract.test_platforms import digest
from tests.fakes import MemoryStore
from tests.mailrooms import BASE, PLACE, READER, open_mailroom, path_in
from tests.servers.mail import PASSWORD, MailServer, write_certificates
from tests.worlds import MONDAY

KEY = "k3f9xq/2026-11-23"
SECRET = "a secret of thirty-two characters and more"


def make(server, **fields):
    secrets = {"paperboy_secret_key": SECRET}
    if "@" in server.url.partition("//")[2]:
        secrets["smtp_password"] = PASSWORD
    tables = {"email": server.settings(**fields), "secrets": secrets, "web": {"base_url": BASE}}
    return Email(Settings.model_validate(tables), lambda: MONDAY, MemoryStore())


@pytest.fixture
async def server():
    async with MailServer() as opened:
        yield opened


@pytest.fixture
async def platform(server):
    made = make(server)
    yield made
    await made.close()


@pytest.fixture
async def room(tmp_path):
    async with open_mailroom(tmp_path) as opened:
        await opened.join()
        opened.server.letters.clear()
        yield opened


async def failed(platform, place=PLACE, key=KEY):
    with pytest.raises(DeliveryError) as caught:
        await platform.deliver(place, digest(2), key=key)
    assert READER not in str(caught.value), "no address in what is logged"
    return caught.value


async def state(room):
    (item,) = await room.world.house.store.subscriptions(PLACE)
    found = await room.world.house.store.latest_deliveries([item.id])
    return item, found[item.id]


async def morning(room, minutes=0):
    await room.world.tick(MONDAY.replace(hour=8) + timedelta(minutes=minutes))


class Tags(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.addresses = [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"href", "src", "background"}]


async def test_a_digest_arrives_with_both_alternatives_and_every_header_it_needs(room):
    letter = await room.digest()
    mail = letter.mail
    assert letter.recipients == (READER,)
    assert (mail["To"], mail["From"]) == (READER, "Papers <papers@paperboy.example>")
    item, delivery = await state(room)
    assert mail["Message-ID"] == f"<{item.id}.2026-11-23@paperboy.example>"
    assert delivery.state is State.SENT
    assert delivery.parts == (mail["Message-ID"],)
    assert mail["List-Id"] == "paperboy <paperboy.paperboy.example>"
    assert mail["Date"].datetime == MONDAY.replace(hour=8)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        said = letter.part(kind)
        for words in ("Grokking in Small Transformers", "Thank you to arXiv", "Ada Lovelace", "1 Main Street"):
            assert words in said, (kind, words)
        assert "Unsubscribe" in said
        assert "View in browser" in said
    tags = Tags(letter.part("html"))
    assert not {"img", "script", "iframe", "link", "form"} & set(tags.tags)
    assert "prefers-color-scheme: dark" in letter.part("html")
    assert f"{BASE}{path_in(letter, 'unsubscribe')}" in tags.addresses


async def test_the_link_to_the_browser_shows_the_same_papers(room):
    letter = await room.digest()
    page = await room.client.get(path_in(letter, "digest"))
    assert page.status_code == 200
    assert "Grokking in Small Transformers" in page.text


async def test_a_mailbox_that_does_not_exist_pauses_its_subscription_with_the_reason_and_no_other(room):
    await room.join(email="other@example.org")
    room.server.letters.clear()
    room.server.refuse[READER] = f"550 5.1.1 <{READER}>: no such user"
    await morning(room)
    assert [letter.recipients for letter in room.server.letters] == [("other@example.org",)]
    item, delivery = await state(room)
    assert delivery.state is State.DEAD
    assert "does not exist" in item.pause.reason
    assert "no such user" in item.pause.reason
    assert READER not in item.pause.reason
    assert await room.platform.reachable(PLACE) == item.pause.reason, "it stays paused until its reader says so"
    room.server.refuse.clear()
    path = path_in(room.server.letters[0], "preferences")
    assert path.startswith("/email/")


async def test_a_reader_ends_a_pause_and_gets_the_next_digest(room):
    letter = await room.digest()
    room.server.refuse[READER] = "552 5.2.2 mailbox full"
    await room.world.tick(MONDAY.replace(hour=8) + timedelta(days=1))
    assert (await state(room))[0].pause is not None
    room.server.refuse.clear()
    await room.press(path_in(letter, "preferences"), do="resume", number="1")
    room.server.letters.clear()
    await room.world.tick(MONDAY.replace(hour=8) + timedelta(days=2))
    assert len(room.server.letters) == 1


async def test_greylisting_is_waited_out_and_the_digest_comes_once(room):
    room.server.refuse[READER] = "451 4.7.1 try again later"
    await morning(room)
    assert (await state(room))[1].state is State.PENDING
    room.server.refuse.clear()
    for minutes in (2, 3):
        await morning(room, minutes)
    assert len(room.server.letters) == 1
    assert (await state(room))[1].state is State.SENT


@pytest.mark.parametrize("answer", ["drop", "drop after"])
async def test_a_connection_that_breaks_after_the_mail_was_given_never_leads_to_a_second_one(room, answer):
    room.server.answers.append(answer)
    for minutes in (0, 1, 30):
        await morning(room, minutes)
    assert len(room.server.letters) == (answer == "drop after")
    _, delivery = await state(room)
    assert delivery.state is State.DEAD
    assert "not known whether it arrived" in delivery.note


async def test_a_server_that_cannot_be_reached_is_tried_again(room):
    await room.server.__aexit__()
    await room.platform.close()
    await morning(room)
    _, delivery = await state(room)
    assert delivery.state is State.PENDING
    assert "cannot be reached" in delivery.note


async def test_the_notes_know_what_surely_did_and_did_not_arrive(platform, server):
    assert await platform.find(PLACE, KEY, MONDAY) == []
    server.refuse[READER] = "450 later"
    await failed(platform)
    assert await platform.find(PLACE, KEY, MONDAY) == []
    server.refuse.clear()
    server.answers.append("drop after")
    assert (await failed(platform)).kind is DeliveryFailure.UNKNOWN
    assert await platform.find(PLACE, KEY, MONDAY) is None
    server.answers.append("451 4.3.0 not now")
    assert (await failed(platform)).kind is DeliveryFailure.RETRY
    assert await platform.find(PLACE, KEY, MONDAY) == []
    await platform.deliver(PLACE, digest(2), key=KEY)
    assert await platform.find(PLACE, KEY, MONDAY) == ["<k3f9xq.2026-11-23@paperboy.example>"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("554 5.7.1 looks like spam", DeliveryFailure.FORBIDDEN),
        ("552 5.3.4 too big", DeliveryFailure.REJECTED),
        ("550 5.6.0 malformed", DeliveryFailure.REJECTED),
        ("452 4.2.2 full", DeliveryFailure.RETRY),
    ],
)
async def test_what_is_said_to_the_mail_itself_decides_too(platform, server, answer, kind):
    server.answers.append(answer)
    assert (await failed(platform)).kind is kind


async def test_a_server_that_does_not_let_us_send_pauses_nobody(platform, server):
    server.senders = "553 5.7.1 not your address"
    error = await failed(platform)
    assert error.kind is DeliveryFailure.RETRY
    assert error.retry_after >= 600


async def test_one_connection_is_used_again_and_one_that_ended_is_replaced(platform, server):
    for number in range(4):
        await platform.deliver(PLACE, digest(1), key=f"k{number}/2026-11-23")
    server.refuse["gone@example.org"] = "550 5.1.1 gone"
    await failed(platform, "email:gone@example.org")
    await platform.deliver(PLACE, digest(1), key="k5/2026-11-23")
    assert server.connections == 1
    for session in list(server._open):
        session.transport.abort()
    await asyncio.sleep(0.05)
    await platform.deliver(PLACE, digest(1), key="k6/2026-11-23")
    assert len(server.letters) == 6
    assert {len(letter.recipients) for letter in server.letters} == {1}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_is_verified_against_the_authority_that_is_trusted(tmp_path, tls):
    files = write_certificates(tmp_path)
    async with MailServer(tls=tls, certificate=files["server"], login=True) as server:
        trusting = make(server, ca_file=str(files["ca"]))
        await trusting.deliver(PLACE, digest(1), key=KEY)
        assert server.letters[0].encrypted
        assert [well for _, well, _ in await trusting.check()].count(False) == 0
        await trusting.close()
        wary = make(server)
        error = await failed(wary)
        assert error.kind is DeliveryFailure.RETRY
        assert len(server.letters) == 1


async def test_a_certificate_for_another_host_is_refused(tmp_path):
    files = write_certificates(tmp_path, address="127.0.0.2")
    async with MailServer(tls="implicit", certificate=files["server"]) as server:
        assert "cannot be trusted" in str(await failed(make(server, ca_file=str(files["ca"]))))
        assert server.letters == []


async def test_without_starttls_nothing_is_sent_and_no_password_shown(server):
    downgraded = make(server, smtp_url=server.url.replace("smtp://", "smtp+starttls://"))
    error = await failed(downgraded)
    assert "STARTTLS" in str(error)
    assert server.letters == []


async def test_the_return_path_tells_whose_mail_came_back(server):
    platform = make(server, bounces_to="bounces@paperboy.example")
    await platform.deliver(PLACE, digest(1), key=KEY)
    token = platform.signer.bounce(await platform.signer.names.of(PLACE))
    assert server.letters[0].sender == f"bounces+{token}@paperboy.example"
    await platform.close()


async def test_a_digest_that_lacked_a_source_is_not_changed_by_mail(platform):
    assert not platform.can_edit
    with pytest.raises(DeliveryError):
        await platform.edit(PLACE, digest(1), key=KEY, parts=["<x@y>"])


async def test_rates_are_kept(server):
    platform = make(server, per_minute=6_000)
    turns = [platform.deliver(PLACE, digest(1), key=f"r{number}/2026-11-23") for number in range(5)]
    before = asyncio.get_running_loop().time()
    await asyncio.gather(*turns)
    assert asyncio.get_running_loop().time() - before >= 4 * 60 / 6_000
    assert len(server.letters) == 5
    await platform.close()
