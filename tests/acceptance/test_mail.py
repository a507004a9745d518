"""The real `paperboy run` with a real mail server: a due digest arrives once, also across kill -9."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta

import pytest

from core.digests.subscription import DAILY
from core.store import State
from tests.fakes import make_change, make_subscription
from tests.servers.mail import PASSWORD, MailServer
from tests.servers.sources import NOWHERE, SourcesServer, addresses
from tests.shells import Shell

READER = "reader@example.org"
PLACE = f"email:{READER}"


@asynccontextmanager
async def town(tmp_path, home, environment, *, due=True):
    """A mail server, and a shell whose paperboy knows it and has a digest due."""
    async with MailServer(login=True) as mail:
        shell = Shell(tmp_path, environment)
        shell.begin_with(home)
        shell.environment |= {
            "PAPERBOY_EMAIL__SMTP_URL": mail.url,
            "PAPERBOY_EMAIL__FROM": "papers@paperboy.example",
            "SMTP_PASSWORD": PASSWORD,
            "PAPERBOY_LOG__LEVEL": "debug",
        }
        if due:
            await subscribe(shell)
        yield shell, mail


async def subscribe(shell):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    item = make_subscription(
        "mail1", PLACE, interests="grokking", at=time(0), timezone="UTC", days=DAILY, created_by=PLACE,
        created_at=yesterday, active_from=yesterday,
    )  # fmt: skip
    async with shell.house(owner=True) as house:
        await house.store.add_subscription(item, make_change("subscribed", PLACE, yesterday))


async def settled(shell):
    """Wait until the digest is sent or given up, and return it."""
    async with asyncio.timeout(90):
        while True:
            async with shell.house() as house:
                found = (await house.store.latest_deliveries(["mail1"])).get("mail1")
            if found is not None and found.state in {State.SENT, State.DEAD}:
                return found
            await asyncio.sleep(0.2)


async def end(service):
    return await asyncio.to_thread(service.end)


async def test_a_due_digest_is_delivered_once_also_after_a_restart_and_no_address_is_logged(tmp_path, stocked_home):
    with SourcesServer() as sources:
        async with town(tmp_path, stocked_home, sources.environment) as (shell, mail):
            with shell.start("run") as first:
                await mail.until(lambda: mail.letters)
                assert (await settled(shell)).state is State.SENT
                assert (await end(first)).code == 0
            with shell.start("run") as second:
                await asyncio.to_thread(second.page)
                assert (await end(second)).code == 0
    assert len(mail.letters) == 1
    assert "Grokking in Small Transformers" in mail.letters[0].part("plain")
    for said in (first.err, second.err, first.out):
        assert READER not in said
        assert PASSWORD not in said


@pytest.mark.parametrize("given", [False, True], ids=["before the mail was given", "after it was given"])
async def test_killed_in_mid_delivery_it_arrives_once_and_never_twice(tmp_path, stocked_home, given):
    async with town(tmp_path, stocked_home, addresses(NOWHERE)) as (shell, mail):
        held = asyncio.Event()
        mail.held, mail.held_before = (held, None) if given else (None, held)
        with shell.start("run") as first:
            await mail.until(lambda: mail.letters if given else mail.asked)
            first.process.kill()
            await asyncio.to_thread(first.process.wait)
        mail.held = mail.held_before = None
        held.set()
        with shell.start("run") as second:
            found = await settled(shell)
            assert (await end(second)).code == 0
    assert len(mail.letters) == 1
    assert found.state is (State.DEAD if given else State.SENT)
    assert ("not known whether it arrived" in found.note) == given


async def test_the_doctor_looks_at_the_mail_server_and_sends_nothing(tmp_path, stocked_home):
    with SourcesServer() as sources:
        async with town(tmp_path, stocked_home, sources.environment, due=False) as (shell, mail):
            well = await asyncio.to_thread(shell.run, "doctor")
            mail.password = "another"
            ill = await asyncio.to_thread(shell.run, "doctor")
    assert well.code == 0, well.out
    assert f"ok    email server: 127.0.0.1:{mail.port}" in well.out
    assert ill.code == 1
    assert "FAIL  email server: the mail server does not accept our login" in ill.out
    assert mail.letters == []
    assert PASSWORD not in well.out + ill.out


async def test_an_address_is_subscribed_from_the_shell_and_the_operator_vouches_for_it(tmp_path, stocked_home):
    async with town(tmp_path, stocked_home, addresses(NOWHERE), due=False) as (shell, _):
        added = await asyncio.to_thread(shell.run, "subscriptions", "add", "email:A@EXAMPLE.org", "grokking")
        wrong = await asyncio.to_thread(shell.run, "subscriptions", "add", "email:nobody", "grokking")
        async with shell.house() as house:
            (person,) = await house.store.correspondents()
    assert added.code == 0, added.err
    assert (wrong.code, "no mail address" in wrong.err) == (2, True)
    assert person.address == "email:A@example.org"
    assert person.consents[0].given_from == "shell"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PAPERBOY_EMAIL__SMTP_URL": "smtp://127.0.0.1:25"}, "email.from is not; mail needs"),
        ({"PAPERBOY_EMAIL__FROM": "a@b.org"}, "email.smtp_url is not"),
        ({"PAPERBOY_EMAIL__SMTP_URL": "http://b.org", "PAPERBOY_EMAIL__FROM": "a@b.org"}, "smtps://user@mail"),
        ({"PAPERBOY_EMAIL__SMTP_URL": "smtps://a:hush@b.org", "PAPERBOY_EMAIL__FROM": "a@b.org"}, "SMTP_PASSWORD"),
        ({"PAPERBOY_EMAIL__SMTP_URL": "smtps://a@b.org", "PAPERBOY_EMAIL__FROM": "a@b.org"}, "names a user"),
        (
            {"PAPERBOY_EMAIL__SMTP_URL": "smtp://a@b.org", "PAPERBOY_EMAIL__FROM": "a@b.org", "SMTP_PASSWORD": "x y"},
            "clear",
        ),
        (
            {"PAPERBOY_EMAIL__SMTP_URL": "smtps://b.org", "PAPERBOY_EMAIL__FROM": "a@b.org\nBcc: c@d.org"},
            "a mail address",
        ),
    ],
)
def test_what_is_wrong_with_the_settings_is_one_sentence(shell, environment, said):
    ended = shell.run("doctor", "--offline", **environment)
    assert ended.code == 2
    assert said in ended.complaint
    assert "hush" not in ended.err
