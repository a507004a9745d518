"""What becomes known of a mail after its server took it: bounces and complaints, told to `POST /email/events`.

Taken are: JSON of ours `{"address" or "token": ..., "kind": "bounce" | "complaint", "reason": ...}`, one or a list;
what Postmark, SendGrid and Mailgun send; and a bounce as a mail (`message/rfc822`), as a pipe on the mail server
posts it.
Whoever posts knows `EMAIL_EVENTS_SECRET`: as a bearer, as the password of basic authentication, or by signing the body
(`X-Paperboy-Signature: sha256=HMAC`).
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bots.email.addresses import PREFIX, read_address, without_addresses
from bots.email.failures import refusal
from bots.email.links import Signer
from bots.email.people import find_address, pause_for
from bots.house import House
from core.errors import LinkError, UsageError

log = logging.getLogger(__name__)

MOST = 1_000
MAX_BODY = 512 << 10
_TOKEN = re.compile(r"\+([0-9a-f]{24})@")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that became known.

    Attributes:
        who: an address, or the token of a return path.
        complaint: the reader called it unwanted; otherwise it could not be delivered, for good.
        reason: in the words of whoever says so.
    """

    who: str
    complaint: bool
    reason: str


class Events:
    """Takes them.

    Args:
        house: what is behind the page; without the secret in its settings, nothing is taken.
        signer: knows whose a token is.
    """

    def __init__(self, house: House, signer: Signer) -> None:
        self._house, self._signer = house, signer

    async def answer(self, request: Request) -> Response:
        """Take what is posted; what concerns nobody here is no failure, lest it be sent again for days."""
        secret = self._house.settings.secrets.email_events_secret
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return _say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
        if secret is None or not is_allowed(request.headers, body, secret.get_secret_value()):
            return _say(HTTPStatus.FORBIDDEN, "the secret is missing or wrong")
        try:
            events = list(read_events(body, request.headers.get("content-type", "")))[:MOST]
        except (ValueError, RecursionError):
            return _say(HTTPStatus.BAD_REQUEST, "neither JSON nor a mail that can be read")
        paused = [await self._take(event) for event in events]
        return _say(HTTPStatus.OK, f"{len(events)} read, {sum(paused)} paused")

    async def _take(self, event: Event) -> int:
        try:
            address = await self._address(event.who)
        except (LinkError, UsageError):
            return 0
        count = await pause_for(self._house, address, reason_of(event))
        log.info("a %s paused %s", "complaint" if event.complaint else "bounce", count)
        return count

    async def _address(self, who: str) -> str:
        if re.fullmatch(r"[0-9a-f]{24}", who):
            return await find_address(self._house, self._signer, who)
        # Letters may be written otherwise than they were typed; the hash does not mind.
        name = await self._signer.names.of(read_address(f"{PREFIX}{who}"))
        return await find_address(self._house, self._signer, name)


def reason_of(event: Event) -> str:
    """Return the reason of a pause, as its reader and the operator see it."""
    if event.complaint:
        return "its reader reported a digest as unwanted"
    code = re.match(r"\s*(5\d\d)\b", event.reason)
    rest = event.reason[code.end() :] if code else event.reason
    return str(refusal(int(code[1]) if code else 550, without_addresses(rest)))


def is_allowed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether whoever posts knows the secret."""
    signed = headers.get("x-paperboy-signature", "")
    wanted = f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"
    if signed:
        return hmac.compare_digest(signed.encode("utf-8", "replace"), wanted.encode())
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def read_events(body: bytes, content_type: str) -> Iterator[Event]:
    """Return what a body tells; what is not about a final failure or a complaint is left out.

    Raises:
        ValueError: it cannot be read.
    """
    if content_type.partition(";")[0].strip().lower() == "message/rfc822":
        yield from _from_mail(body)
        return
    found = json.loads(body)
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict) and (event := _from_json(item)) is not None and event.who:
            yield event


def _from_json(item: Mapping[str, Any]) -> Event | None:
    inner = item.get("event-data")
    if isinstance(inner, dict):
        return _from_mailgun(inner)
    if "RecordType" in item:
        return _from_postmark(item)
    if "event" in item:
        return _from_sendgrid(item)
    kind = _text(item, "kind")
    if kind not in {"bounce", "complaint"}:
        return None
    return Event(_text(item, "token") or _text(item, "address"), kind == "complaint", _text(item, "reason"))


def _from_mailgun(item: Mapping[str, Any]) -> Event | None:
    complaint = item.get("event") == "complained"
    if not complaint and (item.get("event"), item.get("severity")) != ("failed", "permanent"):
        return None
    status = item.get("delivery-status")
    return Event(_text(item, "recipient"), complaint, _text(status, "message") if isinstance(status, dict) else "")


def _from_postmark(item: Mapping[str, Any]) -> Event | None:
    complaint = item["RecordType"] == "SpamComplaint" or item.get("Type") == "SpamComplaint"
    if not complaint and (item["RecordType"], item.get("Type")) != ("Bounce", "HardBounce"):
        return None
    return Event(_text(item, "Email"), complaint, _text(item, "Details") or _text(item, "Description"))


def _from_sendgrid(item: Mapping[str, Any]) -> Event | None:
    complaint = item["event"] == "spamreport"
    if not complaint and not (item["event"] == "bounce" and item.get("type", "bounce") == "bounce"):
        return None
    return Event(_text(item, "email"), complaint, _text(item, "reason"))


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value[:1_000].strip() if isinstance(value, str) else ""


def _from_mail(body: bytes) -> Iterator[Event]:
    """Read a delivery report (RFC 3464) or a complaint (RFC 5965); whose it is, its own address tells (VERP)."""
    mail = message_from_bytes(body)
    addressed = " ".join(
        str(value) for name in ("To", "Delivered-To", "X-Original-To") for value in mail.get_all(name, [])
    )
    token = _TOKEN.search(addressed)
    for part in mail.walk():
        if part.get_content_type() == "message/feedback-report":
            yield Event(token[1] if token else _recipient(part), complaint=True, reason="")
        elif part.get_content_type() == "message/delivery-status":
            yield from _failed_recipients(part, token[1] if token else "")


def _failed_recipients(report: Message, token: str) -> Iterator[Event]:
    blocks = report.get_payload()
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, Message) and str(block.get("Action", "")).strip().lower() == "failed":
            said = str(block.get("Diagnostic-Code", "")).partition(";")[2] or str(block.get("Status", ""))
            yield Event(token or _recipient(block), complaint=False, reason=said.strip())


def _recipient(block: Message) -> str:
    value = str(block.get("Final-Recipient") or block.get("Original-Rcpt-To") or "")
    return value.rpartition(";")[2].strip().strip("<>")


def _say(status: HTTPStatus, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status, headers={"Cache-Control": "no-store"})
