"""Bounces and complaints that come later: by webhook, or as the mail that came back."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mailrooms import PLACE, READER, open_mailroom

SECRET = "events-secret-of-the-tests"
BEARER = {"Authorization": f"Bearer {SECRET}"}
SECRETS = {"email_events_secret": SECRET, "paperboy_secret_key": "a secret of thirty-two characters and more"}
REPORT = """\
From: MAILER-DAEMON@mail.example
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{recipient}> unknown

--b--
"""


@pytest.fixture
async def room(tmp_path):
    async with open_mailroom(tmp_path, secrets=SECRETS) as opened:
        await opened.join()
        yield opened


async def pauses(room):
    return [item.pause for item in await room.world.house.store.subscriptions(PLACE)]


async def tell(room, body, headers=BEARER, kind="application/json"):
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return await room.client.post("/email/events", content=content, headers={**headers, "Content-Type": kind})


@pytest.mark.parametrize(
    "body",
    [
        {"address": READER, "kind": "bounce", "reason": f"550 5.1.1 <{READER}> unknown"},
        [{"address": "other@example.org", "kind": "bounce"}, {"address": READER.upper(), "kind": "bounce"}],
        {"RecordType": "Bounce", "Type": "HardBounce", "Email": READER, "Details": "550 5.1.1 unknown"},
        [{"event": "bounce", "type": "bounce", "email": READER, "reason": "550 5.1.1 unknown"}],
        {
            "signature": {},
            "event-data": {
                "event": "failed",
                "severity": "permanent",
                "recipient": READER,
                "delivery-status": {"message": "5.1.1 unknown"},
            },
        },
    ],
)
async def test_a_bounce_pauses_the_address_with_its_reason_in_every_form(room, body):
    assert (await tell(room, body)).status_code == 200
    (pause,) = await pauses(room)
    assert "does not exist" in pause.reason
    assert READER not in pause.reason
    assert not pause.by_hand
    assert await room.platform.reachable(PLACE) == pause.reason


@pytest.mark.parametrize(
    "body",
    [
        {"address": READER, "kind": "complaint"},
        {"RecordType": "SpamComplaint", "Email": READER},
        [{"event": "spamreport", "email": READER}],
        {"event-data": {"event": "complained", "recipient": READER}},
    ],
)
async def test_a_complaint_does_too(room, body):
    await tell(room, body)
    (pause,) = await pauses(room)
    assert "unwanted" in pause.reason


@pytest.mark.parametrize(
    "body",
    [
        {"RecordType": "Bounce", "Type": "SoftBounce", "Email": READER},
        [{"event": "delivered", "email": READER}, {"event": "bounce", "type": "blocked", "email": READER}],
        {"event-data": {"event": "failed", "severity": "temporary", "recipient": READER}},
        {"kind": "opened", "address": READER},
        {"kind": [], "address": READER},
        {"kind": "bounce", "address": "stranger@example.org"},
        {"kind": "bounce", "token": "0" * 24},
    ],
)
async def test_what_is_no_final_failure_of_somebody_here_pauses_nobody(room, body):
    assert (await tell(room, body)).status_code == 200
    assert await pauses(room) == [None]


@pytest.mark.parametrize("by_token", [True, False])
async def test_the_mail_that_came_back_tells_whose_it_was(room, by_token):
    token = room.platform.signer.bounce(await room.platform.signer.names.of(PLACE))
    to, recipient = (f"bounces+{token}@p.example", "forwarded@other.example") if by_token else ("b@p.example", READER)
    later = REPORT.format(to=to, recipient=recipient, action="delayed")
    await tell(room, later, kind="message/rfc822")
    assert await pauses(room) == [None]
    await tell(room, REPORT.format(to=to, recipient=recipient, action="failed"), kind="message/rfc822")
    (pause,) = await pauses(room)
    assert "unknown" in pause.reason
    assert "@" not in pause.reason


async def test_whoever_knows_the_secret_may_tell_in_three_ways_and_nobody_else(room):
    body = json.dumps({"address": READER, "kind": "bounce"})
    signed = hmac.digest(SECRET.encode(), body.encode(), "sha256").hex()
    wrong = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!!"},
        {"Authorization": f"Digest {SECRET}"},
        {"X-Paperboy-Signature": f"sha256={'0' * 64}"},
    ]
    for headers in wrong:
        assert (await tell(room, body, headers)).status_code == 403
    assert await pauses(room) == [None]
    basic = b64encode(f"paperboy:{SECRET}".encode()).decode()
    for headers in ({"Authorization": f"Basic {basic}"}, {"X-Paperboy-Signature": f"sha256={signed}"}):
        assert (await tell(room, body, headers)).status_code == 200
    assert len([pause for pause in await pauses(room) if pause]) == 1


async def test_without_a_secret_nothing_is_taken(tmp_path):
    async with open_mailroom(tmp_path) as room:
        assert (
            await tell(room, {"address": READER, "kind": "bounce"}, {"Authorization": "Bearer "})
        ).status_code == 403


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["event", "event-data", "RecordType", "kind", "Email", "email"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from(["application/json", "message/rfc822", "text/plain", ""]),
)
async def test_nothing_that_is_posted_breaks_it(room, body, kind):
    assert (await tell(room, body, kind=kind)).status_code in {200, 400}
